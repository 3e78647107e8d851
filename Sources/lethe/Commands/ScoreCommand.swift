import ArgumentParser
import Experiments
import Foundation
import LanguageModels
import Recommendation

struct ScoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "score",
        abstract: "Score prompts with the base model or one adapter.",
        discussion: """
            Reads JSON lines {"instruction","input",…} and prints, line by line, \
            {"margin","probability","tokens","schema_version"}: the margin is the logit of "Yes" minus the logit of "No" at the \
            first answer position; lines with a "frame", as prompts of a template have it, are answered in its words.
            """)

    @OptionGroup var model: LocalModelOptions

    @Option(help: "A file of prompts as `lethe prompts` prints them.")
    var prompts: String

    @Option(help: "A PEFT adapter directory.")
    var adapter: String?

    @Flag(help: "Accepted for uniformity: the output is JSON lines anyway.")
    var json = false

    private struct Line: Encodable {
        var margin: Float
        var probability: Double
        var tokens: Int
        /// On every line, since lines are read one by one.
        var schemaVersion = Output.schemaVersion
    }

    func run() throws {
        try reportingFailures(json: json) {
            let samples = try readPrompts(prompts)
            let local = try LocalModel(model)
            let mixture = try adapter.map {
                AdapterMixture([try Adapter(directory: $0, model: local.decoder.configuration)])
            }
            let ids = try samples.map {
                try local.tokenizer.encode($0, context: local.decoder.configuration.context)
            }
            let model = try local.decoder.answering(samples, local.tokenizer)
            let logits = try model.answerLogits(prompts: ids, adapters: mixture, weights: nil)
            let encoder = JSONEncoder.printed
            for (tokens, logits) in zip(ids, logits) {
                let line = Line(
                    margin: logits.margin, probability: Metrics.probability(margin: Double(logits.margin)),
                    tokens: tokens.count)
                try Output.write(String(decoding: encoder.encode(line), as: UTF8.self) + "\n")
            }
        }
    }
}
