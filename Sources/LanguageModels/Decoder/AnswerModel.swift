/// The logits of the two answer tokens at the answer position.
public struct AnswerLogits: Hashable, Sendable {
    public var yes: Float
    public var no: Float

    public init(yes: Float, no: Float) {
        self.yes = yes
        self.no = no
    }

    /// `yes − no`; the two-way probability of "Yes" is its logistic function.
    public var margin: Float { yes - no }
}

/// The language model as every method here sees it: one differentiable function from an adapter to answer logits.
///
/// APA's training, E2URec's teachers and IFRU's per-prompt gradients are losses on these logits, so there is no general
/// autograd. `Decoder` is the real implementation; tests of methods and of the cluster use small ones.
///
/// Every result is a pure function of the arguments and the model: not of the number of threads, nor of what was
/// computed before. An instance belongs to one thread at a time.
public protocol AnswerModel: AnyObject {
    var configuration: ModelConfiguration { get }

    /// The same model, its answers being other tokens. It computes in this one's memory: both belong to one thread.
    ///
    /// - Throws: `LanguageModelError.tokenOutOfRange`; `.unusableAnswer` of a model whose answers are fixed.
    func answering(with tokens: AnswerTokens) throws -> any AnswerModel

    /// Logits under the base model (`adapters == nil`) or under a mixture.
    ///
    /// - `prompts`: token ids of each prompt; the answer position is the last token.
    /// - `weights`: ω `[prompts, adapters]`, row by row; nil means 1/K each. Ignored without a mixture.
    /// - Throws: `LanguageModelError.promptTooLong`, `.emptyPrompt`, `.tokenOutOfRange`.
    func answerLogits(prompts: [[Int32]], adapters: AdapterMixture?, weights: [Float]?) throws -> [AnswerLogits]

    /// The same without computing what is known of the prompts' beginnings; the last bits may be others.
    ///
    /// - Returns: with what was asked to be kept, in that order; nothing where the model cannot keep anything.
    func answerLogits(
        prompts: [[Int32]], adapters: AdapterMixture?, weights: [Float]?, beginnings: PromptBeginnings
    ) throws -> (logits: [AnswerLogits], kept: [KeptBeginning])

    /// The gradient of `Σ_i loss_i(logits_i)` with respect to the adapter, and the logits under it.
    ///
    /// - `lossGradient`: called in the order of the prompts, once each, with the index of the prompt and its
    ///   logits; returns ∂loss/∂yes and ∂loss/∂no.
    func gradient(
        prompts: [[Int32]], adapter: Adapter, lossGradient: (Int, AnswerLogits) -> AnswerLogits
    ) throws -> (gradient: [Float], logits: [AnswerLogits])

    /// Hidden representations under the base model, `[prompts, hidden]`, row by row.
    func embeddings(prompts: [[Int32]], source: EmbeddingSource) throws -> [Float]
}

extension AnswerModel {
    public func answerLogits(
        prompts: [[Int32]], adapters: AdapterMixture?, weights: [Float]?, beginnings: PromptBeginnings
    ) throws -> (logits: [AnswerLogits], kept: [KeptBeginning]) {
        (try answerLogits(prompts: prompts, adapters: adapters, weights: weights), [])
    }

    public func answering(with tokens: AnswerTokens) throws -> any AnswerModel {
        throw LanguageModelError.unusableAnswer(
            answer: "\(tokens.yes) \(tokens.no)", reason: "is of a model with answers of its own, \(type(of: self))")
    }
}

/// Which hidden state of the base model stands for a prompt (the APA paper leaves layer and pooling open).
public struct EmbeddingSource: Codable, Hashable, Sendable {
    public enum Pooling: String, Codable, Sendable { case last, mean }
    /// Number of decoder blocks run before the state is taken; the model's `layers` means after the last block.
    public var layer: Int
    public var pooling: Pooling

    public init(layer: Int, pooling: Pooling) {
        self.layer = layer
        self.pooling = pooling
    }
}
