import Files
import Foundation
import LanguageModels
import Testing

@Suite("Values of checkpoints")
struct CheckpointValueTests {
    /// "tensor SHA-256" of the reference's values.
    private static func expected(_ name: String) throws -> [(name: String, hash: String)] {
        try Fixtures.lines("checkpoints/\(name).hashes").map {
            let parts = $0.split(separator: " ")
            return (String(parts[0]), String(parts[1]))
        }
    }

    @Test(
        "Every tensor is bit-equal to what Transformers and gguf-py decode",
        arguments: [("tiny-llama", "tiny-llama"), ("tiny.gguf", "tiny"), ("quantised.gguf", "quantised")])
    func valuesEqualTheReference(file: String, hashes: String) throws {
        let checkpoint = try ModelLoader.load(path: Fixtures.path("checkpoints/\(file)")).checkpoint
        let expected = try Self.expected(hashes)
        #expect(Set(expected.map(\.name)) == Set(checkpoint.configuration.expectedTensors.map(\.name)))
        for (name, hash) in expected {
            #expect(sha256(littleEndian(try checkpoint.floats(of: name))) == hash, "\(name)")
        }
    }

    @Test("The configuration is read from either format")
    func configurations() throws {
        let fromDirectory = try ModelLoader.load(path: Fixtures.path("checkpoints/tiny-llama")).checkpoint.configuration
        let expected = ModelConfiguration(
            family: .llama, vocabulary: 600, hidden: 64, layers: 2, heads: 4, keyValueHeads: 2, headDimension: 16,
            intermediate: 96, context: 128, ropeTheta: 5000, rmsNormEpsilon: 1e-5, tiedEmbeddings: true,
            attentionBias: false)
        #expect(fromDirectory == expected)
        var fromGGUF = try ModelLoader.load(path: Fixtures.path("checkpoints/tiny.gguf")).checkpoint.configuration
        // GGUF keeps the epsilon in single precision and this file has a vocabulary of its own.
        #expect(fromGGUF.rmsNormEpsilon == Double(Float(1e-5)))
        fromGGUF.rmsNormEpsilon = 1e-5
        fromGGUF.vocabulary = 600
        #expect(fromGGUF == expected)
    }

    @Test("A tensor that is not there has no shape and no values")
    func absentTensor() throws {
        let checkpoint = try ModelLoader.load(path: Fixtures.path("checkpoints/tiny.gguf")).checkpoint
        #expect(checkpoint.shape(of: "lm_head.weight") == nil)
        #expect(checkpoint.shape(of: "model.layers.1.mlp.down_proj.weight") == [64, 96])
        #expect(throws: LanguageModelError.missingTensor(name: "lm_head.weight")) {
            try checkpoint.floats(of: "lm_head.weight")
        }
    }

    @Test("The digest depends on content alone: not on the path or on sharding, but on every weight")
    func digests() throws {
        let original = try Fixtures.path("checkpoints/tiny-llama")
        let digest = try ModelLoader.load(path: original).checkpoint.digest
        #expect(digest.count == 64)
        try withTemporaryDirectory { directory in
            for name in ["config.json", "tokenizer.json"] {
                try FileManager.default.copyItem(atPath: "\(original)/\(name)", toPath: "\(directory)/\(name)")
            }
            var tensors: [SafetensorsWriter.Tensor] = []
            for shard in ["model-00001-of-00002", "model-00002-of-00002"] {
                tensors += try SafetensorsReader.tensors(Fixtures.bytes("checkpoints/tiny-llama/\(shard).safetensors"))
            }
            let path = "\(directory)/model.safetensors"
            try write(SafetensorsWriter.bytes(of: tensors), to: path)
            #expect(try ModelLoader.load(path: directory).checkpoint.digest == digest)
            tensors[3].bytes[5] ^= 1
            try write(SafetensorsWriter.bytes(of: tensors), to: path)
            #expect(try ModelLoader.load(path: directory).checkpoint.digest != digest)
        }
    }

    @Test("The real model opens in well under a second", .enabled(if: Fixtures.realModel != nil))
    func realModelOpensQuickly() throws {
        let path = try #require(Fixtures.realModel)
        _ = try ModelLoader.load(path: path)
        var model: LoadedModel?
        let time = try ContinuousClock().measure { model = try ModelLoader.load(path: path) }
        #expect(time < .seconds(2))
        let checkpoint = try #require(model).checkpoint
        #expect(checkpoint.shape(of: "model.layers.0.self_attn.q_proj.weight") == [576, 576])
        let norm = try checkpoint.floats(of: "model.norm.weight")
        #expect(norm.count == 576 && norm.allSatisfy(\.isFinite))
    }
}

/// Takes safetensors files apart, for tests that change them.
enum SafetensorsReader {
    static func tensors(_ bytes: [UInt8]) throws -> [SafetensorsWriter.Tensor] {
        let length = bytes[0..<8].reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = try #require(
            try JSONSerialization.jsonObject(with: Data(bytes[8..<8 + length])) as? [String: [String: Any]])
        return try header.filter { $0.key != "__metadata__" }.map { name, entry in
            let range = try #require(entry["data_offsets"] as? [Int])
            return SafetensorsWriter.Tensor(
                name: name, encoding: try #require(TensorEncoding(rawValue: entry["dtype"] as? String ?? "")),
                shape: try #require(entry["shape"] as? [Int]),
                bytes: Array(bytes[8 + length + range[0]..<8 + length + range[1]]))
        }.sorted { $0.name < $1.name }
    }
}
