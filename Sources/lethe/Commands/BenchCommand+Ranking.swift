import ArgumentParser
import Foundation
import LanguageModels
import Recommendation
import Unlearning

extension BenchCommand {
    struct Rank: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Ranking the candidates of one user, against scoring their prompts one by one.",
            discussion: "The candidates' prompts share the user's history, which is computed once for all of them.")

        @OptionGroup var options: Options

        @Option(help: "Candidates of one user, \(OptionBounds.candidates.inWords).")
        var candidates = 100

        private struct Report: Encodable {
            var precision: String
            var threads: Int
            var candidates: Int
            var secondsTogether: Double
            var secondsOneByOne: Double
            var ratio: Double
            /// Largest difference between a candidate's margin one way and the other.
            var largestDifference: Float
        }

        func run() throws {
            try reportingFailures(json: options.json) {
                try within(OptionBounds.candidates, candidates, "--candidates")
                let bench = try BenchRun(options)
                let prompts = try candidatePrompts(bench)
                var together: [Double] = []
                var single: [Double] = []
                var difference: Float = 0
                for round in 0...2 {
                    var ranked: [AnswerLogits] = []
                    let first = try timed {
                        ranked = try bench.local.decoder.answerLogits(prompts: prompts, adapters: nil, weights: nil)
                    }
                    var scored: [AnswerLogits] = []
                    let second = try timed {
                        for prompt in prompts {
                            scored += try bench.local.decoder.answerLogits(
                                prompts: [prompt], adapters: nil, weights: nil)
                        }
                    }
                    difference = zip(ranked, scored).map { abs($0.margin - $1.margin) }.max() ?? 0
                    // The first round prepares the shapes.
                    if round > 0 {
                        together.append(first)
                        single.append(second)
                    }
                }
                let report = Report(
                    precision: bench.local.precision.rawValue, threads: options.model.threads,
                    candidates: prompts.count, secondsTogether: median(together), secondsOneByOne: median(single),
                    ratio: median(single) / median(together), largestDifference: difference)
                try Output(json: options.json).emit(report) {
                    """
                    ranking \(report.candidates) candidates: \(decimal(report.secondsTogether)) s together, \
                    \(decimal(report.secondsOneByOne)) s one by one: \(decimal(report.ratio, 1)) x \
                    (margins differ by at most \(decimal(Double(report.largestDifference), 4)))
                    """
                }
            }
        }

        /// The first prompt with the targets of others in the place of its own.
        private func candidatePrompts(_ bench: BenchRun) throws -> [[Int32]] {
            func target(_ input: String) -> Range<String.Index>? {
                guard let start = input.range(of: "the target ", options: .backwards) else { return nil }
                return start.upperBound..<input.endIndex
            }
            guard let user = bench.samples.first, let own = target(user.input) else {
                throw CommandFailure(.badInput, "the prompts name no target")
            }
            let targets = bench.samples.compactMap { sample in target(sample.input).map { String(sample.input[$0]) } }
            let wanted = Set(targets).sorted().prefix(candidates)
            guard wanted.count == candidates else {
                throw CommandFailure(
                    .badInput, "the prompts name \(wanted.count) targets, not \(candidates): give more prompts")
            }
            return try wanted.map { text in
                let input = user.input.replacingCharacters(in: own, with: text)
                var prompt = user
                prompt.input = input
                let context = bench.local.decoder.configuration.context
                return try bench.local.tokenizer.encode(prompt, context: context)
            }
        }
    }

    struct Query: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "One query through K adapters with attention and aggregation, against one adapter.")

        @OptionGroup var options: Options

        @Option(help: "Adapters in the aggregate.")
        var adapters = 4

        @Option(help: "Validation prompts that the attention looks through.")
        var validation = 500

        @Option(help: "D or ND.")
        var rule = AggregationRule.nonDecomposed

        private struct Report: Encodable {
            var precision: String
            var threads: Int
            var adapters: Int
            var secondsOneAdapter: Double
            var secondsAggregate: Double
            var secondsAggregateEmbeddingCached: Double
            var ratio: Double
            var ratioEmbeddingCached: Double
        }

        func run() throws {
            try reportingFailures(json: options.json) {
                guard adapters > 0, validation > 0 else {
                    throw CommandFailure(.usage, "--adapters and --validation must be at least 1")
                }
                let bench = try BenchRun(options)
                let decoder = bench.local.decoder
                let source = EmbeddingSource.standard(for: decoder.configuration)
                let layout = AdapterLayout(model: decoder.configuration, configuration: LoRAConfiguration())
                let mixture = AdapterMixture(
                    (0..<adapters).map { Adapter.initial(layout: layout, seed: UInt64($0)) }, rule: rule)
                let single = AdapterMixture([mixture.adapters[0]])
                let attention = try attention(dimension: decoder.configuration.hidden)
                var times: (one: [Double], all: [Double], cached: [Double]) = ([], [], [])
                for (round, prompt) in bench.ids.enumerated() {
                    let one = try timed {
                        _ = try decoder.answerLogits(prompts: [prompt], adapters: single, weights: nil)
                    }
                    var embedding: [Float] = []
                    let all = try timed {
                        embedding = try decoder.embeddings(prompts: [prompt], source: source)
                        let weights = try attention.weights(for: embedding)
                        _ = try decoder.answerLogits(prompts: [prompt], adapters: mixture, weights: weights)
                    }
                    let cached = try timed {
                        let weights = try attention.weights(for: embedding)
                        _ = try decoder.answerLogits(prompts: [prompt], adapters: mixture, weights: weights)
                    }
                    guard round >= 4 else { continue }
                    times.one.append(one)
                    times.all.append(all)
                    times.cached.append(cached)
                }
                // Pair by pair: the machine's speed drifts.
                let report = Report(
                    precision: bench.local.precision.rawValue, threads: options.model.threads, adapters: adapters,
                    secondsOneAdapter: median(times.one), secondsAggregate: median(times.all),
                    secondsAggregateEmbeddingCached: median(times.cached),
                    ratio: median(zip(times.all, times.one).map { $0 / $1 }),
                    ratioEmbeddingCached: median(zip(times.cached, times.one).map { $0 / $1 }))
                try Output(json: options.json).emit(report) {
                    """
                    one query through one adapter: \(decimal(report.secondsOneAdapter * 1000, 1)) ms; through \(adapters) with \
                    attention: \(decimal(report.secondsAggregate * 1000, 1)) ms (\(decimal(report.ratio, 2)) x), with the \
                    embedding cached: \(decimal(report.secondsAggregateEmbeddingCached * 1000, 1)) ms \
                    (\(decimal(report.ratioEmbeddingCached, 2)) x)
                    """
                }
            }
        }

        /// Attention over random embeddings and errors: its time does not depend on their values.
        private func attention(dimension: Int) throws -> SampleAdaptiveAttention {
            var generator = SystemRandomNumberGenerator()
            func random(_ count: Int) -> [Float] { (0..<count).map { _ in Float.random(in: 0...1, using: &generator) } }
            return try SampleAdaptiveAttention(
                ids: (0..<validation).map { "\($0)" }, embeddings: random(validation * dimension), dimension: dimension,
                errors: (0..<adapters).map { _ in random(validation) },
                parameters: .init(tau: 10, neighbours: min(20, validation)))
        }
    }
}

func timed(_ body: () throws -> Void) rethrows -> Double {
    let clock = ContinuousClock()
    let elapsed = try clock.measure(body).components
    return Double(elapsed.seconds) + Double(elapsed.attoseconds) / 1e18
}

func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    return sorted.isEmpty ? .nan : sorted[sorted.count / 2]
}
