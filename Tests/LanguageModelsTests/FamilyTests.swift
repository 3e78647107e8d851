import LanguageModels
import Testing

@Suite("Families of decoders")
struct FamilyTests {
    /// The tiny directory as another family: `change` names its tensors and configuration.
    private func load(_ family: String, _ change: (inout DirectoryBuilder) -> Void = { _ in }) throws -> LoadedModel {
        var builder = DirectoryBuilder()
        builder.config["model_type"] = "\"\(family)\""
        change(&builder)
        return try withTemporaryDirectory { directory in
            try builder.write(to: directory)
            return try ModelLoader.load(path: directory)
        }
    }

    private func reason(_ load: () throws -> Void) -> String {
        do {
            try load()
            return "accepted"
        } catch { return "\(error)" }
    }

    private func tensor(_ name: String, _ shape: [Int], from first: Int = 0) -> SafetensorsWriter.Tensor {
        .init(name: name, shape: shape, floats: (first..<first + shape.reduce(1, *)).map(Float.init))
    }

    private let headNorms = ["q_norm", "k_norm"].map { "model.layers.0.self_attn.\($0).weight" }

    /// Stacks query, key and value, and gate and up, as Phi 3 does.
    private func fuse(_ builder: inout DirectoryBuilder) {
        builder.tensors.removeAll { tensor in
            ["q_proj", "k_proj", "v_proj", "gate_proj", "up_proj"].contains { tensor.name.contains($0) }
        }
        builder.tensors += [
            tensor("model.layers.0.self_attn.qkv_proj.weight", [16, 4]),
            tensor("model.layers.0.mlp.gate_up_proj.weight", [12, 4]),
        ]
    }

    @Test("Qwen 3 has norms of heads and needs them; its heads have 128 dimensions unless the file says")
    func qwen3() throws {
        let model = try load("qwen3") { builder in
            builder.tensors += headNorms.map { tensor($0, [4]) }
        }
        #expect(model.checkpoint.configuration.headNorm == .rms)
        #expect(try model.checkpoint.floats(of: headNorms[1]) == [0, 1, 2, 3])
        #expect(reason { _ = try load("qwen3") }.contains("no tensor \(headNorms[0])"))
        #expect(
            reason {
                _ = try load("qwen3") { builder in
                    builder.tensors += headNorms.map { tensor($0, [4]) }
                    builder.config["head_dim"] = nil
                }
            }.contains("[256, 4]"))
    }

    @Test("SmolLM 3 leaves rope out in every fourth layer, or where the file says, and ties its embeddings")
    func smolLM3() throws {
        func configuration(_ change: (inout DirectoryBuilder) -> Void) throws -> ModelConfiguration {
            try load("smollm3") { builder in
                let block = builder.tensors.filter { $0.name.contains("layers.0") }
                for layer in 1..<5 {
                    builder.tensors += block.map {
                        var copy = $0
                        copy.name = $0.name.replacing("layers.0", with: "layers.\(layer)")
                        return copy
                    }
                }
                builder.config["num_hidden_layers"] = "5"
                builder.config["tie_word_embeddings"] = nil
                change(&builder)
            }.checkpoint.configuration
        }
        let usual = try configuration { $0.config["rope_theta"] = nil }
        #expect(usual.layersWithoutRope == [3] && usual.tiedEmbeddings && usual.ropeTheta == 2_000_000)
        #expect(try configuration { $0.config["no_rope_layer_interval"] = "2" }.layersWithoutRope == [1, 3])
        #expect(try configuration { $0.config["no_rope_layers"] = "[0,1,1,1,0]" }.layersWithoutRope == [0, 4])
        #expect(try configuration { $0.config["no_rope_layers"] = "[1,1,1,1,1]" }.layersWithoutRope == nil)
        for wrong in ["[1,1]", "[1,1,1,1,2]", "[1,1,1,1,true]", "7"] {
            #expect(
                reason { _ = try configuration { $0.config["no_rope_layers"] = wrong } }.contains("no_rope_layers"))
        }
        #expect(
            reason { _ = try configuration { $0.config["no_rope_layer_interval"] = "0" } }.contains("interval is 0"))
    }

    @Test("Of Phi 3's stacked products each site has its rows")
    func phi3() throws {
        let checkpoint = try load("phi3") { fuse(&$0) }.checkpoint
        func first(_ site: String) throws -> Float? {
            try checkpoint.floats(of: "model.layers.0.\(site).weight").first
        }
        #expect(try first("self_attn.q_proj") == 0)
        #expect(try first("self_attn.k_proj") == 32)
        #expect(try first("self_attn.v_proj") == 48)
        #expect(try first("mlp.gate_proj") == 0)
        #expect(try first("mlp.up_proj") == 24)
        #expect(checkpoint.shape(of: "model.layers.0.mlp.up_proj.weight") == [6, 4])
        #expect(
            [11, 13].allSatisfy { rows in
                reason {
                    _ = try load("phi3") { builder in
                        fuse(&builder)
                        builder.tensors[builder.tensors.count - 1] = tensor(
                            "model.layers.0.mlp.gate_up_proj.weight", [rows, 4])
                    }
                }.contains("is no stack of 12 rows")
            })
        #expect(reason { _ = try load("phi3") }.contains("no tensor model.layers.0.self_attn.q_proj.weight"))
    }

    @Test("Mistral's window is 4096 where the file has no word of it, and none where it says null")
    func mistral() throws {
        func context(_ window: String?) throws -> Int {
            try load("mistral") {
                $0.config["max_position_embeddings"] = "9000"
                $0.config["sliding_window"] = window
            }.checkpoint.configuration.context
        }
        #expect(try context(nil) == 4096)
        #expect(try context("null") == 9000)
        #expect(try context("100") == 100)
    }

    @Test("An output matrix of other values counts for more than embeddings that are said to be tied, with a warning")
    func untied() throws {
        let other = try load("llama") { $0.tensors.append(tensor("lm_head.weight", [8, 4], from: 1)) }
        #expect(!other.checkpoint.configuration.tiedEmbeddings)
        #expect(try other.checkpoint.floats(of: "lm_head.weight").first == 1)
        #expect(other.warnings.count == 1 && other.warnings[0].contains("tie_word_embeddings"))
        let (same, plain) = (
            try load("llama") { $0.tensors.append(tensor("lm_head.weight", [8, 4])) }, try load("llama")
        )
        #expect(same.checkpoint.configuration.tiedEmbeddings && same.warnings == [])
        #expect(same.checkpoint.digest == plain.checkpoint.digest)
    }

    @Test("A decoder inside a model of text and images, or saved without its head, is the same decoder")
    func inside() throws {
        let plain = try load("llama").checkpoint.digest
        for (prefix, start) in [
            ("language_model.", ""), ("model.language_model.", "model."), ("model.text_model.", "model."),
        ] {
            let inner = try load("llava") { builder in
                let text = builder.config.merging(["model_type": "\"llama\""]) { $1 }
                let members = text.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }
                builder.config = [
                    "model_type": "\"llava\"", "text_config": "{\(members.joined(separator: ", "))}",
                ]
                for index in builder.tensors.indices {
                    builder.tensors[index].name = prefix + builder.tensors[index].name.dropFirst(start.count)
                }
            }
            #expect(inner.checkpoint.digest == plain, "\(prefix)")
        }
        let bare = try load("llama") { builder in
            for index in builder.tensors.indices {
                builder.tensors[index].name = String(builder.tensors[index].name.dropFirst("model.".count))
            }
        }
        #expect(bare.checkpoint.digest == plain)
        #expect(
            reason { _ = try load("llava") { $0.config["text_config"] = #"{"model_type":"mllama"}"# } }.contains(
                "mllama"))
        #expect(reason { _ = try load("llava") }.contains("llava"))
    }

    @Test("GGUF files of the same families hold the same decoders")
    func gguf() throws {
        func load(_ architecture: String, _ change: (inout GGUFBuilder) -> Void = { _ in }) throws -> any Checkpoint {
            var builder = GGUFBuilder.tiny(architecture: architecture)
            change(&builder)
            return try withTemporaryDirectory { directory in
                try write(builder.bytes(), to: "\(directory)/model.gguf")
                return try ModelLoader.load(path: directory).checkpoint
            }
        }
        func stored(_ name: String, _ dimensions: [UInt64]) -> GGUFBuilder.Tensor {
            let count = Int(dimensions.reduce(1, *))
            return .init(
                name: name, dimensions: dimensions, type: 0, data: littleEndian((0..<count).map(Float.init)))
        }
        let norms = ["q", "k"].map { stored("blk.0.attn_\($0)_norm.weight", [4]) }
        let qwen = try load("qwen3") { $0.tensors += norms }
        #expect(qwen.configuration.headNorm == .rms)
        #expect(try qwen.floats(of: headNorms[0]) == [0, 1, 2, 3])
        #expect(try qwen.floats(of: "model.layers.0.self_attn.q_proj.weight") == (0..<32).map(Float.init))
        #expect(reason { _ = try load("llama") { $0.tensors += norms } }.contains("blk.0.attn_k_norm.weight"))
        let phi = try load("phi3") { builder in
            builder.tensors.removeAll { tensor in
                ["attn_q.", "attn_k.", "attn_v.", "ffn_gate.", "ffn_up."].contains { tensor.name.contains($0) }
            }
            builder.tensors += [stored("blk.0.attn_qkv.weight", [4, 16]), stored("blk.0.ffn_up.weight", [4, 12])]
        }
        #expect(try phi.floats(of: "model.layers.0.self_attn.v_proj.weight") == (48..<64).map(Float.init))
        #expect(try phi.floats(of: "model.layers.0.mlp.up_proj.weight") == (24..<48).map(Float.init))
        let smol = try load("smollm3")
        #expect(smol.configuration.family == .smollm3 && smol.configuration.layersWithoutRope == nil)
        #expect(
            try smol.floats(of: "model.layers.0.self_attn.q_proj.weight")
                == load("llama").floats(of: "model.layers.0.self_attn.q_proj.weight"))
        #expect(
            reason { _ = try load("phi3") { $0.set("phi3.rope.scaling.attn_factor", .float(1.2)) } }
                .contains("attn_factor"))
    }
}
