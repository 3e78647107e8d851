/// Reads the `config.json` of a Hugging Face checkpoint, in the layout of Transformers 4 (`rope_theta`, `rope_scaling`)
/// and of Transformers 5 (`rope_parameters`).
struct HuggingFaceConfiguration {
    let config: JSONValue
    let path: String

    /// Of a model of text and images, what it says of the decoder of its text.
    init(config: JSONValue, path: String) {
        self.path = path
        guard let text = config["text_config"]?.members, config["model_type"]?.string.flatMap(Self.family) == nil else {
            self.config = config
            return
        }
        // What holds for the whole model holds for its decoder.
        let shared = ["tie_word_embeddings", "quantization_config"].compactMap { key in
            config[key].map { (key: key, value: $0) }
        }
        self.config = .object(text + shared)
    }

    private static func family(_ type: String) -> ModelConfiguration.Family? { .init(rawValue: type) }

    private func unsupported(_ reason: String) -> LanguageModelError {
        .unsupportedCheckpoint(path: path, reason: reason)
    }

    /// - Throws: `.unsupportedCheckpoint` when the file describes a decoder that this package would compute wrongly.
    func configuration() throws -> ModelConfiguration {
        let type = try string("model_type")
        guard let type, let family = ModelConfiguration.Family(rawValue: type) else {
            throw unsupported(
                "the model type \(type ?? "(none)"); llama, mistral, qwen2, qwen3, smollm3 and phi3 are supported")
        }
        try refuseWhatTheDecoderLacks(family)
        let hidden = try required("hidden_size")
        let heads = try required("num_attention_heads")
        guard heads > 0 else { throw unsupported("num_attention_heads is \(heads)") }
        var context = try required("max_position_embeddings")
        if let window = try slidingWindow(family) {
            // Within the window, attention with and without one are the same.
            context = min(context, window)
        }
        let configuration = ModelConfiguration(
            family: family, vocabulary: try required("vocab_size"), hidden: hidden,
            layers: try required("num_hidden_layers"), heads: heads,
            keyValueHeads: try keyValueHeads(family) ?? heads,
            headDimension: try headDimension(family) ?? hidden / heads, intermediate: try required("intermediate_size"),
            context: context, ropeTheta: try ropeTheta(family),
            rmsNormEpsilon: try number("rms_norm_eps", in: config) ?? (family == .phi3 ? 1e-5 : 1e-6),
            // Transformers leaves out what is its class's own default.
            tiedEmbeddings: try bool("tie_word_embeddings") ?? (family == .smollm3), attentionBias: family == .qwen2,
            ropeScaling: try ropeScaling(), headNorm: family == .qwen3 ? .rms : nil,
            layersWithoutRope: family == .smollm3 ? try layersWithoutRope() : nil)
        try configuration.validate(path: path)
        return configuration
    }

    private func refuseWhatTheDecoderLacks(_ family: ModelConfiguration.Family) throws {
        if let activation = try string("hidden_act"), activation != "silu" {
            throw unsupported("the activation \(activation); silu is supported")
        }
        for key in ["mlp_bias", "attention_bias"] where try bool(key) ?? false {
            throw unsupported("\(key) is set")
        }
        for key in ["quantization_config", "partial_rotary_factor"] {
            guard let value = config[key] else { continue }
            if key == "partial_rotary_factor", value.number == 1 { continue }
            throw unsupported("\(key) is set")
        }
    }

    private func slidingWindow(_ family: ModelConfiguration.Family) throws -> Int? {
        if [.qwen2, .qwen3, .smollm3].contains(family), !(try bool("use_sliding_window") ?? false) { return nil }
        let usual = family == .mistral && isAbsent("sliding_window") ? 4096 : nil
        guard let window = try integer("sliding_window") ?? usual else { return nil }
        guard window > 0 else { throw unsupported("sliding_window is \(window)") }
        return window
    }

    /// Not even null, which Transformers takes for a value.
    private func isAbsent(_ key: String) -> Bool { config.members?.contains { $0.key == key } != true }

    /// nil: as many as there are heads.
    private func keyValueHeads(_ family: ModelConfiguration.Family) throws -> Int? {
        let usual: [ModelConfiguration.Family: Int] = [.mistral: 8, .qwen2: 32, .qwen3: 32, .smollm3: 4]
        return try integer("num_key_value_heads") ?? (isAbsent("num_key_value_heads") ? usual[family] : nil)
    }

    /// nil: the heads share the hidden size.
    private func headDimension(_ family: ModelConfiguration.Family) throws -> Int? {
        try integer("head_dim") ?? (family == .qwen3 && isAbsent("head_dim") ? 128 : nil)
    }

    /// Of `no_rope_layers` Transformers reads 1 as a layer with rope.
    private func layersWithoutRope() throws -> [Int]? {
        let layers = try required("num_hidden_layers")
        guard (1...4096).contains(layers) else { return nil }
        guard let flags = config["no_rope_layers"] else {
            let interval = try integer("no_rope_layer_interval") ?? 4
            guard interval > 0 else { throw unsupported("no_rope_layer_interval is \(interval)") }
            let still = (0..<layers).filter { ($0 + 1) % interval == 0 }
            return still.isEmpty ? nil : still
        }
        let values = flags.array?.compactMap(\.integer) ?? []
        guard values.count == layers, values.count == flags.array?.count, values.allSatisfy({ $0 == 0 || $0 == 1 })
        else {
            throw wrongType("no_rope_layers", "a 0 or a 1 for each layer")
        }
        let still = values.indices.filter { values[$0] == 0 }
        return still.isEmpty ? nil : still
    }

    private func ropeScaling() throws -> RopeScaling? {
        // Keys of both layouts may stand side by side; every one must be one that the decoder honours.
        var found: [RopeScaling?] = []
        for key in ["rope_scaling", "rope_parameters"] {
            guard let rope = config[key], rope.members != nil else { continue }
            if let fraction = try number("partial_rotary_factor", in: rope), fraction != 1 {
                throw unsupported("only a part of each head is rotated")
            }
            if rope.members?.contains(where: { if case .object = $0.value { true } else { false } }) == true {
                throw unsupported("\(key) differs between layers")
            }
            found.append(try ropeScaling(rope))
        }
        guard Set(found).count <= 1 else { throw unsupported("rope_scaling and rope_parameters contradict each other") }
        return found.first ?? nil
    }

    private func ropeScaling(_ rope: JSONValue) throws -> RopeScaling? {
        func factor(_ key: String) throws -> Double {
            guard let value = try number(key, in: rope) else {
                throw LanguageModelError.malformedFile(path: path, reason: "\(key) of the rope scaling is missing")
            }
            return value
        }
        switch rope["rope_type"]?.string ?? rope["type"]?.string ?? "default" {
        case "default":
            if let factor = try number("factor", in: rope), factor != 1 {
                throw unsupported("rope scaling by \(factor) without a type")
            }
            return nil
        case "linear": return .linear(factor: try factor("factor"))
        case "llama3":
            guard let context = rope["original_max_position_embeddings"]?.integer else {
                throw LanguageModelError.malformedFile(
                    path: path, reason: "original_max_position_embeddings of the rope scaling llama3 is no integer")
            }
            return .llama3(
                factor: try factor("factor"), lowFrequencyFactor: try factor("low_freq_factor"),
                highFrequencyFactor: try factor("high_freq_factor"), originalContext: context)
        case let type: throw unsupported("rope scaling of the type \(type); linear and llama3 are supported")
        }
    }

    private func ropeTheta(_ family: ModelConfiguration.Family) throws -> Double {
        let nested = try config["rope_parameters"].flatMap { try number("rope_theta", in: $0) }
        return try nested ?? number("rope_theta", in: config) ?? (family == .smollm3 ? 2_000_000 : 10000)
    }

    private func wrongType(_ key: String, _ expected: String) -> LanguageModelError {
        .malformedFile(path: path, reason: "\(key) is not \(expected)")
    }

    private func string(_ key: String) throws -> String? {
        guard let value = config[key] else { return nil }
        guard let text = value.string else { throw wrongType(key, "a string") }
        return text
    }

    private func bool(_ key: String) throws -> Bool? {
        guard let value = config[key] else { return nil }
        guard let flag = value.bool else { throw wrongType(key, "a boolean") }
        return flag
    }

    private func integer(_ key: String) throws -> Int? {
        guard let value = config[key] else { return nil }
        guard let number = value.integer else { throw wrongType(key, "an integer") }
        return number
    }

    private func number(_ key: String, in object: JSONValue) throws -> Double? {
        guard let value = object[key] else { return nil }
        guard let number = value.number else { throw wrongType(key, "a number") }
        return number
    }

    private func required(_ key: String) throws -> Int {
        guard let value = try integer(key) else {
            throw LanguageModelError.malformedFile(path: path, reason: "\(key) is missing")
        }
        return value
    }
}
