import ArgumentParser
import Experiments
import Foundation
import LanguageModels
import Recommendation
import Unlearning

struct BenchCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measure training, scoring, ranking and forgetting.",
        subcommands: [
            Train.self, Score.self, Rank.self, Query.self, Graph.self, Slices.self, Forget.self, Questions.self,
        ])

    struct Options: ParsableArguments {
        @OptionGroup var model: LocalModelOptions

        @Option(help: "A file of prompts as `lethe prompts` prints them.")
        var prompts: String

        @Option(help: "Use the first N prompts.")
        var limit: Int = .max

        @Option(help: "Prompts of one step.")
        var batch = 32

        @Flag(help: "Print one JSON object on standard output.")
        var json = false
    }

    struct Train: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tokens a second of LoRA training: the data's prompt tokens over all steps but the first.")

        @OptionGroup var options: Options

        func run() throws {
            try reportingFailures(json: options.json) {
                let bench = try BenchRun(options)
                let layout = AdapterLayout(
                    model: bench.local.decoder.configuration, configuration: LoRAConfiguration())
                let adapter = Adapter.initial(layout: layout, seed: 0)
                let report = try bench.measure("train", training: true) { batch in
                    _ = try bench.local.decoder.gradient(
                        prompts: batch.map { bench.ids[$0] }, adapter: adapter
                    ) { index, logits in
                        let error =
                            Float(Metrics.probability(margin: Double(logits.margin)))
                            - (bench.samples[batch[index]].label ? 1 : 0)
                        return AnswerLogits(yes: error, no: -error)
                    }
                }
                try Output(json: options.json).emit(report) { report.text }
            }
        }
    }

    struct Score: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Tokens a second of scoring: the data's prompt tokens over all batches but the first.")

        @OptionGroup var options: Options

        func run() throws {
            try reportingFailures(json: options.json) {
                let bench = try BenchRun(options)
                let report = try bench.measure("score", training: false) { batch in
                    _ = try bench.local.decoder.answerLogits(
                        prompts: batch.map { bench.ids[$0] }, adapters: nil, weights: nil)
                }
                try Output(json: options.json).emit(report) { report.text }
            }
        }
    }
}
