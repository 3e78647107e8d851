import Coordination
import LanguageModels
import Ledger
import Messages
import Recommendation
import Unlearning
import Worker

extension ComparisonCase {
    /// Small, and with something in every field.
    package static func sample(seed: UInt64, base: String = "base") -> ComparisonCase {
        func prompt(_ index: Int, version: Int = 0) -> ComparisonPrompt {
            ComparisonPrompt(prompt: Toy.prompt(index, version: version), user: index % 2)
        }
        let batch = ForgetBatch(
            kind: ForgetKind(.interaction, 1), index: 0, interactions: 1,
            training: SplitChanges(
                removed: [prompt(3).prompt.id],
                replaced: [SplitChanges.Replacement(new: prompt(4, version: 1), forgottenShare: 0.1)]),
            test: SplitChanges(
                replaced: [SplitChanges.Replacement(new: prompt(20, version: 1), forgottenShare: 0.1)]))
        return ComparisonCase(
            seed: seed, data: "as recorded",
            people: [
                ComparisonPerson(activity: .core, isInRandomThird: true),
                ComparisonPerson(activity: .edge, isInRandomThird: false),
            ], training: (0..<12).map { prompt($0) }, validation: (12..<18).map { prompt($0) },
            test: (18..<26).map { prompt($0) }, batches: [batch], sequence: [batch],
            methods: ComparisonMethod.allCases,
            settings: ComparisonSettings(
                specification: TrainingSpecification(
                    base: base, precision: .f32, seed: seed, epochs: 2, batch: 4, learningRate: 1e-2),
                shards: 2, partition: .hash, embedding: EmbeddingSource(layer: 1, pooling: .mean),
                ifru: IFRUConfiguration(damping: .relative([0.1, 1]), tolerance: 1000)))
    }
}

extension ComparisonReport {
    /// A real one, with rows, points and weights, and a row that failed; empty if it cannot be made.
    package static let sample: ComparisonReport = {
        guard
            var report = try? Toy.executor().compare(
                .sample(seed: .max, base: Toy.base), progress: { _ in }, isCancelled: { false })
        else { return ComparisonReport() }
        report.rows[0].refused = "predicted and actual answers disagree"
        report.rows[1].failure = "there is nothing to forget"
        (report.rows[1].completeness, report.rows[1].utility, report.rows[1].effort) = (nil, nil, nil)
        return report
    }()
}

extension PlannedCase {
    /// Cases of seeds from 0 on, each with a digest of its own.
    package static func samples(_ count: Int) -> [PlannedCase] {
        (0..<count).map { PlannedCase(digest: digest($0), seed: UInt64($0), data: "as recorded") }
    }

    private static func digest(_ number: Int) -> String {
        let digits = String(number, radix: 16)
        return String(repeating: "0", count: 64 - digits.count) + digits
    }
}
