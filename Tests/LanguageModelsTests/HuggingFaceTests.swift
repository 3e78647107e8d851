import Foundation
import LanguageModels
import Testing

/// A directory in Hugging Face's layout, right or wrong on purpose.
struct DirectoryBuilder {
    var config: [String: String] = [
        "model_type": "\"llama\"", "hidden_size": "4", "num_attention_heads": "2", "num_key_value_heads": "1",
        "head_dim": "4", "num_hidden_layers": "1", "intermediate_size": "6", "vocab_size": "8",
        "max_position_embeddings": "16", "rms_norm_eps": "1e-5", "rope_theta": "100.0",
        "tie_word_embeddings": "true",
    ]
    var tokenizer: String? = """
        {"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":false},
         "model":{"type":"BPE","vocab":{"s":0,"o":1,"Y":2,"N":3,"e":4,"Ye":5,"Yes":6,"No":7},
                  "merges":["Y e","Ye s","N o"]}}
        """
    var tensors: [SafetensorsWriter.Tensor]
    /// The file as it stands; nil for what the tensors give.
    var weights: [UInt8]?

    init(bias: Bool = false) {
        let shapes: [(String, [Int])] = [
            ("model.embed_tokens.weight", [8, 4]), ("model.norm.weight", [4]),
            ("model.layers.0.input_layernorm.weight", [4]), ("model.layers.0.post_attention_layernorm.weight", [4]),
            ("model.layers.0.self_attn.q_proj.weight", [8, 4]), ("model.layers.0.self_attn.k_proj.weight", [4, 4]),
            ("model.layers.0.self_attn.v_proj.weight", [4, 4]), ("model.layers.0.self_attn.o_proj.weight", [4, 8]),
            ("model.layers.0.mlp.gate_proj.weight", [6, 4]), ("model.layers.0.mlp.up_proj.weight", [6, 4]),
            ("model.layers.0.mlp.down_proj.weight", [4, 6]),
        ]
        let biases: [(String, [Int])] = [
            ("model.layers.0.self_attn.q_proj.bias", [8]), ("model.layers.0.self_attn.k_proj.bias", [4]),
            ("model.layers.0.self_attn.v_proj.bias", [4]),
        ]
        tensors = (shapes + (bias ? biases : [])).map { name, shape in
            .init(name: name, shape: shape, floats: (0..<shape.reduce(1, *)).map(Float.init))
        }
    }

    func write(to directory: String) throws {
        let members = config.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }
        try LanguageModelsTests.write("{\(members.joined(separator: ", "))}", to: "\(directory)/config.json")
        if let tokenizer { try LanguageModelsTests.write(tokenizer, to: "\(directory)/tokenizer.json") }
        try LanguageModelsTests.write(
            weights ?? SafetensorsWriter.bytes(of: tensors), to: "\(directory)/model.safetensors")
    }

    func load() throws -> any Checkpoint {
        try withTemporaryDirectory { directory in
            try write(to: directory)
            return try ModelLoader.load(path: directory).checkpoint
        }
    }
}

@Suite("Hugging Face directories")
struct HuggingFaceTests {
    private func reason(_ change: (inout DirectoryBuilder) -> Void) throws -> String {
        var builder = DirectoryBuilder()
        change(&builder)
        do {
            _ = try builder.load()
            return "accepted"
        } catch let error as LanguageModelError {
            switch error {
            case .unsupportedCheckpoint(_, let reason): return "unsupported: \(reason)"
            case .malformedFile(_, let reason): return "malformed: \(reason)"
            default: return "\(error)"
            }
        }
    }

    private func configuration(_ change: (inout DirectoryBuilder) -> Void) throws -> ModelConfiguration {
        var builder = DirectoryBuilder()
        change(&builder)
        return try builder.load().configuration
    }

    @Test("The rope base is found in the older and in the newer layout, and has a default")
    func ropeLayouts() throws {
        #expect(try configuration { _ in }.ropeTheta == 100)
        let newer = try configuration {
            $0.config["rope_theta"] = nil
            $0.config["rope_parameters"] = #"{"rope_theta": 500000.0, "rope_type": "default"}"#
        }
        #expect(newer.ropeTheta == 500_000)
        #expect(try configuration { $0.config["rope_theta"] = nil }.ropeTheta == 10000)
        #expect(try configuration { $0.config["rope_scaling"] = "null" }.ropeTheta == 100)
    }

    @Test("Rope scaling is read from either layout")
    func ropeScaling() throws {
        let llama = """
            "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
            """
        for key in ["rope_scaling", "rope_parameters"] {
            for type in ["rope_type", "type"] {
                #expect(
                    try configuration { $0.config[key] = #"{"\#(type)": "llama3", "# + llama }.ropeScaling
                        == .llama3(
                            factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalContext: 8192))
                #expect(
                    try configuration { $0.config[key] = #"{"\#(type)": "linear", "factor": 2}"# }.ropeScaling
                        == .linear(factor: 2))
                #expect(try configuration { $0.config[key] = #"{"\#(type)": "default"}"# }.ropeScaling == nil)
            }
        }
        #expect(try configuration { _ in }.ropeScaling == nil)
    }

    @Test("Rope scaling that the decoder lacks, or that contradicts itself, is refused in either layout")
    func wrongRopeScaling() throws {
        for key in ["rope_scaling", "rope_parameters"] {
            for type in ["rope_type", "type"] {
                for unknown in ["yarn", "dynamic", "longrope"] {
                    #expect(
                        try reason { $0.config[key] = #"{"\#(type)": "\#(unknown)", "factor": 8.0}"# }.contains(unknown)
                    )
                }
                #expect(
                    try reason { $0.config[key] = #"{"\#(type)": "llama3", "factor": 8.0}"# }.contains(
                        "original_max_position_embeddings"))
                #expect(try reason { $0.config[key] = #"{"\#(type)": "linear"}"# }.contains("factor"))
                #expect(
                    try reason { $0.config[key] = #"{"\#(type)": "linear", "factor": -1}"# }.contains("impossible"))
            }
            #expect(try reason { $0.config[key] = #"{"factor": 8.0}"# }.contains("scaling by 8"))
            #expect(
                try reason { $0.config[key] = #"{"full_attention": {"rope_theta": 1}}"# }.contains("between layers"))
        }
        #expect(
            try reason {
                $0.config["rope_scaling"] = #"{"type": "linear", "factor": 2}"#
                $0.config["rope_parameters"] = #"{"rope_type": "linear", "factor": 4}"#
            }.contains("contradict"))
    }

    @Test("What the decoder would compute wrongly is refused by name")
    func unsupported() throws {
        #expect(try reason { $0.config["model_type"] = "\"gemma\"" }.contains("gemma"))
        #expect(try reason { $0.config["hidden_act"] = "\"gelu\"" }.contains("gelu"))
        #expect(try reason { $0.config["attention_bias"] = "true" }.contains("attention_bias"))
        #expect(try reason { $0.config["mlp_bias"] = "true" }.contains("mlp_bias"))
        #expect(try reason { $0.config["quantization_config"] = "{\"bits\": 4}" }.contains("quantization_config"))
        #expect(try reason { $0.config["partial_rotary_factor"] = "0.5" }.contains("partial_rotary_factor"))
        #expect(try reason { $0.config["num_key_value_heads"] = "3" }.contains("evenly"))
        #expect(try reason { $0.config["head_dim"] = "3" }.contains("odd"))
        #expect(try reason { $0.config["hidden_size"] = "-4" }.contains("hidden size"))
        #expect(try reason { $0.config["hidden_size"] = "1e30" }.contains("not an integer"))
        #expect(try reason { $0.config["hidden_size"] = nil }.contains("hidden_size is missing"))
        #expect(try reason { $0.config["rms_norm_eps"] = "\"small\"" }.contains("rms_norm_eps"))
    }

    @Test("Within a sliding window attention is the same, so a shorter one caps the context")
    func slidingWindows() throws {
        let mistral = try configuration {
            $0.config["model_type"] = "\"mistral\""
            $0.config["sliding_window"] = "9"
        }
        #expect(mistral.context == 9 && mistral.family == .mistral)
        #expect(try configuration { $0.config["sliding_window"] = "9999" }.context == 16)
        var qwen = DirectoryBuilder(bias: true)
        qwen.config["model_type"] = "\"qwen2\""
        qwen.config["sliding_window"] = "9"
        qwen.config["use_sliding_window"] = "false"
        #expect(try qwen.load().configuration.context == 16)
        qwen.config["use_sliding_window"] = "true"
        #expect(try qwen.load().configuration.context == 9)
    }

    @Test("Qwen2 has biases on q, k and v, and needs them")
    func qwen2() throws {
        var builder = DirectoryBuilder(bias: true)
        builder.config["model_type"] = "\"qwen2\""
        #expect(try builder.load().floats(of: "model.layers.0.self_attn.k_proj.bias") == [0, 1, 2, 3])
        #expect(
            try reason { $0.config["model_type"] = "\"qwen2\"" }
                .contains("no tensor model.layers.0.self_attn.q_proj.bias"))
    }

    @Test("Without tied embeddings the output matrix must be there")
    func untied() throws {
        var builder = DirectoryBuilder()
        builder.config["tie_word_embeddings"] = "false"
        #expect(throws: LanguageModelError.missingTensor(name: "lm_head.weight")) { try builder.load() }
        builder.tensors.append(.init(name: "lm_head.weight", shape: [8, 4], floats: [Float](repeating: 2, count: 32)))
        #expect(try builder.load().floats(of: "lm_head.weight") == [Float](repeating: 2, count: 32))
        builder.config["tie_word_embeddings"] = nil
        #expect(try !builder.load().configuration.tiedEmbeddings, "tied is not the default of these families")
    }

    @Test("16-bit floats are widened exactly, NaN, infinities and subnormal numbers included")
    func halves() throws {
        let values: [(half: UInt16, value: Float)] = [
            (0x0000, 0), (0x3c00, 1), (0xc500, -5), (0x7bff, 65504), (0x0001, 0x1p-24), (0x83ff, -0x1.ff8p-15),
            (0x0400, 0x1p-14), (0x7c00, .infinity), (0xfc00, -.infinity), (0x3555, 0x1.554p-2),
        ]
        var halves = values.map(\.half) + [0x7e00]
        while halves.count < 32 { halves.append(0x8000) }
        var builder = DirectoryBuilder()
        builder.tensors[0] = .init(
            name: "model.embed_tokens.weight", encoding: .f16, shape: [8, 4],
            bytes: halves.flatMap { [UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)] })
        let floats = try builder.load().floats(of: "model.embed_tokens.weight")
        #expect(Array(floats[..<values.count]) == values.map(\.value))
        #expect(floats[values.count].isNaN && floats[15].bitPattern == 0x8000_0000)
    }

    @Test("A directory without model, tokenizer, weights or with two models is refused")
    func incompleteDirectories() throws {
        try withTemporaryDirectory { directory in
            #expect(throws: LanguageModelError.self) { try ModelLoader.load(path: directory) }
            #expect(throws: LanguageModelError.missingFile(path: "\(directory)/nothing")) {
                try ModelLoader.load(path: "\(directory)/nothing")
            }
            try write("x", to: "\(directory)/a.gguf")
            try write("x", to: "\(directory)/b.gguf")
            #expect {
                try ModelLoader.load(path: directory)
            } throws: {
                "\($0)".contains("2 .gguf files")
            }
        }
        #expect(try reason { $0.tokenizer = nil }.contains("holds no tokenizer"))
        #expect(try reason { $0.tokenizer = "" }.contains("empty"))
        #expect(try reason { $0.weights = [] }.contains("empty"))
        try withTemporaryDirectory { directory in
            try DirectoryBuilder().write(to: directory)
            try FileManager.default.removeItem(atPath: "\(directory)/model.safetensors")
            #expect(throws: LanguageModelError.missingFile(path: "\(directory)/model.safetensors")) {
                try ModelLoader.load(path: directory)
            }
        }
    }

    @Test("An index may not lead out of its directory")
    func escapingIndex() throws {
        try withTemporaryDirectory { directory in
            try DirectoryBuilder().write(to: directory)
            try FileManager.default.removeItem(atPath: "\(directory)/model.safetensors")
            try write(
                #"{"weight_map": {"model.norm.weight": "../secret"}}"#,
                to: "\(directory)/model.safetensors.index.json")
            #expect {
                try ModelLoader.load(path: directory)
            } throws: {
                "\($0)".contains("not a file of this directory")
            }
        }
    }

    @Test("Headers that lie are refused")
    func lyingHeaders() throws {
        func file(_ header: String, data: Int = 0, length: UInt64? = nil) -> [UInt8] {
            let length = length ?? UInt64(header.utf8.count)
            return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + Array(header.utf8)
                + [UInt8](repeating: 0, count: data)
        }
        func entry(_ shape: String, _ offsets: String, _ type: String = "F32") -> String {
            #"{"x":{"dtype":"\#(type)","shape":\#(shape),"data_offsets":\#(offsets)}}"#
        }
        let lies: [([UInt8], String)] = [
            (file("{}", length: .max), "absurdly"), (file("{}", length: 99), "ends inside"),
            (file("{}", length: 200_000_000), "claims"), (file("[]"), "not a JSON object"),
            (file(entry("[2]", "[0,8]")), "beyond the end"), (file(entry("[2]", "[0,8]"), data: 9), "follow"),
            (file(entry("[2]", "[1,9]"), data: 9), "gap"), (file(entry("[2]", "[8,0]"), data: 8), "beyond"),
            (file(entry("[3]", "[0,8]"), data: 8), "fill"), (file(entry("[-2]", "[0,8]"), data: 8), "impossible"),
            (file(entry("[4611686018427387904,4]", "[0,8]"), data: 8), "impossible"),
            (file(entry("[2]", "[0]"), data: 8), "lacks"), (file(entry("[0.5]", "[0,8]"), data: 8), "impossible"),
            (file(String(repeating: "[", count: 5000)), "nested"),
            (file(#"{"x":{"dtype":"F32"}}"#), "lacks"),
        ]
        for (bytes, expected) in lies {
            #expect(try reason { $0.weights = bytes }.contains(expected), "\(expected)")
        }
        #expect(
            try reason { $0.tensors[0] = .init(name: $0.tensors[0].name, encoding: .q8Block, shape: [], bytes: []) }
                .hasPrefix("malformed"))
    }

    @Test("Files cut off anywhere are refused", arguments: ["config.json", "tokenizer.json", "model.safetensors"])
    func truncated(name: String) throws {
        try withTemporaryDirectory { directory in
            try DirectoryBuilder().write(to: directory)
            let path = "\(directory)/\(name)"
            let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
            for length in 0..<whole.count {
                try write(Array(whole[..<length]), to: path)
                #expect(throws: LanguageModelError.self, "\(length)") { try ModelLoader.load(path: directory) }
            }
            try write(whole, to: path)
            #expect(try ModelLoader.load(path: directory).answerTokens == (6, 7))
        }
    }

    @Test(
        "Damaged bytes lead to an error or to a model, never to a crash",
        arguments: ["config.json", "tokenizer.json", "model.safetensors"])
    func damaged(name: String) throws {
        var generator = SeededGenerator(state: 2)
        var refused = 0
        try withTemporaryDirectory { directory in
            try DirectoryBuilder().write(to: directory)
            let path = "\(directory)/\(name)"
            let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
            // Of the weights, damage the header.
            let reach = min(whole.count, 1200)
            for _ in 0..<600 {
                var bytes = whole
                for _ in 0..<Int.random(in: 1...3, using: &generator) {
                    bytes[Int.random(in: 0..<reach, using: &generator)] = .random(in: 0...255, using: &generator)
                }
                try write(bytes, to: path)
                do {
                    let model = try ModelLoader.load(path: directory)
                    _ = model.tokenizer.encode("Yes or no")
                    for (name, shape) in model.checkpoint.configuration.expectedTensors {
                        #expect(try model.checkpoint.floats(of: name).count == shape.reduce(1, *))
                    }
                } catch is LanguageModelError {
                    refused += 1
                }
            }
        }
        #expect(refused > 100)
    }
}
