import LanguageModels

extension Adapter {
    /// Reads a safetensors file of this package without knowing its shape: rank, adapted layers and alpha stand in it.
    ///
    /// - Throws: `LanguageModelError.adapterMismatch` when they do not; what `init(safetensors:layout:)` throws.
    init(safetensors bytes: [UInt8], model: ModelConfiguration) throws {
        let configuration = try LoRAConfiguration(safetensors: bytes, model: model)
        try self.init(
            safetensors: bytes, layout: AdapterLayout(model: model, configuration: configuration))
    }
}

extension LoRAConfiguration {
    /// Of a tensor the shape; of the metadata alpha.
    private struct Entry: Decodable {
        var shape: [Int]?
        var alpha: String?

        enum CodingKeys: String, CodingKey {
            case shape
            case alpha = "lora_alpha"
        }
    }

    /// The longest header that is looked at; an adapter has two tensors a layer and site.
    private static let headerLimit = 8 << 20

    init(safetensors bytes: [UInt8], model: ModelConfiguration) throws {
        func mismatch(_ reason: String) -> LanguageModelError { .adapterMismatch(reason: reason) }
        guard bytes.count >= 8 else { throw mismatch("it is no safetensors file") }
        let length = bytes.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        guard length <= UInt64(min(bytes.count - 8, Self.headerLimit)) else {
            throw mismatch("its header is longer than it may be")
        }
        let entries: [String: Entry]
        do throws(WireError) {
            entries = try WireJSON.decode([String: Entry].self, from: bytes[8..<(8 + Int(length))], kind: "adapter")
        } catch {
            throw mismatch("its header cannot be read: \(error)")
        }
        guard let alpha = entries["__metadata__"]?.alpha.flatMap(Double.init), alpha.isFinite else {
            throw mismatch("its metadata names no lora_alpha")
        }
        func shapeOfA(_ site: LinearSite) -> [Int]? {
            let name = AdapterLayout(model: model, configuration: LoRAConfiguration(targets: [site])).sites.first?.nameA
            return name.flatMap { entries[$0]?.shape }
        }
        let targets = LinearSite.allCases.filter { shapeOfA($0) != nil }
        // What the file can hold bounds the rank, and with it what is allocated for it.
        guard let first = targets.first, let rank = shapeOfA(first)?.first, rank > 0, rank <= bytes.count / 4 else {
            throw mismatch("it adapts no layer of this model")
        }
        self.init(rank: rank, alpha: alpha, targets: targets)
        let (count, overflow) = rank.multipliedReportingOverflow(
            by: AdapterLayout(model: model, configuration: LoRAConfiguration(rank: 1, targets: targets)).count)
        guard !overflow, count <= bytes.count else { throw mismatch("it is too short for its rank") }
    }
}
