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

    @Test("Where modules need different ranks, PEFT's patterns say so")
    func patterns() throws {
        let adapter = Self.adapter([.query, .value, .output, .gate])
        try withTemporaryDirectory { directory in
            try adapter.write(toDirectory: directory, model: Self.model(), baseModelName: nil)
            let json = try JSONSerialization.jsonObject(
                with: Data(contentsOf: URL(fileURLWithPath: "\(directory)/adapter_config.json")))
            let config = try #require(json as? [String: Any])
            #expect(config["target_modules"] as? [String] == ["qkv_proj", "gate_up_proj", "o_proj"])
            #expect(config["r"] as? Int == 4 && config["lora_alpha"] as? Double == 12)
            #expect(config["rank_pattern"] as? [String: Int] == ["gate_up_proj": 2, "o_proj": 2])
            #expect(config["alpha_pattern"] as? [String: Double] == ["gate_up_proj": 6, "o_proj": 6])
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
