import ArgumentParser
import Foundation
import LanguageModels
import Recommendation
import Unlearning

extension BenchCommand {
    struct Slices: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "How much a forgotten user costs, by the number of slices.",
            discussion: """
                Prompt tokens that are trained again when one user is forgotten, as the mean over all users with training \
                prompts, under the partition user-hash. They follow from the prompts: nothing is trained. With --leavers also what \
                it costs when some, chosen by a hash, were dealt to the last slice because they will probably leave: of them \
                alone, and of everybody else.
                """)

        @OptionGroup var data: DataOptions

        @Option(help: "The base model, whose tokenizer counts: a GGUF file or a Hugging Face directory.")
        var model: String

        @Option(help: "Number of shards, \(OptionBounds.shards.inWords).")
        var shards = 4

        @Option(help: "Seed of the partition and of the slices.")
        var seed: UInt64 = 0

        @Option(
            parsing: .upToNextOption,
            help: "Numbers of slices to compare, each \(TrainingSpecification.sliceBounds.inWords).")
        var slices = [1, 2, 4, 8]

        @Option(help: "So many users of 100 are likely leavers, above 0 and below 100.")
        var leavers: Double?

        @Flag(help: "Print one JSON object on standard output.")
        var json = false

        private struct Report: Encodable {
            var shards: Int
            var users: Int
            var prompts: Int
            /// Of all training prompts.
            var tokens: Int
            var costs: [RetrainingCost]

            var text: String {
                let named = costs.contains { $0.leavers != nil }
                let rows = costs.map { cost in
                    [
                        "\(cost.slices)", decimal(cost.retrained, 0), factor(cost.shard, cost.retrained),
                        factor(cost.everything, cost.retrained),
                    ] + (named ? [cost.leavers, cost.others].map(gain) : [])
                }
                let columns =
                    ["slices", "tokens again", "shard ÷ these", "everything ÷ these"]
                    + (named ? ["of a likely leaver", "of others"] : [])
                return """
                    \(users) users, \(prompts) training prompts, \(tokens) tokens in \(shards) shards; one user forgotten:
                    \(table([columns] + rows))
                    """
            }

            private func gain(_ part: RetrainingCost.Part?) -> String {
                part.map { factor($0.shard, $0.retrained) } ?? "-"
            }

            private func factor(_ whole: Double, _ part: Double) -> String { part > 0 ? decimal(whole / part, 2) : "-" }
        }

        /// Those with the smallest hashes.
        private static func leavers(_ users: [String], share: Double, seed: UInt64) -> ArraySlice<String> {
            let keys = users.map { FieldHash.number(["leaver", String(seed), $0]) }
            let ordered = users.indices.sorted { (keys[$0], users[$0]) < (keys[$1], users[$1]) }.map { users[$0] }
            return ordered.prefix(max(1, Int(Double(users.count) * share / 100)))
        }

        func run() throws {
            try reportingFailures(json: json) {
                try within(OptionBounds.shards, shards, "--shards")
                if let leavers, !(leavers > 0 && leavers < 100) {
                    throw CommandFailure(.usage, "--leavers must be above 0 and below 100, not \(leavers)")
                }
                for count in slices { try within(TrainingSpecification.sliceBounds, count, "--slices") }
                var set = try PromptSet(configuration: try data.configuration())
                let read = try data.reader().forEachBatch { batch in set.add(batch) }
                try data.requireRatings(read)
                let loaded = try ModelLoader.load(path: model)
                let partition = try BalancedPartition(
                    method: .userHash, samples: [], embeddings: [], dimension: 0, shards: shards, seed: seed)
                var users: [RetrainingCost.User] = []
                var prompts = 0
                try set.forEachUser { _, own in
                    let training = own.filter { $0.split == .train }
                    guard let user = training.first?.user else { return }
                    let tokens = try training.reduce(0) { sum, prompt in
                        let ids = try loaded.tokenizer.encode(
                            TrainingPrompt(prompt), context: loaded.checkpoint.configuration.context)
                        return sum + ids.count
                    }
                    prompts += training.count
                    let shard = partition.shard(of: PartitionSample(id: "", user: user)) ?? 0
                    users.append(RetrainingCost.User(name: user, shard: shard, tokens: tokens))
                }
                guard !users.isEmpty else { throw CommandFailure(.badInput, "nobody has a training prompt") }
                let gone = Set(leavers.map { share in Self.leavers(users.map(\.name), share: share, seed: seed) } ?? [])
                let costs = slices.map { count in
                    RetrainingCost(
                        users,
                        specification: TrainingSpecification(base: "", precision: .f32, seed: seed, slices: count),
                        leavers: gone)
                }
                let report = Report(
                    shards: shards, users: users.count, prompts: prompts, tokens: users.reduce(0) { $0 + $1.tokens },
                    costs: costs)
                try Output(json: json).emit(report) { report.text }
            }
        }
    }
}
