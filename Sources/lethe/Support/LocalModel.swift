import ArgumentParser
import Files
import Foundation
import LanguageModels
import Recommendation
import Unlearning

/// How a base model is loaded.
struct BaseModelOptions: ParsableArguments {
    @Option(help: "The base model: a GGUF file or a Hugging Face directory.")
    var model: String

    @Option(help: "bf16 or f32. [default: bf16 where the CPU has it, else f32]")
    var precision: TrainingSpecification.Precision?

    @Option(
        help:
            "A folder for packed weights, shared by your processes on this machine, or none. [env: LETHE_WEIGHT_CACHE] [default: ~/.cache/lethe/weights]"
    )
    var weightCache: String?
}

/// The options of commands that compute without a cluster.
struct LocalModelOptions: ParsableArguments {
    @OptionGroup var base: BaseModelOptions

    @Option(help: "Threads to compute with, \(OptionBounds.threads.inWords).")
    var threads: Int = AvailableCores.current.count
}

extension TrainingSpecification.Precision: ExpressibleByArgument {}
extension RateSchedule: ExpressibleByArgument {}
extension WeightAveraging: ExpressibleByArgument {}

/// A base model loaded for this process alone.
struct LocalModel {
    let tokenizer: any Tokenizer
    let decoder: Decoder
    let precision: TrainingSpecification.Precision

    init(_ options: LocalModelOptions) throws {
        try within(OptionBounds.threads, options.threads, "--threads")
        let model = try ModelLoader.load(path: options.base.model)
        for warning in model.warnings { Output.note("warning: \(warning)") }
        precision = options.base.precision ?? .preferred
        tokenizer = model.tokenizer
        let weights = try DecoderWeights(
            checkpoint: model.checkpoint, precision: Precision(precision), answerTokens: model.answerTokens,
            cacheDirectory: weightCacheDirectory(options.base.weightCache))
        decoder = try Decoder(weights: weights, threads: options.threads)
    }
}

/// Prompts from a file of JSON lines as `prompts` prints them.
func readPrompts(_ path: String) throws -> [TrainingPrompt] {
    struct Line: Decodable {
        var instruction: String
        var input: String
        var output: String?
        var frame: PromptFrame?
    }
    guard let content = FileManager.default.contents(atPath: path) else {
        throw CommandFailure(.badInput, "cannot read \(path)")
    }
    let decoder = JSONDecoder()
    return try content.split(separator: UInt8(ascii: "\n")).enumerated().map { number, line in
        do {
            let line = try decoder.decode(Line.self, from: Data(line))
            return TrainingPrompt(
                id: String(number), instruction: line.instruction, input: line.input,
                label: line.frame.map { line.output == $0.words.yes } ?? line.output?.hasPrefix("Yes") ?? false,
                frame: line.frame)
        } catch {
            throw CommandFailure(
                .badInput, "\(path):\(number + 1) is no JSON object with instruction and input (and output)")
        }
    }
}
