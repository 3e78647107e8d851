extension Adapter {
    /// Reads a safetensors file of this package without knowing its shape: rank, adapted layers and alpha stand in it.
    ///
    /// - Throws: `LanguageModelError.adapterMismatch` when they do not; what `init(safetensors:layout:)` throws.
    package init(safetensors bytes: [UInt8], model: ModelConfiguration) throws {
        let configuration = try LoRAConfiguration(safetensors: bytes, model: model)
        try self.init(
            safetensors: bytes, layout: AdapterLayout(model: model, configuration: configuration))
    }
}

extension LoRAConfiguration {
    package init(safetensors bytes: [UInt8], model: ModelConfiguration) throws {
        func mismatch(_ reason: String) -> LanguageModelError { .adapterMismatch(reason: reason) }
        let header: SafetensorsHeader
        do {
            header = try bytes.withUnsafeBytes { try SafetensorsHeader($0, path: "adapter") }
        } catch {
            throw mismatch("its header cannot be read: \(error)")
        }
        guard let text = header.metadata.first(where: { $0.key == Adapter.alphaKey })?.value,
            let alpha = Double(text), alpha.isFinite
        else { throw mismatch("its metadata names no lora_alpha") }
        func shapeOfA(_ site: LinearSite) -> [Int]? {
            let name = AdapterLayout(model: model, configuration: LoRAConfiguration(targets: [site])).sites.first?.nameA
            return header.entries.first { $0.name == name }?.shape
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
