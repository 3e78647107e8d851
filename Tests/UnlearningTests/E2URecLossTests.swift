import Foundation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Losses of E2URec")
struct E2URecLossTests {
    private static let margins: [Double] = [-6, -1.5, -0.1, 0, 0.7, 2, 9]

    @Test("Slopes agree with finite differences", arguments: margins)
    func slopes(student: Double) {
        let step = 1e-5
        func check(_ value: (Double) -> E2URecLosses.Value) {
            let numeric = (value(student + step).loss - value(student - step).loss) / (2 * step)
            #expect(abs(value(student).slope - numeric) < 1e-7 * max(1, abs(numeric)))
        }
        for other in Self.margins {
            check { E2URecLosses.forget(student: $0, teacher: other) }
            for label in [true, false] {
                check { E2URecLosses.remember(student: $0, original: other, label: label) }
            }
        }
    }

    @Test("The student that answers as its teacher has nothing left to learn")
    func minimum() {
        for margin in Self.margins {
            let value = E2URecLosses.forget(student: margin, teacher: margin)
            #expect(value.slope == 0 && value.loss == 0)
        }
    }

    @Test("The teacher steps back from what the augmented model learnt, by α")
    func teacher() {
        for original in Self.margins {
            #expect(
                abs(E2URecLosses.forgettingTeacher(original: original, augmented: original, alpha: 2) - original)
                    < 1e-12)
            let unforced = E2URecLosses.forgettingTeacher(original: original, augmented: original + 3, alpha: 0)
            #expect(abs(unforced - original) < 1e-12)
            let more = E2URecLosses.forgettingTeacher(original: original, augmented: original + 1, alpha: 2)
            let most = E2URecLosses.forgettingTeacher(original: original, augmented: original + 1, alpha: 4)
            #expect(most < more && more < original)
            #expect(E2URecLosses.forgettingTeacher(original: original, augmented: original - 1, alpha: 2) > original)
        }
        // z = ±m/2: only the answer that gained is pushed down, by α times its gain; also one that was certain.
        for original in [1.0, 40] {
            let (yes, no) = (0.5 * original, -0.5 * original)
            let (moreYes, lessNo) = (0.5 * (original + 1.5), -0.5 * (original + 1.5))
            let paper = (yes - 2 * max(moreYes - yes, 0)) - (no - 2 * max(lessNo - no, 0))
            let teacher = E2URecLosses.forgettingTeacher(original: original, augmented: original + 1.5, alpha: 2)
            #expect(abs(teacher - paper) < 1e-12)
        }
    }

    @Test("Extreme margins give finite losses and slopes")
    func extremes() {
        for (a, b) in [(1e4, -1e4), (-1e4, 1e4), (700, 0)] {
            let teacher = E2URecLosses.forgettingTeacher(original: a, augmented: b, alpha: 2)
            #expect(teacher.isFinite)
            let values = [
                E2URecLosses.forget(student: a, teacher: teacher),
                E2URecLosses.remember(student: b, original: a, label: true),
            ]
            #expect(values.allSatisfy { $0.loss.isFinite && $0.slope.isFinite })
        }
    }
}
