import Compute
import LanguageModels
import Recommendation
import Unlearning

/// People who rate items named after letters, prompts through the real builder, and an adapter trained on them.
package struct LetterShop {
    package static let tokenizer = ByteTokenizer()
    package static let specification = TrainingSpecification(
        base: "base", precision: .f32, lora: LoRAConfiguration(rank: 2, alpha: 4, targets: [.query, .value]), seed: 3,
        epochs: 150, batch: 1000, learningRate: 0.01)
    package let builder: PromptBuilder
    package var interactions: [Interaction] = []
    private static let titles = ["AAA", "AB", "BBB", "CC", "CCD", "DD", "AD", "BC"]

    /// Each user rates items in turn; A and B show in the ratings, and chance does.
    package init(users: Int = 12, interactionsEach: Int = 9, seed: UInt64 = 1) throws {
        builder = try PromptBuilder(configuration: PromptConfiguration(historyLength: 3))
        var random = SeededGenerator(seed: seed)
        for user in 0..<users {
            for time in 0..<interactionsEach {
                let item = Int.random(in: 0..<Self.titles.count, using: &random)
                let taste = item < 2 ? 4.0 : item == 2 ? 2.0 : 3.0
                interactions.append(
                    Interaction(
                        user: "u\(user)", item: "\(item)", timestamp: Int64(time),
                        rating: taste + (Bool.random(using: &random) ? 1 : 0), ordinal: Int64(time)))
            }
        }
    }

    /// All prompts without some of the interactions.
    package func prompts(without forgotten: Set<InteractionKey> = []) -> [Prompt] {
        let kept = interactions.filter { !forgotten.contains($0.key) }
        var users: [String] = []
        for interaction in interactions where users.last != interaction.user { users.append(interaction.user) }
        return users.flatMap { user in
            builder.prompts(user: user, interactions: kept) { Int($0).map { Self.titles[$0] } }
        }
    }

    package func training(without forgotten: Set<InteractionKey> = []) -> [TrainingPrompt] {
        prompts(without: forgotten).filter { $0.split == .train }.map(TrainingPrompt.init)
    }

    package func request(forgetting forgotten: Set<InteractionKey>) -> InfluenceRequest {
        InfluenceRequest(difference: PromptDifference(from: prompts(), to: prompts(without: forgotten)))
    }

    package static func train(_ prompts: [TrainingPrompt], model: LetterModel = LetterModel()) throws -> Adapter {
        try AdapterTraining.train(
            model: model, tokenizer: tokenizer, samples: prompts, specification: specification
        ).adapter
    }

    package static func margins(_ prompts: [TrainingPrompt], _ adapter: Adapter) throws -> [Float] {
        try LetterModel().answerLogits(
            prompts: prompts.map { tokenizer.encode($0.text) }, adapters: AdapterMixture([adapter]), weights: nil
        ).map(\.margin)
    }

    package static func prepare(_ prompts: [TrainingPrompt], _ adapter: Adapter, references: Int? = nil) throws
        -> InfluencePreparation
    {
        try InfluencePreparation(
            model: LetterModel(), tokenizer: tokenizer, adapter: adapter, prompts: prompts, references: references)
    }
}

/// A transformer small enough for tests, with random weights.
package struct RandomCheckpoint: Checkpoint {
    package init() {}

    package let configuration = ModelConfiguration(
        family: .llama, vocabulary: 256, hidden: 32, layers: 2, heads: 4, keyValueHeads: 2, headDimension: 8,
        intermediate: 48, context: 1024, ropeTheta: 1e4, rmsNormEpsilon: 1e-5, tiedEmbeddings: true,
        attentionBias: false)
    package var digest: String { "random" }

    package func shape(of name: String) -> [Int]? {
        if name == "model.embed_tokens.weight" { return [configuration.vocabulary, configuration.hidden] }
        if name == "model.norm.weight" || name.contains("layernorm") { return [configuration.hidden] }
        let parts = name.split(separator: ".").map(String.init)
        guard parts.count >= 5, parts.last == "weight", let site = LinearSite(rawValue: parts[4]) else { return nil }
        let (inputs, outputs) = configuration.shape(of: site)
        return [outputs, inputs]
    }

    package func floats(of name: String) throws -> [Float] {
        guard let shape = shape(of: name) else { throw LanguageModelError.missingTensor(name: name) }
        let generator = CounterGenerator(seed: 5, path: name.utf8.map(UInt64.init))
        return generator.uniforms(count: shape.reduce(1, *), low: -0.3, high: 0.3).map {
            name.contains("norm") ? 1 + $0 : $0
        }
    }

    package func decoder() throws -> Decoder {
        try Decoder(
            weights: DecoderWeights(checkpoint: self, precision: .f32, answerTokens: (89, 78)), threads: 1)
    }

    /// An adapter none of whose factors is zero.
    package func adapter() -> Adapter {
        let layout = AdapterLayout(model: configuration, configuration: LoRAConfiguration(rank: 2, alpha: 4))
        return Adapter(
            layout: layout, values: CounterGenerator(seed: 6).uniforms(count: layout.count, low: -0.2, high: 0.2))
    }
}
