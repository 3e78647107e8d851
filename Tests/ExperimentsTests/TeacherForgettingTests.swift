import Experiments
import LanguageModels
import Recommendation
import Testing
import TrainingTestSupport
import Unlearning

@Suite("Forgetting by teachers")
struct TeacherForgettingTests {
    private static let margins: [Double] = [-6, -1.5, -0.1, 0, 0.7, 2, 9]
    private let prompts = letterPrompts(40)

    private func unlearn(
        _ aim: TeacherForgetting.Aim, _ change: (inout GradientAscentConfiguration) -> Void = { _ in }
    ) throws -> (before: Adapter, result: GradientAscent.Result) {
        let adapter = try LetterShop.train(prompts)
        var configuration = GradientAscentConfiguration(batch: 4, divergenceCap: 1)
        change(&configuration)
        let result = try TeacherForgetting.unlearn(
            model: LetterModel(), tokenizer: ByteTokenizer(), adapter: adapter, forget: Array(prompts.prefix(12)),
            retained: Array(prompts.dropFirst(12)), aim: aim, configuration: configuration)
        return (adapter, result)
    }

    @Test("Slopes agree with finite differences", arguments: margins)
    func slopes(student: Double) {
        let step = 1e-5
        func check(_ value: (Double) -> TeacherLosses.Value) {
            let numeric = (value(student + step).loss - value(student - step).loss) / (2 * step)
            #expect(abs(value(student).slope - numeric) < 1e-7 * max(1, abs(numeric)))
        }
        for teacher in Self.margins {
            check { TeacherLosses.towards(student: $0, teacher: teacher) }
            check { TeacherLosses.away(student: $0, teacher: teacher) }
        }
        for label in [true, false] {
            check { TeacherLosses.ascent(student: $0, label: label) }
            for teacher in Self.margins {
                check { TeacherLosses.dispreferred(student: $0, teacher: teacher, label: label) }
            }
        }
    }

    @Test("A student that answers as its teacher has no slope, either way")
    func stationary() {
        for margin in Self.margins {
            #expect(TeacherLosses.towards(student: margin, teacher: margin).slope == 0)
            #expect(TeacherLosses.away(student: margin, teacher: margin).slope == 0)
        }
    }

    @Test("NPO begins as gradient ascent, and its slope falls with the answer's probability")
    func preference() {
        for label in [true, false] {
            for margin in Self.margins {
                let first = TeacherLosses.dispreferred(student: margin, teacher: margin, label: label).slope
                #expect(abs(first - TeacherLosses.ascent(student: margin, label: label).slope) < 1e-15)
            }
            // As far beyond the teacher, the slope of ascent is near 1 and NPO's falls.
            let sign = label ? -1.0 : 1.0
            let slopes = [0.0, 20, 40, 80].map {
                abs(TeacherLosses.dispreferred(student: sign * $0, teacher: -sign * 5, label: label).slope)
            }
            #expect(slopes[1] > slopes[2] && slopes[2] > slopes[3] && slopes[3] < 0.01)
        }
    }

    @Test("The gradient that steps take is that of the sum of both means, by finite differences in the adapter")
    func gradient() throws {
        let adapter = try LetterShop.train(prompts)
        let (forget, retained) = (Array(prompts.prefix(4)), Array(prompts.dropFirst(12).prefix(4)))
        let model = LetterModel()
        _ = try TeacherForgetting.unlearn(
            model: model, tokenizer: ByteTokenizer(), adapter: adapter, forget: forget, retained: retained,
            aim: .incompetentTeacher, configuration: GradientAscentConfiguration(steps: 1, batch: 4))
        // The only batch whose loss has a slope: forgotten prompts towards margin 0, retained ones where they are.
        let taken = try #require(model.slopes.first { $0.contains { $0.yes != 0 } })
        #expect(taken.count == 8)
        let tokens = try #require(model.asked.first { $0.count == 8 })
        func loss(_ values: [Float]) throws -> Double {
            let changed = Adapter(layout: adapter.layout, values: values)
            let (after, before) = (
                try LetterModel().margins(tokens, changed), try LetterModel().margins(tokens, adapter)
            )
            let sums = (0..<8).map { index in
                TeacherLosses.towards(student: after[index], teacher: index < 4 ? 0 : before[index]).loss / 4
            }
            return sums.reduce(0, +)
        }
        let analytic = try model.gradient(prompts: tokens, adapter: adapter) { index, _ in taken[index] }.gradient
        for position in stride(from: 0, to: adapter.values.count, by: max(1, adapter.values.count / 16)) {
            let step: Float = 1e-2
            var (up, down) = (adapter.values, adapter.values)
            up[position] += step
            down[position] -= step
            let numeric = (try loss(up) - loss(down)) / Double(up[position] - down[position])
            #expect(abs(numeric - Double(analytic[position])) < 2e-3 * max(1, abs(numeric)))
        }
    }

    @Test("All move the forgotten answers as they aim, within the cap, and are pure functions")
    func aims() throws {
        let forget = Array(prompts.prefix(12))
        func distance(_ adapter: Adapter, from teacher: [Float]) throws -> Double {
            zip(try LetterShop.margins(forget, adapter), teacher).reduce(0) {
                $0 + AnswerDivergence.kullbackLeibler(Double($1.1), Double($1.0))
            }
        }
        let (before, away) = try unlearn(.away)
        let original = try LetterShop.margins(forget, before)
        #expect(try distance(away.adapter, from: original) > 0)
        let (_, taught) = try unlearn(.incompetentTeacher)
        let ignorant = [Float](repeating: 0, count: forget.count)
        #expect(try distance(taught.adapter, from: ignorant) < distance(before, from: ignorant))
        let (_, dispreferred) = try unlearn(.dispreferred)
        func loss(_ adapter: Adapter) throws -> Double {
            try zip(LetterShop.margins(forget, adapter), forget).reduce(0) {
                $0 - AnswerDivergence.logProbability(margin: Double($1.1.label ? $1.0 : -$1.0))
            }
        }
        #expect(try loss(dispreferred.adapter) > loss(before))
        for result in [away, taught, dispreferred] {
            #expect(result.divergence <= 1 && result.cost.steps == 3)
            #expect(result.cost.trainedTokens > 0 && result.cost.scoredTokens > 0)
        }
        #expect(try unlearn(.away).result.adapter == away.adapter)
        #expect(away.adapter != taught.adapter)
    }

    @Test("A huge rate cannot blow it up, and nothing to forget or to retain is refused")
    func refused() throws {
        let capped = try unlearn(.away) {
            $0.learningRate = 100
            $0.divergenceCap = 0.1
        }
        #expect(capped.result.isCapped && capped.result.divergence <= 0.1)
        let adapter = try LetterShop.train(prompts)
        func run(_ forget: [TrainingPrompt], _ retained: [TrainingPrompt], _ model: LetterModel) throws {
            _ = try TeacherForgetting.unlearn(
                model: model, tokenizer: ByteTokenizer(), adapter: adapter, forget: forget, retained: retained,
                aim: .away)
        }
        #expect(throws: ApproximateError.emptyForgetSet) { try run([], prompts, LetterModel()) }
        #expect(throws: ApproximateError.emptyRetainedSet) { try run(prompts, [], LetterModel()) }
        let broken = LetterModel()
        broken.brokenMarginsAfter = 0
        #expect(throws: UnlearningError.self) {
            try run(Array(prompts.prefix(4)), Array(prompts.dropFirst(4)), broken)
        }
    }
}

extension LetterModel {
    fileprivate func margins(_ tokens: [[Int32]], _ adapter: Adapter) throws -> [Double] {
        try answerLogits(prompts: tokens, adapters: AdapterMixture([adapter]), weights: nil).map { Double($0.margin) }
    }
}
