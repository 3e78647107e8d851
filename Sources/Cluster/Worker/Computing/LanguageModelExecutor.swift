import Experiments
import Files
import LanguageModels
import Recommendation
import Unlearning

/// The real thing: a base model loaded once, and everything a worker is asked for computed with it.
package final class LanguageModelExecutor: TaskExecutor {
    package let description: ExecutorDescription
    let model: any AnswerModel
    let tokenizer: any Tokenizer
    private let cores: SharedCores?
    private let checkpointInterval: Duration?
    /// What corrections that were prepared beforehand left, by the content name of the corrected adapter; each until its
    /// preparation is made, all until the next training.
    var successors: [String: InfluenceSuccessor] = [:]

    /// Loads a model's files.
    ///
    /// - `cores`: as many as there are threads; nil: all threads compute whatever others do.
    /// - `checkpointInterval`: `StageKeeping.checkpointInterval`
    /// - Throws: `LanguageModelError`.
    package convenience init(
        model path: String, precision: TrainingSpecification.Precision, threads: Int, cores: SharedCores? = nil,
        weightCacheDirectory: String?, checkpointInterval: Duration? = nil
    ) throws {
        let loaded = try ModelLoader.load(path: path)
        let weights = try DecoderWeights(
            checkpoint: loaded.checkpoint, precision: Precision(precision), answerTokens: loaded.answerTokens,
            cacheDirectory: weightCacheDirectory)
        let decoder = try Decoder(weights: weights, threads: threads, cores: cores)
        let arithmetic = try ArithmeticFingerprint.compute(precision: precision, model: decoder)
        // That took cores, and is no job that ends.
        cores?.rest()
        let description = ExecutorDescription(
            base: loaded.checkpoint.digest, precision: precision, arithmetic: arithmetic, threads: threads,
            model: decoder.configuration)
        self.init(
            model: decoder, tokenizer: loaded.tokenizer, description: description, cores: cores,
            checkpointInterval: checkpointInterval)
    }

    /// Any model in the place of the decoder.
    package init(
        model: any AnswerModel, tokenizer: any Tokenizer, description: ExecutorDescription, cores: SharedCores? = nil,
        checkpointInterval: Duration? = nil
    ) {
        self.cores = cores
        self.checkpointInterval = checkpointInterval
        self.model = model
        self.tokenizer = tokenizer
        self.description = description
    }

    package func rest() { cores?.rest() }

    package func train(
        prompts: [TrainingPrompt], specification: TrainingSpecification, from first: TrainingStage?,
        through last: Int?, answering: AnsweringStage?, keep: @escaping (TrainingStage) -> Void,
        progress: (TrainingProgress) -> Void, isCancelled: () -> Bool
    ) throws -> TrainedAdapter {
        successors = [:]
        return try AdapterTraining.train(
            model: model, tokenizer: tokenizer, samples: prompts, specification: specification,
            stages: StageKeeping(
                arithmetic: description.arithmetic, first: first, last: last, answering: answering,
                checkpointInterval: checkpointInterval, keep: keep),
            progress: progress, isCancelled: isCancelled)
    }

    package func score(
        prompts: [TrainingPrompt], adapters: [Adapter], rule: AggregationRule, weights: [Float]
    ) throws -> (margins: [Float], tokens: Int) {
        guard !prompts.isEmpty else { return ([], 0) }
        let model = try model.answering(prompts, tokenizer)
        let tokens = try prompts.map { try tokenizer.encode($0, context: model.configuration.context) }
        let mixture = adapters.isEmpty ? nil : AdapterMixture(adapters, rule: rule)
        let logits = try model.answerLogits(
            prompts: tokens, adapters: mixture, weights: weights.isEmpty ? nil : weights)
        return (logits.map(\.margin), tokens.reduce(0) { $0 + $1.count })
    }

    package func compare(
        _ comparison: ComparisonCase, progress: (ComparisonProgress) -> Void, isCancelled: () -> Bool
    ) throws -> ComparisonReport {
        try MethodComparison.run(
            model: model, tokenizer: tokenizer, comparison: comparison, progress: progress, isCancelled: isCancelled)
    }

    package func embed(
        prompts: [TrainingPrompt], source: EmbeddingSource
    ) throws -> (values: [Float], tokens: Int) {
        guard (0...model.configuration.layers).contains(source.layer) else {
            throw TaskFailure(
                code: .invalidTask, message: "the model has \(model.configuration.layers) layers, not \(source.layer)"
            )
        }
        guard !prompts.isEmpty else { return ([], 0) }
        let tokens = try prompts.map { try tokenizer.encode($0, context: model.configuration.context) }
        return (try model.embeddings(prompts: tokens, source: source), tokens.reduce(0) { $0 + $1.count })
    }
}
