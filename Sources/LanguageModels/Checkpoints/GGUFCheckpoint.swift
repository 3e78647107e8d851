import Crypto

/// Translates a GGUF file of llama.cpp into Hugging Face's names and layouts.
struct GGUFCheckpoint {
    let parts: GGUFParts
    var gguf: GGUFFile { parts.first }

    init(path: String) throws {
        parts = try GGUFParts(path: path)
    }

    private var path: String { gguf.file.path }

    private func unsupported(_ reason: String) -> LanguageModelError {
        .unsupportedCheckpoint(path: path, reason: reason)
    }

    /// - Throws: `.unsupportedCheckpoint` when the file describes a decoder that this package would compute wrongly.
    func configuration() throws -> ModelConfiguration {
        guard let architecture = try gguf.string("general.architecture") else {
            throw LanguageModelError.malformedFile(path: path, reason: "general.architecture is missing")
        }
        let families: [String: ModelConfiguration.Family] = [
            "llama": .llama, "qwen2": .qwen2, "qwen3": .qwen3, "smollm3": .smollm3, "phi3": .phi3,
        ]
        guard let family = families[architecture] else {
            throw unsupported("the architecture \(architecture); llama, qwen2, qwen3, smollm3 and phi3 are supported")
        }
        func required(_ key: String) throws -> Int {
            guard let value = try gguf.integer("\(architecture).\(key)") else {
                throw LanguageModelError.malformedFile(path: path, reason: "\(architecture).\(key) is missing")
            }
            return value
        }
        let hidden = try required("embedding_length")
        let heads = try required("attention.head_count")
        guard heads > 0 else { throw unsupported("the number of heads is \(heads)") }
        let headDimension = try gguf.integer("\(architecture).attention.key_length") ?? hidden / heads
        guard let epsilon = try gguf.float("\(architecture).attention.layer_norm_rms_epsilon") else {
            throw LanguageModelError.malformedFile(
                path: path, reason: "\(architecture).attention.layer_norm_rms_epsilon is missing")
        }
        try refuseWhatTheDecoderLacks(architecture, headDimension: headDimension)
        guard let embedding = parts.shape(of: "token_embd.weight"), embedding.count == 2 else {
            throw LanguageModelError.missingTensor(name: "token_embd.weight")
        }
        let context = try required("context_length")
        let window = try gguf.integer("\(architecture).attention.sliding_window") ?? 0
        let configuration = ModelConfiguration(
            family: family, vocabulary: embedding[0], hidden: hidden, layers: try required("block_count"),
            heads: heads,
            keyValueHeads: try gguf.integer("\(architecture).attention.head_count_kv") ?? heads,
            headDimension: headDimension, intermediate: try required("feed_forward_length"),
            // Within the window, attention with and without one are the same.
            context: window > 0 ? min(context, window) : context,
            ropeTheta: try gguf.float("\(architecture).rope.freq_base") ?? 10000, rmsNormEpsilon: epsilon,
            tiedEmbeddings: parts.shape(of: "output.weight") == nil, attentionBias: family == .qwen2,
            ropeScaling: try ropeScaling(architecture), headNorm: family == .qwen3 ? .rms : nil,
            layersWithoutRope: family == .smollm3 ? Self.layersWithoutRope(try required("block_count")) : nil)
        try configuration.validate(path: path)
        try refuseUnusedTensors(configuration)
        return configuration
    }

    /// llama.cpp's files of SmolLM 3 do not say which: every fourth.
    private static func layersWithoutRope(_ layers: Int) -> [Int]? {
        guard (4...4096).contains(layers) else { return nil }
        return Array(stride(from: 3, to: layers, by: 4))
    }

    /// A tensor of a block that this decoder does not use makes it another decoder.
    private func refuseUnusedTensors(_ configuration: ModelConfiguration) throws {
        let used = Set(configuration.expectedTensors.compactMap { Self.source(of: $0.name, configuration)?.name })
        if let name = parts.names.first(where: { $0.hasPrefix("blk.") && !used.contains($0) }) {
            throw unsupported("the tensor \(name), which a \(configuration.family.rawValue) decoder does not have")
        }
    }

    private func refuseWhatTheDecoderLacks(_ architecture: String, headDimension: Int) throws {
        if let rotated = try gguf.integer("\(architecture).rope.dimension_count"), rotated != headDimension {
            throw unsupported("only \(rotated) of \(headDimension) dimensions of a head are rotated")
        }
        if let width = try gguf.integer("\(architecture).attention.value_length"), width != headDimension {
            throw unsupported("keys have \(headDimension) dimensions and values \(width)")
        }
        if let experts = try gguf.integer("\(architecture).expert_count"), experts > 0 {
            throw unsupported("a mixture of \(experts) experts")
        }
        if let factor = try gguf.float("\(architecture).rope.scaling.attn_factor"), factor != 1 {
            throw unsupported("attention scaled by \(factor) (rope.scaling.attn_factor)")
        }
        for name in parts.names {
            if name.hasPrefix("rope_freqs") || name.hasPrefix("rope_factors"), name != "rope_freqs.weight" {
                throw unsupported("scaled rope frequencies (the tensor \(name))")
            }
            let parts = name.split(separator: ".")
            guard parts.last == "bias" else { continue }
            let known = ["attn_q", "attn_k", "attn_v"].contains(String(parts.dropLast().last ?? ""))
            guard architecture == "qwen2", known else { throw unsupported("the bias \(name)") }
        }
    }

    private func ropeScaling(_ architecture: String) throws -> RopeScaling? {
        // As in llama.cpp: without a type a factor is linear, and 0 stands for none.
        let type = try gguf.string("\(architecture).rope.scaling.type") ?? "linear"
        guard ["none", "linear"].contains(type) else { throw unsupported("rope scaling \(type)") }
        let factor =
            try gguf.float("\(architecture).rope.scaling.factor") ?? gguf.float("\(architecture).rope.scale_linear")
            ?? 0
        let linear = type == "linear" && factor != 0 && factor != 1
        guard let stored = try parts.stored("rope_freqs.weight") else { return linear ? .linear(factor: factor) : nil }
        guard !linear else { throw unsupported("rope scaling by \(factor) together with the tensor rope_freqs.weight") }
        guard stored.encoding == .f32, stored.shape.count == 1 else {
            throw unsupported("the tensor rope_freqs.weight is no vector of F32")
        }
        guard stored.shape[0] <= 1 << 16 else { throw unsupported("the tensor rope_freqs.weight is too long") }
        return .divisors(stored.floats())
    }

    /// The tensors of `configuration` under their Hugging Face names.
    func tensors(_ configuration: ModelConfiguration) throws -> [String: StoredTensor] {
        var translated: [String: StoredTensor] = [:]
        for (name, _) in configuration.expectedTensors {
            guard let source = Self.source(of: name, configuration), var stored = try parts.stored(source.name) else {
                throw LanguageModelError.missingTensor(name: name)
            }
            if let rows = source.rows {
                guard let part = stored.part(rows) else {
                    throw LanguageModelError.malformedFile(
                        path: path,
                        reason: "the tensor \(source.name) of shape \(stored.shape) is no stack of \(rows.total) rows")
                }
                stored = part
            }
            if [.llama, .smollm3].contains(configuration.family) {
                if name.hasSuffix("q_proj.weight") { stored.interleavedHeads = configuration.heads }
                if name.hasSuffix("k_proj.weight") { stored.interleavedHeads = configuration.keyValueHeads }
            }
            translated[name] = stored
        }
        // By file, in their order.
        let files = Set(translated.values.map(\.file.path))
        for file in files.sorted() {
            try refuseOverlaps(
                translated.filter { $0.value.file.path == file }.map { ($0.key, $0.value.range) }, path: file)
        }
        return translated
    }

    /// Digest of everything in the file that defines its tokenizer.
    func tokenizerDigest() -> SHA256Digest {
        var hash = SHA256()
        let keys = ["model", "pre", "tokens", "token_type", "merges", "add_space_prefix", "scores", "unknown_token_id"]
        for key in keys.map({ "tokenizer.ggml.\($0)" }) {
            guard let range = gguf.metadataRanges[key] else { continue }
            hash.update(data: Array("\n\(key) \(range.count)\n".utf8))
            gguf.file.withBytes { hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[range])) }
        }
        return hash.finalize()
    }

    /// The file's tensor for one of the decoder, and its rows where the file stacks several.
    private static func source(
        of name: String, _ configuration: ModelConfiguration
    ) -> (name: String, rows: StackedRows?)? {
        if configuration.family == .phi3, let (fused, rows) = configuration.fusedSource(of: name) {
            return ggufName(fused).map { ($0, rows) }
        }
        return ggufName(name).map { ($0, nil) }
    }

    private static let modules: [String: String] = [
        "input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output",
        "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm", "self_attn.qkv_proj": "attn_qkv",
        "mlp.gate_up_proj": "ffn_up", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    ]

    /// "model.layers.3.self_attn.q_proj.weight" → "blk.3.attn_q.weight".
    private static func ggufName(_ name: String) -> String? {
        switch name {
        case "model.embed_tokens.weight": return "token_embd.weight"
        case "model.norm.weight": return "output_norm.weight"
        case "lm_head.weight": return "output.weight"
        default: break
        }
        let parts = name.split(separator: ".")
        guard parts.count >= 5, parts[0] == "model", parts[1] == "layers", let kind = parts.last,
            let module = modules[parts[3..<parts.count - 1].joined(separator: ".")]
        else { return nil }
        return "blk.\(parts[2]).\(module).\(kind)"
    }
}

/// - Throws: `.malformedFile` naming two tensors that share bytes.
func refuseOverlaps(_ ranges: [(name: String, range: Range<Int>)], path: String) throws {
    let ordered = ranges.filter { !$0.range.isEmpty }.sorted {
        ($0.range.lowerBound, $0.name) < ($1.range.lowerBound, $1.name)
    }
    for (first, second) in zip(ordered, ordered.dropFirst()) where second.range.lowerBound < first.range.upperBound {
        throw LanguageModelError.malformedFile(
            path: path, reason: "the tensors \(first.name) and \(second.name) overlap")
    }
}
