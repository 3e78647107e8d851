import Files
import Foundation
import LanguageModels
import Testing

@Suite("Adapters of base models whose modules hold several layers")
struct FusedAdapterTests {
    private static func model(_ family: ModelConfiguration.Family = .phi3) -> ModelConfiguration {
        ModelConfiguration(
            family: family, vocabulary: 32, hidden: 16, layers: 2, heads: 4, keyValueHeads: 2, headDimension: 4,
            intermediate: 24, context: 64, ropeTheta: 10000, rmsNormEpsilon: 1e-6, tiedEmbeddings: false,
            attentionBias: false)
    }

    private static func adapter(_ targets: [LinearSite]) -> Adapter {
        let layout = AdapterLayout(
            model: model(), configuration: LoRAConfiguration(rank: 2, alpha: 6, targets: targets))
        return Adapter(layout: layout, values: (0..<layout.count).map { Float(($0 * 37) % 101) / 16 - 3 })
    }

    /// `s·B·A` of a layer's site, `[outputs, inputs]`; zero where it carries no adapter.
    private static func change(_ adapter: Adapter, layer: Int, site: LinearSite) -> [Float] {
        let (inputs, outputs) = model().shape(of: site)
        guard let place = adapter.layout.sites.first(where: { $0.layer == layer && $0.site == site }) else {
            return [Float](repeating: 0, count: inputs * outputs)
        }
        let configuration = adapter.layout.configuration
        return (0..<(inputs * outputs)).map { index in
            let (row, column) = (index / inputs, index % inputs)
            return configuration.scale
                * (0..<configuration.rank).reduce(Float(0)) { sum, k in
                    sum + adapter.values[place.offsetB + row * configuration.rank + k]
                        * adapter.values[place.offsetA + k * inputs + column]
                }
        }
    }

    @Test(
        "Written as PEFT knows Phi 3's modules and read again, an adapter changes every layer as before",
        arguments: [[LinearSite.query, .value], [.query, .key, .value], [.gate], [.key]])
    func roundTrip(targets: [LinearSite]) throws {
        let adapter = Self.adapter(targets)
        try withTemporaryDirectory { directory in
            try adapter.write(toDirectory: directory, model: Self.model(), baseModelName: "base")
            let json = try JSONSerialization.jsonObject(
                with: Data(contentsOf: URL(fileURLWithPath: "\(directory)/adapter_config.json")))
            let config = try #require(json as? [String: Any])
            let module = targets == [.gate] ? "gate_up_proj" : "qkv_proj"
            #expect(config["target_modules"] as? [String] == [module])
            #expect(
                config["r"] as? Int == 2 * targets.count
                    && config["lora_alpha"] as? Double == 6.0 * Double(targets.count))
            #expect(config["rank_pattern"] == nil)
            let back = try Adapter(directory: directory, model: Self.model())
            for layer in 0..<2 {
                for site in LinearSite.allCases {
                    let (old, new) = (
                        Self.change(adapter, layer: layer, site: site), Self.change(back, layer: layer, site: site)
                    )
                    #expect(zip(old, new).allSatisfy { abs($0 - $1) < 1e-4 })
                }
            }
        }
    }

    @Test("Where modules need different ranks, all get the largest: PEFT forgets patterns where it adds adapters up")
    func oneRank() throws {
        let adapter = Self.adapter([.query, .value, .output, .gate])
        try withTemporaryDirectory { directory in
            try adapter.write(toDirectory: directory, model: Self.model(), baseModelName: nil)
            let json = try JSONSerialization.jsonObject(
                with: Data(contentsOf: URL(fileURLWithPath: "\(directory)/adapter_config.json")))
            let config = try #require(json as? [String: Any])
            #expect(config["target_modules"] as? [String] == ["qkv_proj", "gate_up_proj", "o_proj"])
            #expect(config["r"] as? Int == 4 && config["lora_alpha"] as? Double == 12)
            #expect(config["rank_pattern"] == nil && config["alpha_pattern"] == nil)
            #expect(config["base_model_name_or_path"] == nil)
            let back = try Adapter(directory: directory, model: Self.model())
            #expect(back.layout.configuration.rank == 4 && back.layout.configuration.scale == 3)
            for layer in 0..<2 {
                for site in LinearSite.allCases {
                    let (old, new) = (
                        Self.change(adapter, layer: layer, site: site), Self.change(back, layer: layer, site: site)
                    )
                    #expect(zip(old, new).allSatisfy { abs($0 - $1) < 1e-4 })
                }
            }
        }
    }

    /// What reading an export says whose configuration was changed.
    private func reading(_ change: (inout [String: Any]) -> Void) throws -> String {
        try withTemporaryDirectory { directory in
            try Self.adapter([.query, .value, .output]).write(
                toDirectory: directory, model: Self.model(), baseModelName: nil)
            let file = URL(fileURLWithPath: "\(directory)/adapter_config.json")
            var config = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
            change(&config)
            try JSONSerialization.data(withJSONObject: config).write(to: file)
            do {
                return "scale \(try Adapter(directory: directory, model: Self.model()).layout.configuration.scale)"
            } catch let error as LanguageModelError {
                return "\(error)"
            }
        }
    }

    @Test("A pattern means modules by their plain names, or is refused: none is passed over")
    func patterns() throws {
        #expect(try reading { _ in } == "scale 3.0")
        #expect(try reading { $0["alpha_pattern"] = ["qkv_proj": 12] } == "scale 3.0")
        #expect(try reading { $0["target_modules"] = ["self_attn.qkv_proj", "o_proj"] } == "scale 3.0")
        for pattern in ["rank_pattern", "alpha_pattern"] {
            for key in ["self_attn.qkv_proj", "layers.0.self_attn.qkv_proj", ".*proj", "down_proj", ""] {
                #expect(try reading { $0[pattern] = [key: 4] }.contains("\(pattern) has \(key)"), "\(key)")
            }
            let whole = try reading {
                $0["target_modules"] = "all-linear"
                $0[pattern] = ["qkv_proj": 4]
            }
            #expect(whole.contains("\(pattern) has qkv_proj"))
        }
        #expect(try reading { $0["alpha_pattern"] = ["qkv_proj": 32] }.contains("differ in lora_alpha / r"))
        // PEFT would not load these weights with these ranks either.
        #expect(
            try reading {
                $0["rank_pattern"] = ["o_proj": 2]
                $0["alpha_pattern"] = ["o_proj": 6]
            }.contains("o_proj"))
        #expect(try reading { $0["r"] = 8 }.contains("lora_"))
    }

    @Test("A rank that the file does not hold is refused before memory is taken for it")
    func hugeRank() throws {
        let wide = ModelConfiguration(
            family: .llama, vocabulary: 32, hidden: 16, layers: 2, heads: 4, keyValueHeads: 2, headDimension: 4,
            intermediate: 1 << 40, context: 64, ropeTheta: 10000, rmsNormEpsilon: 1e-6, tiedEmbeddings: false,
            attentionBias: false)
        try withTemporaryDirectory { directory in
            let adapter = Self.adapter([.query])
            try adapter.write(toDirectory: directory, model: Self.model(.llama), baseModelName: nil)
            let file = URL(fileURLWithPath: "\(directory)/adapter_config.json")
            let text = try String(contentsOf: file, encoding: .utf8)
            try Data(text.replacing("\"r\" : 2", with: "\"r\" : 1099511627776").utf8).write(to: file)
            #expect(throws: LanguageModelError.self) { try Adapter(directory: directory, model: wide) }
        }
    }

    @Test("Where every layer is a module of its own, the file is the one that the adapter is named by")
    func plain() throws {
        let adapter = Self.adapter([.query, .value])
        try withTemporaryDirectory { directory in
            try adapter.write(toDirectory: directory, model: Self.model(.llama), baseModelName: "base")
            let bytes = try Data(contentsOf: URL(fileURLWithPath: "\(directory)/adapter_model.safetensors"))
            #expect(sha256([UInt8](bytes)) == adapter.contentName)
        }
    }

    @Test("A fused factor of another shape is refused")
    func wrongShape() throws {
        try withTemporaryDirectory { directory in
            try Self.adapter([.query]).write(toDirectory: directory, model: Self.model(), baseModelName: "base")
            var other = Self.model()
            other.keyValueHeads = 4
            #expect {
                try Adapter(directory: directory, model: other)
            } throws: { error in
                guard case LanguageModelError.wrongShape = error else { return false }
                return true
            }
        }
    }
}
