import Files
import Foundation
import LanguageModels
import Testing

@Suite("Adapter files")
struct AdapterFileTests {
    private static let model = ModelConfiguration(
        family: .llama, vocabulary: 32, hidden: 16, layers: 2, heads: 4, keyValueHeads: 2, headDimension: 4,
        intermediate: 24, context: 64, ropeTheta: 10000, rmsNormEpsilon: 1e-6, tiedEmbeddings: false,
        attentionBias: false)

    private static func adapter(alpha: Double = 6) -> Adapter {
        let configuration = LoRAConfiguration(rank: 2, alpha: alpha, targets: [.query, .value])
        let layout = AdapterLayout(model: model, configuration: configuration)
        return Adapter(layout: layout, values: (0..<layout.count).map { Float($0) / 7 - 3 })
    }

    @Test("An adapter that PEFT saved is read bit for bit")
    func readsPEFT() throws {
        let adapter = try Adapter(directory: Fixtures.path("adapter"), model: Self.model)
        #expect(
            adapter.layout.configuration == LoRAConfiguration(rank: 2, alpha: 6, targets: [.query, .value, .down]))
        #expect(littleEndian(adapter.values) == (try Fixtures.bytes("adapter/values.f32")))
    }

    @Test("Writing and reading gives back the same adapter, name and bytes")
    func roundTrip() throws {
        let adapter = Self.adapter()
        let bytes = adapter.safetensorsBytes()
        let back = try Adapter(safetensors: bytes, layout: adapter.layout)
        #expect(back == adapter && back.safetensorsBytes() == bytes)
        #expect(adapter.contentName == sha256(bytes) && adapter.contentName.count == 64)
        try withTemporaryDirectory { directory in
            try adapter.write(
                toDirectory: "\(directory)/new/folder", model: Self.model, baseModelName: "base \"model\"")
            #expect(try Adapter(directory: "\(directory)/new/folder", model: Self.model) == adapter)
        }
    }

    @Test("The name tells apart adapters that differ in one bit or in alpha")
    func names() {
        var other = Self.adapter()
        other.values[5] = other.values[5].nextUp
        #expect(other.contentName != Self.adapter().contentName)
        #expect(Self.adapter(alpha: 7).contentName != Self.adapter().contentName)
        #expect(Self.adapter().contentName == Self.adapter().contentName)
    }

    @Test("Bytes made for another alpha or another layout are refused")
    func otherLayouts() throws {
        let bytes = Self.adapter().safetensorsBytes()
        #expect {
            try Adapter(safetensors: bytes, layout: Self.adapter(alpha: 7).layout)
        } throws: {
            "\($0)".contains("alpha")
        }
        let wider = AdapterLayout(model: Self.model, configuration: .init(rank: 2, alpha: 6, targets: [.query, .up]))
        #expect(throws: LanguageModelError.adapterMismatch(reason: "it lacks the tensor \(wider.sites[1].nameA)")) {
            try Adapter(safetensors: bytes, layout: wider)
        }
        let narrower = AdapterLayout(model: Self.model, configuration: .init(rank: 2, alpha: 6, targets: [.query]))
        #expect {
            try Adapter(safetensors: bytes, layout: narrower)
        } throws: {
            "\($0)".contains("v_proj")
        }
        let thicker = AdapterLayout(model: Self.model, configuration: .init(rank: 3, alpha: 6))
        #expect(
            throws: LanguageModelError.wrongShape(name: thicker.sites[0].nameA, expected: [3, 16], found: [2, 16])
        ) { try Adapter(safetensors: bytes, layout: thicker) }
    }

    @Test("A file cut off anywhere is refused, an empty one included")
    func truncated() {
        let adapter = Self.adapter()
        let bytes = adapter.safetensorsBytes()
        for length in 0..<bytes.count {
            #expect(throws: LanguageModelError.self, "\(length)") {
                try Adapter(safetensors: Array(bytes[..<length]), layout: adapter.layout)
            }
        }
        let first = adapter.layout.sites[0].nameA
        #expect(throws: LanguageModelError.adapterMismatch(reason: "it lacks the tensor \(first)")) {
            try Adapter(safetensors: SafetensorsWriter.bytes(of: []), layout: adapter.layout)
        }
    }

    @Test("NaN and infinities are found and named")
    func finiteness() throws {
        var adapter = Self.adapter()
        try adapter.checkFinite()
        for value in [Float.nan, .infinity, -.infinity] {
            adapter.values[adapter.layout.sites[1].offsetB + 3] = value
            #expect(throws: LanguageModelError.notFinite(name: adapter.layout.sites[1].nameB)) {
                try adapter.checkFinite()
            }
        }
        adapter.values = adapter.values.map { _ in .greatestFiniteMagnitude }
        try adapter.checkFinite()
    }

    @Test("Configurations that ask for more than plain LoRA are refused by name")
    func refusedConfigurations() throws {
        let original = String(decoding: try Fixtures.bytes("adapter/adapter_config.json"), as: UTF8.self)
        func reason(_ old: String, _ new: String) throws -> String {
            try #require(original.contains(old))
            return try withTemporaryDirectory { directory in
                try write(original.replacingOccurrences(of: old, with: new), to: "\(directory)/adapter_config.json")
                try write(
                    Fixtures.bytes("adapter/adapter_model.safetensors"), to: "\(directory)/adapter_model.safetensors")
                do {
                    _ = try Adapter(directory: directory, model: Self.model)
                    return "accepted"
                } catch let error as LanguageModelError {
                    return "\(error)"
                }
            }
        }
        #expect(try reason("\"lora_dropout\": 0.0", "\"lora_dropout\": 0.1") == "accepted")
        #expect(try reason("\"use_dora\": false", "\"use_dora\": true").contains("use_dora"))
        #expect(try reason("\"bias\": \"none\"", "\"bias\": \"all\"").contains("bias is all"))
        #expect(try reason("\"rank_pattern\": {}", "\"rank_pattern\": {\"q_proj\": 4}").contains("rank_pattern"))
        #expect(try reason("\"alpha_pattern\": {}", "\"alpha_pattern\": {\"a\": 4}").contains("alpha_pattern"))
        #expect(try reason("\"layers_to_transform\": null", "\"layers_to_transform\": [1]").contains("layers_to"))
        #expect(try reason("\"modules_to_save\": null", "\"modules_to_save\": [\"lm_head\"]").contains("modules_to"))
        #expect(try reason("\"velora_config\": null", "\"future_option\": 3").contains("future_option"))
        #expect(try reason("\"peft_type\": \"LORA\"", "\"peft_type\": \"IA3\"").contains("IA3"))
        #expect(try reason("\"down_proj\"", "\"lm_head\"").contains("lm_head"))
        #expect(try reason("\"down_proj\"", "\"k_proj\"").contains("the adapter does not fit: it lacks the tensor"))
        #expect(try reason("\"r\": 2", "\"r\": 0").contains("rank"))
        #expect(try reason("\"r\": 2", "\"r\": 1000000").contains("rank"))
        #expect(try reason("\"r\": 2", "\"r\": 3").contains("has the shape"))
        #expect(try reason("\"init_lora_weights\": true", "\"init_lora_weights\": \"pissa\"").contains("pissa"))
    }

    @Test("Target modules may be the ends of paths or an expression; the factors show which were meant")
    func targets() throws {
        let original = String(decoding: try Fixtures.bytes("adapter/adapter_config.json"), as: UTF8.self)
        func reason(_ targets: String, _ change: (inout [SafetensorsWriter.Tensor]) -> Void = { _ in }) throws -> String
        {
            let pattern = try Regex(#""target_modules": (\[[^\]]*\]|"[^"]*")"#)
            let config = original.replacing(pattern, with: "\"target_modules\": \(targets)")
            try #require(config != original)
            var tensors = try SafetensorsReader.tensors(Fixtures.bytes("adapter/adapter_model.safetensors"))
            change(&tensors)
            return try withTemporaryDirectory { directory in
                try write(config, to: "\(directory)/adapter_config.json")
                try write(SafetensorsWriter.bytes(of: tensors), to: "\(directory)/adapter_model.safetensors")
                do {
                    let adapter = try Adapter(directory: directory, model: Self.model)
                    return adapter.layout.configuration.targets.map(\.rawValue).joined(separator: " ")
                } catch let error as LanguageModelError {
                    return "\(error)"
                }
            }
        }
        let paths = #"["self_attn.q_proj", "self_attn.v_proj", "mlp.down_proj"]"#
        #expect(try reason(paths) == "q_proj v_proj down_proj")
        #expect(
            try reason(#"["model.layers.0.self_attn.q_proj", "layers.1.self_attn.q_proj", "v_proj", "down_proj"]"#)
                == "q_proj v_proj down_proj")
        #expect(try reason(#"".*\\.(q_proj|v_proj|down_proj)""#) == "q_proj v_proj down_proj")
        #expect(try reason(#""all-linear""#) == "q_proj v_proj down_proj")
        #expect(try reason(#"["mlp.q_proj"]"#).contains("mlp.q_proj"))
        #expect(try reason(#"["a.model.layers.0.self_attn.q_proj"]"#).contains("a.model.layers.0"))
        #expect(try reason("7").contains("neither a list"))
        #expect(
            try reason(#"".*""#) { $0.removeAll { $0.name.contains("layers.0.mlp") } }.contains("it lacks the tensor"))
        #expect(try reason(#"".*""#) { $0 = [] }.contains("no factors"))
        func named(_ tensors: inout [SafetensorsWriter.Tensor], keep: Bool) {
            let copies = tensors.map { tensor in
                var copy = tensor
                copy.name = tensor.name.replacing(".weight", with: ".default.weight")
                return copy
            }
            tensors = keep ? tensors + copies : copies
        }
        #expect(try reason(paths) { named(&$0, keep: false) } == "q_proj v_proj down_proj")
        #expect(try reason(paths) { named(&$0, keep: true) }.contains("twice"))
    }

    @Test("rsLoRA's scale alpha / √rank is kept")
    func rootOfRank() throws {
        let original = String(decoding: try Fixtures.bytes("adapter/adapter_config.json"), as: UTF8.self)
        try withTemporaryDirectory { directory in
            try write(
                original.replacingOccurrences(of: "\"use_rslora\": false", with: "\"use_rslora\": true"),
                to: "\(directory)/adapter_config.json")
            try write(
                Fixtures.bytes("adapter/adapter_model.safetensors"), to: "\(directory)/adapter_model.safetensors")
            let adapter = try Adapter(directory: directory, model: Self.model)
            #expect(abs(adapter.layout.configuration.scale - 6 / Float(2).squareRoot()) < 1e-6)
        }
    }

    @Test("A directory without weights or with values that are not finite is refused")
    func incompleteDirectories() throws {
        var adapter = Self.adapter()
        try withTemporaryDirectory { directory in
            #expect(throws: LanguageModelError.missingFile(path: "\(directory)/adapter_config.json")) {
                try Adapter(directory: directory, model: Self.model)
            }
            adapter.values[0] = .nan
            try adapter.write(toDirectory: directory, model: Self.model, baseModelName: "base")
            #expect(throws: LanguageModelError.notFinite(name: adapter.layout.sites[0].nameA)) {
                try Adapter(directory: directory, model: Self.model)
            }
            try write([], to: "\(directory)/adapter_model.safetensors")
            #expect(throws: LanguageModelError.self) { try Adapter(directory: directory, model: Self.model) }
        }
    }
}
