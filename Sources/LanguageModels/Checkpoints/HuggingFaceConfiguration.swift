/// Reads the `config.json` of a Hugging Face checkpoint, in the layout of Transformers 4 (`rope_theta`, `rope_scaling`)
/// and of Transformers 5 (`rope_parameters`).
struct HuggingFaceConfiguration {
    let config: JSONValue
    let path: String

    private func unsupported(_ reason: String) -> LanguageModelError {
        .unsupportedCheckpoint(path: path, reason: reason)
    }

    /// - Throws: `.unsupportedCheckpoint` when the file describes a decoder that this package would compute wrongly.
    func configuration() throws -> ModelConfiguration {
        let type = try string("model_type")
        guard let type, let family = ModelConfiguration.Family(rawValue: type) else {
            throw unsupported("the model type \(type ?? "(none)"); llama, mistral and qwen2 are supported")
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
            keyValueHeads: try integer("num_key_value_heads") ?? heads,
            headDimension: try integer("head_dim") ?? hidden / heads, intermediate: try required("intermediate_size"),
            context: context, ropeTheta: try ropeTheta(),
            rmsNormEpsilon: try number("rms_norm_eps", in: config) ?? 1e-6,
            tiedEmbeddings: try bool("tie_word_embeddings") ?? false, attentionBias: family == .qwen2,
            ropeScaling: try ropeScaling())
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
        if family == .qwen2, !(try bool("use_sliding_window") ?? false) { return nil }
        guard let window = try integer("sliding_window") else { return nil }
        guard window > 0 else { throw unsupported("sliding_window is \(window)") }
        return window
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

    private func ropeTheta() throws -> Double {
        let nested = try config["rope_parameters"].flatMap { try number("rope_theta", in: $0) }
        return try nested ?? number("rope_theta", in: config) ?? 10000
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
