import LanguageModels

/// A small random model: every value is a hash of the tensor's name and the element's number, as in
/// Fixtures/decoder_reference.py.
struct TinyModel: Checkpoint {
    var configuration: ModelConfiguration

    init(
        family: ModelConfiguration.Family = .llama, layers: Int = 3, hidden: Int = 32, heads: Int = 4,
        keyValueHeads: Int = 2, headDimension: Int? = nil, intermediate: Int = 48, context: Int = 256,
        ropeTheta: Double = 10000, ropeScaling: RopeScaling? = nil, layersWithoutRope: [Int]? = nil
    ) {
        configuration = ModelConfiguration(
            family: family, vocabulary: 96, hidden: hidden, layers: layers, heads: heads, keyValueHeads: keyValueHeads,
            headDimension: headDimension ?? hidden / heads, intermediate: intermediate, context: context,
            ropeTheta: ropeTheta, rmsNormEpsilon: 1e-5, tiedEmbeddings: true, attentionBias: family == .qwen2,
            ropeScaling: ropeScaling, headNorm: family == .qwen3 ? .rms : nil, layersWithoutRope: layersWithoutRope)
    }

    static let llama = TinyModel()
    static let qwen2 = TinyModel(family: .qwen2, ropeTheta: 1_000_000)
    static let qwen3 = TinyModel(family: .qwen3, headDimension: 12, ropeTheta: 1_000_000)
    static let smollm3 = TinyModel(family: .smollm3, ropeTheta: 2_000_000, layersWithoutRope: [1])
    static let phi3 = TinyModel(family: .phi3)
    static let families: [TinyModel] = [.llama, .qwen2, .qwen3, .smollm3, .phi3]
    static let answerTokens: (yes: Int32, no: Int32) = (11, 12)

    var digest: String { "tiny-\(configuration.family)-\(configuration.layers)-\(configuration.hidden)" }

    func shape(of name: String) -> [Int]? {
        if name == "model.embed_tokens.weight" { return [configuration.vocabulary, configuration.hidden] }
        if name == "model.norm.weight" { return [configuration.hidden] }
        let parts = name.split(separator: ".").map(String.init)
        guard parts.count >= 5, let layer = Int(parts[2]), layer < configuration.layers else { return nil }
        if parts[3].contains("layernorm") { return [configuration.hidden] }
        if parts[4].hasSuffix("_norm") { return [configuration.headDimension] }
        guard let site = LinearSite(rawValue: parts[4]) else { return nil }
        let (inputs, outputs) = configuration.shape(of: site)
        if parts.last == "weight" { return [outputs, inputs] }
        return configuration.attentionBias && site <= .value ? [outputs] : nil
    }

    func floats(of name: String) throws -> [Float] {
        guard let shape = shape(of: name) else { throw LanguageModelError.missingTensor(name: name) }
        let uniform = Self.values(name, count: shape.reduce(1, *))
        return uniform.map { name.contains("norm") ? 1 + 0.2 * $0 : 0.3 * $0 }
    }

    /// Uniform in [-1, 1): SplitMix64 of the FNV-1a hash of the name plus the element number.
    static func values(_ name: String, count: Int) -> [Float] {
        var key: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in name.utf8 { key = (key ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return (1...count).map { index in
            var z = UInt64(index) &* 0x9E37_79B9_7F4A_7C15 &+ key
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return Float((z ^ (z >> 31)) >> 40) / 0x1p23 - 1
        }
    }

    func layout(rank: Int = 4, targets: [LinearSite] = LinearSite.allCases) -> AdapterLayout {
        AdapterLayout(
            model: configuration,
            configuration: LoRAConfiguration(rank: rank, alpha: 2 * Double(rank), targets: targets))
    }

    /// An adapter all of whose factors are non-zero; named "" it is the one of the reference.
    func adapter(rank: Int = 4, targets: [LinearSite] = LinearSite.allCases, name: String = "") -> Adapter {
        let layout = layout(rank: rank, targets: targets)
        var adapter = Adapter(zerosFor: layout)
        for site in layout.sites {
            let module = "model.layers.\(site.layer).\(site.site < .gate ? "self_attn" : "mlp").\(site.site.rawValue)"
            let a = Self.values("\(name)\(module).lora_A.weight", count: rank * site.inputs)
            let b = Self.values("\(name)\(module).lora_B.weight", count: site.outputs * rank)
            for (index, value) in a.enumerated() { adapter.values[site.offsetA + index] = 0.15 * value }
            for (index, value) in b.enumerated() { adapter.values[site.offsetB + index] = 0.15 * value }
        }
        return adapter
    }

    func decoder(_ precision: Precision = .f32, threads: Int = 2, tokenBudget: Int = 1024) throws -> Decoder {
        try Decoder(
            weights: DecoderWeights(checkpoint: self, precision: precision, answerTokens: Self.answerTokens),
            threads: threads, tokenBudget: tokenBudget)
    }

    /// Prompts of several lengths, some with shared beginnings.
    static func prompts(_ count: Int, seed: String = "prompts") -> [[Int32]] {
        func tokens(_ name: String, _ length: Int) -> [Int32] {
            values("\(seed)\(name)", count: length).map { Int32(($0 + 1) * 48) }
        }
        let shared = tokens("shared", 40)
        return (0..<count).map { index in
            let length = 3 + index * 7 % 29
            let own = tokens("\(index)", length)
            return index % 3 == 0 ? own : shared.prefix(index % 2 == 0 ? 24 : 40) + own
        }
    }
}
