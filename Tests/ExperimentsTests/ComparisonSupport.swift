import Experiments
import LanguageModels
import Recommendation
import TrainingTestSupport
import Unlearning

/// A letter shop as the source of comparisons.
struct ComparisonShop {
    let shop: LetterShop
    let source: ComparisonSource
    private static let titles = ["AAA", "AB", "BBB", "CC", "CCD", "DD", "AD", "BC"]

    init(users: Int = 12, interactionsEach: Int = 9, seed: UInt64 = 1) throws {
        shop = try LetterShop(users: users, interactionsEach: interactionsEach, seed: seed)
        let people = Dictionary(grouping: shop.interactions, by: \.user).map { user, interactions in
            ComparisonSource.Person(user: user, interactions: interactions)
        }
        var titles: [String: String] = [:]
        for (position, title) in Self.titles.enumerated() { titles["\(position)"] = title }
        source = try ComparisonSource(people: people, titles: titles, prompts: shop.builder.configuration)
    }

    static func settings(shards: Int = 3, partition: PartitionMethod = .user, epochs: Int = 20) -> ComparisonSettings {
        var specification = LetterShop.specification
        specification.epochs = epochs
        specification.batch = 16
        // So small a model, trained to its labels, moves otherwise than first order says: no correction is refused for it.
        return ComparisonSettings(
            specification: specification, shards: shards, partition: partition,
            embedding: EmbeddingSource(layer: 1, pooling: .mean),
            ifru: IFRUConfiguration(
                damping: .relative(IFRUConfiguration.Damping.defaultMultiples), tolerance: 1000))
    }

    func cases(_ options: ComparisonOptions, settings: ComparisonSettings = settings()) throws -> [ComparisonCase] {
        let plan = try ComparisonPlan(options: options, settings: settings)
        return try plan.entries.map { try plan.makeCase($0, from: source) }
    }

    static func run(_ comparison: ComparisonCase) throws -> ComparisonReport {
        try MethodComparison.run(model: LetterModel(), tokenizer: ByteTokenizer(), comparison: comparison)
    }
}

extension ComparisonReport {
    func row(_ method: ComparisonMethod, _ batch: Int = 0) -> ComparisonRow? {
        rows.first { $0.method == method && $0.batch == batch }
    }

    /// Without what a clock said.
    var withoutTimes: ComparisonReport {
        var copy = self
        for index in copy.rows.indices {
            copy.rows[index].effort?.training.seconds = 0
            copy.rows[index].effort?.preparation.seconds = 0
            copy.rows[index].effort?.request.seconds = 0
            copy.rows[index].effort?.speedup = nil
        }
        for index in copy.sequences.indices {
            copy.sequences[index].request?.seconds = 0
            copy.sequences[index].preparation?.seconds = 0
        }
        return copy
    }
}
