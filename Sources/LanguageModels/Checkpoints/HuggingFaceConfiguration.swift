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
            tiedEmbeddings: try bool("tie_word_embeddings") ?? false, attentionBias: family == .qwen2)
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

    private func ropeTheta() throws -> Double {
        // Keys of both layouts may stand side by side; every one must be one that the decoder honours.
        for key in ["rope_scaling", "rope_parameters"] {
            guard let rope = config[key] else { continue }
            let type = rope["rope_type"]?.string ?? rope["type"]?.string ?? "default"
            guard type == "default" else { throw unsupported("rope scaling of the type \(type)") }
            if let factor = try number("factor", in: rope), factor != 1 {
                throw unsupported("rope scaling by \(factor)")
            }
            if let fraction = try number("partial_rotary_factor", in: rope), fraction != 1 {
                throw unsupported("only a part of each head is rotated")
            }
            if rope.members?.contains(where: { if case .object = $0.value { true } else { false } }) == true {
                throw unsupported("\(key) differs between layers")
            }
        }
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
