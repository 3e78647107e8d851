import Foundation

/// Writes a Hugging Face checkpoint of a tiny random Llama: quick, and real in every other way. Its tokens are bytes and the
/// words that every prompt has, without which prompts would be five times as long.
enum TinyModelDirectory {
    static func write(to directory: URL, seed: UInt64 = 1) throws {
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        try JSONSerialization.data(withJSONObject: configuration, options: [.sortedKeys])
            .write(to: directory.appendingPathComponent("config.json"))
        try JSONSerialization.data(withJSONObject: tokenizer, options: [.sortedKeys])
            .write(to: directory.appendingPathComponent("tokenizer.json"))
        try safetensors(seed: seed).write(to: directory.appendingPathComponent("model.safetensors"))
    }

    private static let (hidden, layers, heads, keyValueHeads, dimension, intermediate) = (64, 2, 2, 1, 32, 128)
    private static var vocabulary: Int { 256 + words.count }

    /// As byte-level tokens: Ġ is a blank.
    private static let words: [String] = {
        let frame =
            "Below is an instruction that describes a task paired with input provides further context Write response "
            + "appropriately completes the request Instruction Input Response Given user preference and unpreference "
            + "identify whether will like target movie by answering User Preference Unpreference Whether Film"
        let marks = ["\",", "Ġ\"", ".\"", "\"?", "###", "'s"]
        return frame.split(separator: " ").flatMap { [String($0), "Ġ" + $0] }.filter { $0.count > 1 } + marks
    }()

    private static var configuration: [String: Any] {
        [
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "vocab_size": vocabulary,
            "hidden_size": hidden, "num_hidden_layers": layers, "num_attention_heads": heads,
            "num_key_value_heads": keyValueHeads, "head_dim": dimension, "intermediate_size": intermediate,
            "max_position_embeddings": 4096, "rope_theta": 10000.0, "rms_norm_eps": 1e-5, "hidden_act": "silu",
            "tie_word_embeddings": true, "attention_bias": false,
        ]
    }

    /// Byte-level BPE without a single merge, so that a word is a token or its bytes are; the answers are tokens in the places
    /// of two bytes that no text has.
    private static var tokenizer: [String: Any] {
        var symbols: [String: Int] = [:]
        var next: UInt32 = 256
        for byte in 0..<UInt32(256) {
            let isPrintable = (33...126).contains(byte) || (161...172).contains(byte) || (174...255).contains(byte)
            let scalar = Unicode.Scalar(isPrintable ? byte : next) ?? " "
            if !isPrintable { next += 1 }
            let answer = [0xf5: "Yes", 0xf6: "No"][byte]
            symbols[answer ?? String(Character(scalar))] = Int(byte)
        }
        for (index, word) in words.enumerated() { symbols[word] = 256 + index }
        let level: [String: Any] = [
            "type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true,
        ]
        return [
            "version": "1.0", "added_tokens": [Any](), "normalizer": NSNull(), "pre_tokenizer": level,
            "post_processor": NSNull(), "decoder": level,
            "model": [
                "type": "BPE", "vocab": symbols, "merges": [Any](), "fuse_unk": false, "byte_fallback": false,
                "ignore_merges": true,
            ] as [String: Any],
        ]
    }

    private static func safetensors(seed: UInt64) throws -> Data {
        var shapes: [(String, [Int])] = [
            ("model.embed_tokens.weight", [vocabulary, hidden]), ("model.norm.weight", [hidden]),
        ]
        for layer in 0..<layers {
            let prefix = "model.layers.\(layer)."
            shapes += [
                ("input_layernorm.weight", [hidden]), ("post_attention_layernorm.weight", [hidden]),
                ("self_attn.q_proj.weight", [heads * dimension, hidden]),
                ("self_attn.k_proj.weight", [keyValueHeads * dimension, hidden]),
                ("self_attn.v_proj.weight", [keyValueHeads * dimension, hidden]),
                ("self_attn.o_proj.weight", [hidden, heads * dimension]),
                ("mlp.gate_proj.weight", [intermediate, hidden]), ("mlp.up_proj.weight", [intermediate, hidden]),
                ("mlp.down_proj.weight", [hidden, intermediate]),
            ].map { (prefix + $0.0, $0.1) }
        }
        var header: [String: Any] = [:]
        var content = Data()
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        for (name, shape) in shapes {
            let count = shape.reduce(1, *)
            let start = content.count
            for _ in 0..<count {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let uniform = Float(state >> 40) / Float(1 << 24) * 2 - 1
                let value = shape.count == 1 ? 1 + 0.1 * uniform : 0.2 * uniform
                withUnsafeBytes(of: value.bitPattern.littleEndian) { content.append(contentsOf: $0) }
            }
            header[name] = ["dtype": "F32", "shape": shape, "data_offsets": [start, content.count]] as [String: Any]
        }
        let text = try JSONSerialization.data(withJSONObject: header, options: [.sortedKeys])
        var file = Data()
        withUnsafeBytes(of: UInt64(text.count).littleEndian) { file.append(contentsOf: $0) }
        return file + text + content
    }
}
