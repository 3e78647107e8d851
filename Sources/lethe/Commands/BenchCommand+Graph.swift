import ArgumentParser
import Experiments
import Foundation
import Recommendation
import Unlearning

extension GraphForgetting: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
    public var defaultValueDescription: String { text }
}

extension SyntheticSize: ExpressibleByArgument {
    public init?(argument: String) { self.init(argument) }
}

extension BenchCommand {
    /// Where the interactions come from, and the model.
    struct Graph: ParsableCommand {
        enum Model: String, ExpressibleByArgument, CaseIterable {
            case mf
            case lightgcn
        }

        static let configuration = CommandConfiguration(
            abstract: "IFRU on its own ground: embeddings that forget by an influence function, against retraining.",
            discussion: """
                Trains a matrix factorisation or a LightGCN on likes and dislikes, forgets, retrains without, and compares \
                IFRU's corrections (arXiv 2307.02147) with the retrained model. Needs no cluster and no language model. \
                Distances are means of the difference of two predicted probabilities; answers on every line are given by the \
                graph without what was forgotten.

                With --score nothing is forgotten: the model is trained on all of the data and answers for pairs, a line of JSON \
                each, as a baseline of what a language model recommends.
                """)

        @Option(help: "How the files are written: recbole, movielens, csv or jsonl.")
        var format: RatingsReader.Format?

        @Argument(help: "A folder, a ratings file, or the common beginning of the files' names.")
        var path: String?

        @Option(help: "Make the data up instead: USERS:ITEMS:INTERACTIONS; ML-1M has 6040:3706:1000209.")
        var synthetic: SyntheticSize?

        @Option(help: "A rating above this is a like.")
        var likeAbove = 3.0

        @Option(help: "mf or lightgcn.")
        var model = Model.mf

        @Option(help: "What is forgotten: noise:P%, users:P%, interactions:P%, or a number without %.")
        var forget = GraphForgetting(.users, .count(1))

        @Option(
            help: """
                A file with a user and an item on each line, a tabulator between them; prints {"margin"} line by line, the logit \
                of a like, null where the data knows the user or the item not.
                """)
        var score: String?

        @Option(help: "Runs (1 to 100), with seeds 1…N for data split, embeddings and choice of what is forgotten.")
        var seeds = 1

        @Option(help: "Width of the embeddings.")
        var width = 16

        @Option(help: "Layers of LightGCN, from 0 to 16.")
        var layers = 2

        @Option(help: "Steps of full-batch Adam, \(OptionBounds.graphSteps.inWords).")
        var epochs = 300

        @Option(help: "Learning rate of Adam at the start; it falls to zero linearly.")
        var learningRate = 0.02

        @Option(help: "Weight of the squared embeddings in a sum of losses. [default: 8 for mf, 2 for lightgcn]")
        var regularisation: Double?

        @Option(help: "Share of the interactions that is kept for the test, from 0.001 to 0.999.")
        var testShare = 0.2

        @Option(help: "λ in units of one sample's loss. [default: chosen on a rehearsal]")
        var damping: Double?

        @Option(help: "Conjugate gradients end when the residual is this share of the right-hand side.")
        var tolerance = 1e-2

        @Option(help: "Threads; the results do not depend on them.")
        var threads = 2

        @Flag(help: "Print one JSON object on standard output.")
        var json = false

        private struct Report: Encodable {
            var model: String
            var settings: GraphExperiment.Settings
            var runs: [GraphReport]
        }

        func run() throws {
            try reportingFailures(json: json) {
                guard (1...100).contains(seeds) else { throw CommandFailure(.usage, "--seeds must be 1…100") }
                guard (1...256).contains(threads) else { throw CommandFailure(.usage, "--threads must be 1…256") }
                try within(OptionBounds.graphSteps, epochs, "--epochs")
                try within(-1e6...1e6, likeAbove, "--like-above")
                try within(0.001...0.999, testShare, "--test-share")
                try within(1e-12...1, tolerance, "--tolerance")
                if let regularisation { try within(0...1e9, regularisation, "--regularisation") }
                if let damping { try within(1e-12...1e12, damping, "--damping") }
                let settings = GraphExperiment.Settings(
                    model: GraphConfiguration(
                        width: width, layers: model == .mf ? 0 : layers, steps: epochs, learningRate: learningRate),
                    regularisation: regularisation ?? (model == .mf ? 8 : 2), forgetting: forget,
                    testShare: testShare, damping: damping, tolerance: tolerance, threads: threads)
                try settings.model.check()
                let read = try interactions()
                if let score { return try printScores(of: score, read, settings) }
                var runs: [GraphReport] = []
                for seed in 1...UInt64(seeds) {
                    let data = try read ?? GraphData(synthetic: try syntheticSize(), seed: seed)
                    var progress = ProgressLine()
                    runs.append(
                        try GraphExperiment(settings).run(data, seed: seed) { progress.show("seed \(seed): \($0)") })
                    progress.end()
                }
                let report = Report(model: model.rawValue, settings: settings, runs: runs)
                try Output(json: json).emit(report) { graphText(runs, settings: settings) }
            }
        }

        private func syntheticSize() throws -> SyntheticSize {
            guard let synthetic else { throw CommandFailure(.usage, "give --format and PATH, or --synthetic") }
            return synthetic
        }

        private func interactions() throws -> GraphData? {
            guard let format, let path else {
                guard format == nil, path == nil else { throw CommandFailure(.usage, "--format and PATH go together") }
                _ = try syntheticSize()
                return nil
            }
            guard synthetic == nil else { throw CommandFailure(.usage, "give PATH or --synthetic, not both") }
            var rows: [Interaction] = []
            let report = try RatingsReader(format: format, path: path).forEachBatch { rows += $0.interactions }
            if report.refused > 0 { Output.note("\(report.refused) lines refused") }
            guard !rows.isEmpty else { throw CommandFailure(.badInput, "\(path) holds no ratings") }
            return GraphData(rows, likeAbove: likeAbove)
        }
    }
}
