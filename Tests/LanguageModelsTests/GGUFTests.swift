import LanguageModels
import Testing

@Suite("GGUF files")
struct GGUFTests {
    private func load(_ bytes: [UInt8]) throws -> LoadedModel {
        try withTemporaryDirectory { directory in
            try write(bytes, to: "\(directory)/model.gguf")
            return try ModelLoader.load(path: directory)
        }
    }

    /// Why a file is refused.
    private func reason(_ change: (inout GGUFBuilder) -> Void) throws -> String {
        var builder = GGUFBuilder.tiny()
        change(&builder)
        do {
            _ = try load(builder.bytes())
            return "accepted"
        } catch let error as LanguageModelError {
            switch error {
            case .unsupportedCheckpoint(_, let reason): return "unsupported: \(reason)"
            case .malformedFile(_, let reason): return "malformed: \(reason)"
            default: return "\(error)"
            }
        }
    }

    @Test("Rows of q and k are put into Hugging Face's order for llama, and left alone for qwen2")
    func permutation() throws {
        let llama = try load(GGUFBuilder.tiny().bytes()).checkpoint
        let query = try llama.floats(of: "model.layers.0.self_attn.q_proj.weight")
        // Two heads of dimension 4, rows of 4: the file's row (head, half, 2) becomes (head, 2, half).
        #expect(stride(from: 0, to: 32, by: 4).map { Int(query[$0]) / 4 } == [0, 2, 1, 3, 4, 6, 5, 7])
        let key = try llama.floats(of: "model.layers.0.self_attn.k_proj.weight")
        #expect(stride(from: 0, to: 16, by: 4).map { Int(key[$0]) / 4 } == [0, 2, 1, 3])
        let qwen = try load(GGUFBuilder.tiny(architecture: "qwen2", bias: true).bytes()).checkpoint
        #expect(qwen.configuration.family == .qwen2 && qwen.configuration.attentionBias)
        #expect(try qwen.floats(of: "model.layers.0.self_attn.q_proj.weight") == (0..<32).map(Float.init))
        #expect(try qwen.floats(of: "model.layers.0.self_attn.q_proj.bias") == (0..<8).map(Float.init))
    }

    @Test("An output matrix of its own makes the embeddings untied")
    func untied() throws {
        var builder = GGUFBuilder.tiny()
        builder.tensors.append(
            .init(name: "output.weight", dimensions: [4, 8], type: 0, data: [UInt8](repeating: 0, count: 128)))
        let checkpoint = try load(builder.bytes()).checkpoint
        #expect(!checkpoint.configuration.tiedEmbeddings)
        #expect(try checkpoint.floats(of: "lm_head.weight") == [Float](repeating: 0, count: 32))
    }

    @Test("Version 2 and another alignment are read too")
    func versionAndAlignment() throws {
        var builder = GGUFBuilder.tiny()
        builder.version = 2
        builder.alignment = 64
        builder.set("general.alignment", .integer(64))
        let checkpoint = try load(builder.bytes()).checkpoint
        #expect(try checkpoint.floats(of: "model.norm.weight") == [0, 1, 2, 3])
    }

    @Test("A window shorter than the context caps the context")
    func slidingWindow() throws {
        var builder = GGUFBuilder.tiny()
        builder.set("llama.attention.sliding_window", .integer(7))
        #expect(try load(builder.bytes()).checkpoint.configuration.context == 7)
    }

    @Test("Rope scaling is linear by a factor, or a divisor for each frequency")
    func ropeScaling() throws {
        func scaling(_ change: (inout GGUFBuilder) -> Void) throws -> RopeScaling? {
            var builder = GGUFBuilder.tiny()
            change(&builder)
            return try load(builder.bytes()).checkpoint.configuration.ropeScaling
        }
        #expect(try scaling { _ in } == nil)
        #expect(try scaling { $0.set("llama.rope.scaling.factor", .float(8)) } == .linear(factor: 8))
        #expect(try scaling { $0.set("llama.rope.scale_linear", .float(2)) } == .linear(factor: 2))
        #expect(
            try scaling {
                $0.set("llama.rope.scaling.type", .text("none"))
                $0.set("llama.rope.scaling.factor", .float(8))
            } == nil)
        #expect(
            try scaling {
                let data = littleEndian([1, 32])
                $0.tensors.append(.init(name: "rope_freqs.weight", dimensions: [2], type: 0, data: data))
            } == .divisors([1, 32]))
    }

    @Test("What the decoder would compute wrongly is refused by name")
    func unsupported() throws {
        #expect(try reason { $0.set("general.architecture", .text("mamba")) }.contains("mamba"))
        #expect(try reason { $0.set("llama.rope.scaling.type", .text("yarn")) }.contains("yarn"))
        #expect(try reason { $0.set("llama.rope.scaling.factor", .float(-8)) }.contains("scaling"))
        #expect(try reason { $0.set("llama.rope.dimension_count", .integer(2)) }.contains("2 of 4"))
        #expect(try reason { $0.set("llama.expert_count", .integer(8)) }.contains("experts"))
        #expect(try reason { $0.set("llama.attention.head_count_kv", .integer(3)) }.contains("evenly"))
        #expect(try reason { $0.set("tokenizer.ggml.pre", .text("exotic")) }.contains("exotic"))
        #expect(try reason { $0.set("tokenizer.ggml.model", .text("t5")) }.contains("kind t5"))
        #expect(try reason { $0.replace("blk.0.attn_v.weight") { $0.type = 16 } }.contains("encoding IQ2_XXS"))
        #expect(
            try reason {
                let data = littleEndian([1, 2, 3])
                $0.tensors.append(.init(name: "rope_freqs.weight", dimensions: [3], type: 0, data: data))
            }.contains("not 2 positive numbers"))
        #expect(
            try reason {
                let data = littleEndian([1, 2])
                $0.tensors.append(.init(name: "rope_factors_long.weight", dimensions: [2], type: 0, data: data))
            }.contains("rope_factors_long"))
        #expect(
            try reason {
                let data = littleEndian([1, 2])
                $0.set("llama.rope.scaling.factor", .float(8))
                $0.tensors.append(.init(name: "rope_freqs.weight", dimensions: [2], type: 0, data: data))
            }.contains("together"))
        #expect(
            try reason {
                let data = littleEndian([1, 2])
                $0.tensors.append(.init(name: "blk.0.attn_q.bias", dimensions: [2], type: 0, data: data))
            }.contains("bias"))
        #expect(try reason { $0.version = 1 }.contains("version 1"))
        #expect(try reason { $0.version = UInt32(3).byteSwapped }.contains("big-endian"))
    }

    @Test("A file without a tokenizer, or one that cannot answer, is refused")
    func tokenizers() throws {
        #expect(try reason { $0.set("tokenizer.ggml.tokens", nil) }.contains("holds no tokenizer"))
        #expect(try reason { $0.set("tokenizer.ggml.tokens", .texts(["a", "b", "c", "d"])) }.contains("merge 0"))
        #expect(try reason { $0.set("tokenizer.ggml.merges", .texts([])) }.contains("Yes"))
    }

    @Test("Missing and misshapen tensors are named")
    func tensors() throws {
        #expect(
            try reason { $0.tensors.removeAll { $0.name == "blk.0.ffn_up.weight" } }
                .contains("model.layers.0.mlp.up_proj.weight"))
        #expect(
            try reason { $0.replace("blk.0.ffn_up.weight") { $0.dimensions = [6, 4] } }.contains("has the shape"))
        #expect(try reason { $0.tensors.append($0.tensors[3]) }.contains("twice"))
    }

    @Test("Lengths, counts and offsets that cannot be true are refused without using memory for them")
    func hostile() throws {
        #expect(try reason { $0.tensorCount = .max }.hasPrefix("malformed"))
        #expect(try reason { $0.tensorCount = 1 << 40 }.contains("do not fit"))
        #expect(try reason { $0.keyCount = 1 << 40 }.contains("do not fit"))
        #expect(try reason { $0.replace("output_norm.weight") { $0.offset = 1 << 40 } }.contains("beyond the end"))
        #expect(try reason { $0.replace("output_norm.weight") { $0.offset = .max - 31 } }.hasPrefix("malformed"))
        #expect(try reason { $0.replace("output_norm.weight") { $0.offset = 0 } }.contains("overlap"))
        #expect(try reason { $0.replace("output_norm.weight") { $0.offset = 3 } }.contains("aligned"))
        #expect(
            try reason { $0.replace("output_norm.weight") { $0.dimensions = [1 << 62, 1 << 62] } }
                .hasPrefix("malformed"))
        #expect(try reason { $0.replace("output_norm.weight") { $0.dimensions = [.max] } }.hasPrefix("malformed"))
        #expect(try reason { $0.replace("output_norm.weight") { $0.dimensions = [] } }.contains("0 dimensions"))
        #expect(try reason { $0.set("general.alignment", .integer(0)) }.contains("alignment"))
        #expect(try reason { $0.set("general.alignment", .integer(12)) }.contains("alignment"))
        #expect(try reason { $0.set("x", .raw(type: 99, bytes: [])) }.contains("unknown type"))
        let hugeArray: [UInt8] = [8, 0, 0, 0] + [UInt8](repeating: 0xff, count: 7) + [0x0f]
        #expect(try reason { $0.set("x", .raw(type: 9, bytes: hugeArray)) }.hasPrefix("malformed"))
        let nested = (0..<50).flatMap { _ in [9, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0] as [UInt8] }
        #expect(try reason { $0.set("x", .raw(type: 9, bytes: nested)) }.contains("nested"))
        #expect(try reason { $0.metadata.append($0.metadata[0]) }.contains("twice"))
        #expect(try reason { $0.set("llama.block_count", .integer(.max)) }.contains("number of layers"))
        #expect(try reason { $0.set("llama.block_count", .text("one")) }.contains("not an integer"))
        #expect(try reason { $0.set("llama.attention.head_count", .integer(0)) }.contains("heads is 0"))
        #expect(try reason { $0.set("llama.rope.freq_base", .float(.nan)) }.contains("rope base"))
    }

    @Test("A file cut off anywhere is refused")
    func truncated() throws {
        let whole = GGUFBuilder.tiny().bytes()
        try withTemporaryDirectory { directory in
            let path = "\(directory)/model.gguf"
            for length in 0..<whole.count {
                try write(Array(whole[..<length]), to: path)
                #expect(throws: LanguageModelError.self, "\(length)") { try ModelLoader.load(path: path) }
            }
            try write(whole, to: path)
            #expect(try ModelLoader.load(path: path).answerTokens == (6, 7))
        }
    }

    @Test("Damaged bytes lead to an error or to a model, never to a crash")
    func damaged() throws {
        let whole = GGUFBuilder.tiny().bytes()
        var generator = SeededGenerator(state: 1)
        var refused = 0
        try withTemporaryDirectory { directory in
            let path = "\(directory)/model.gguf"
            for _ in 0..<1500 {
                var bytes = whole
                for _ in 0..<Int.random(in: 1...4, using: &generator) {
                    let index = Int.random(in: 0..<bytes.count, using: &generator)
                    let choices: [UInt8] = [0, 0xff, 0x80, .random(in: 0...255, using: &generator)]
                    bytes[index] = choices[Int.random(in: 0..<4, using: &generator)]
                }
                try write(bytes, to: path)
                do {
                    let checkpoint = try ModelLoader.load(path: path).checkpoint
                    for (name, shape) in checkpoint.configuration.expectedTensors {
                        #expect(try checkpoint.floats(of: name).count == shape.reduce(1, *))
                    }
                } catch is LanguageModelError {
                    refused += 1
                }
            }
        }
        #expect(refused > 200)
    }

    @Test("Metadata that is not UTF-8 does no harm where nobody asks for it")
    func notText() throws {
        let latin: GGUFBuilder.Value = .raw(type: 8, bytes: [2, 0, 0, 0, 0, 0, 0, 0, 0xe9, 0x41])
        let list: GGUFBuilder.Value = .raw(
            type: 9, bytes: [8, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xff])
        #expect(try reason { $0.set("general.author", latin) } == "accepted")
        #expect(try reason { $0.set("general.tags", list) } == "accepted")
        #expect(try reason { $0.set("general.architecture", latin) }.contains("not a string in UTF-8"))
        #expect(try reason { $0.set("tokenizer.ggml.tokens", list) }.contains("not an array of strings in UTF-8"))
    }
}
