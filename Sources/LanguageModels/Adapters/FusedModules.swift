/// A module of Transformers that holds several of a block's linear layers as rows of one weight (Phi 3), as PEFT adapts it.
///
/// A LoRA on such a module has one A for all of its layers. So adapters of the layers, each with an A of its own, become one of
/// so many times the rank: their A's below each other, their B's on the diagonal of blocks. The other way round every layer gets
/// the module's A and its own rows of B. Both are exact.
struct FusedModule {
    let name: String
    /// "self_attn"
    let parent: String
    /// In the order of their rows.
    let sites: [LinearSite]

    /// Nothing where every layer is a module of its own.
    static func all(of model: ModelConfiguration) -> [FusedModule] {
        guard model.family == .phi3 else { return [] }
        return [
            FusedModule(name: "qkv_proj", parent: "self_attn", sites: [.query, .key, .value]),
            FusedModule(name: "gate_up_proj", parent: "mlp", sites: [.gate, .up]),
        ]
    }

    private func path(layer: Int) -> String { "base_model.model.model.layers.\(layer).\(parent).\(name)" }

    /// First row of a layer among the module's, and how many it has.
    private func rows(of site: LinearSite, model: ModelConfiguration) -> Range<Int> {
        let before = sites.prefix { $0 != site }.reduce(0) { $0 + model.shape(of: $1).outputs }
        return before..<(before + model.shape(of: site).outputs)
    }

    /// The module's factors, of an adapter that adapts some of its layers.
    fileprivate func tensors(of adapter: Adapter, model: ModelConfiguration) -> [SafetensorsWriter.Tensor] {
        let rank = adapter.layout.configuration.rank
        let adapted = sites.filter(adapter.layout.configuration.targets.contains)
        let width = adapted.count * rank
        let outputs = sites.reduce(0) { $0 + model.shape(of: $1).outputs }
        return (0..<model.layers).flatMap { layer in
            let places = adapted.compactMap { site in
                adapter.layout.sites.first { $0.layer == layer && $0.site == site }
            }
            var (a, b) = ([Float](), [Float](repeating: 0, count: outputs * width))
            for (block, place) in places.enumerated() {
                a += adapter.values[place.offsetA..<(place.offsetA + rank * place.inputs)]
                let first = rows(of: place.site, model: model).lowerBound
                for row in 0..<place.outputs {
                    for column in 0..<rank {
                        b[(first + row) * width + block * rank + column] =
                            adapter.values[place.offsetB + row * rank + column]
                    }
                }
            }
            return [
                SafetensorsWriter.Tensor(
                    name: "\(path(layer: layer)).lora_A.weight", shape: [width, places.first?.inputs ?? 0], floats: a),
                SafetensorsWriter.Tensor(
                    name: "\(path(layer: layer)).lora_B.weight", shape: [outputs, width], floats: b),
            ]
        }
    }

    /// The factors of the module's layers, of the module's own; nil: the tensor is none of them.
    fileprivate func parts(
        of entry: SafetensorsHeader.Entry, bytes: UnsafeRawBufferPointer, model: ModelConfiguration
    ) throws -> [SafetensorsWriter.Tensor]? {
        guard let factor = PEFTName(entry.name), factor.module == name,
            let encoding = TensorEncoding(rawValue: entry.type), encoding.block.values == 1
        else { return nil }
        let isA = factor.name.hasSuffix(".lora_A.weight")
        let outputs = sites.reduce(0) { $0 + model.shape(of: $1).outputs }
        guard entry.shape.count == 2, isA || entry.shape[0] == outputs else {
            throw LanguageModelError.wrongShape(
                name: entry.name, expected: [outputs, entry.shape.last ?? 0], found: entry.shape)
        }
        let rowBytes = entry.shape[0] > 0 ? entry.range.count / entry.shape[0] : 0
        return sites.map { site in
            let rows = isA ? 0..<entry.shape[0] : rows(of: site, model: model)
            let start = entry.range.lowerBound + rows.lowerBound * rowBytes
            return SafetensorsWriter.Tensor(
                name: factor.name.replacing(".\(name).", with: ".\(site.rawValue)."), encoding: encoding,
                shape: [rows.count, entry.shape[1]], bytes: Array(bytes[start..<(start + rows.count * rowBytes)]))
        }
    }
}

/// An adapter in the modules of its base model, as PEFT knows them.
struct PEFTAdapter {
    let bytes: [UInt8]
    let targets: [String]
    /// Of all modules: PEFT has patterns for others, but forgets them where it adds adapters up.
    let rank: Int

    init(_ adapter: Adapter, model: ModelConfiguration) {
        let configuration = adapter.layout.configuration
        let fused = FusedModule.all(of: model).filter { module in
            module.sites.contains(where: configuration.targets.contains)
        }
        guard !fused.isEmpty else {
            bytes = adapter.safetensorsBytes()
            targets = configuration.targets.map(\.rawValue)
            rank = configuration.rank
            return
        }
        let alone = configuration.targets.filter { site in !fused.contains { $0.sites.contains(site) } }
        let parts = adapter.layout.parts.filter { part in
            PEFTName(part.name)?.site.map(alone.contains) ?? false
        }
        let tensors = parts.map {
            SafetensorsWriter.Tensor(name: $0.name, shape: $0.shape, floats: adapter.values[$0.range])
        }
        let adapted = fused.map { $0.sites.count(where: configuration.targets.contains) }
        let rank = configuration.rank * (adapted.max() ?? 1)
        bytes = SafetensorsWriter.bytes(
            of: (fused.flatMap { $0.tensors(of: adapter, model: model) } + tensors).map { $0.padded(toRank: rank) },
            metadata: [("format", "pt")])
        targets = fused.map(\.name) + alone.map(\.rawValue)
        self.rank = rank
    }

    /// What PEFT wrote, with the factors of fused modules dealt to their layers; nil: there is nothing to deal.
    ///
    /// - `ranks`: those that the adapter's configuration says, by module.
    static func dealt(
        _ bytes: UnsafeRawBufferPointer, path: String, model: ModelConfiguration, ranks: StoredRanks
    ) throws -> [UInt8]? {
        let modules = FusedModule.all(of: model)
        guard !modules.isEmpty else { return nil }
        let header = try SafetensorsHeader(bytes, path: path)
        var tensors: [SafetensorsWriter.Tensor] = []
        var isDealt = false
        for entry in header.entries {
            try ranks.check(entry)
            var parts: [SafetensorsWriter.Tensor]?
            for module in modules where parts == nil { parts = try module.parts(of: entry, bytes: bytes, model: model) }
            if let parts {
                tensors += parts
                isDealt = true
            } else if let encoding = TensorEncoding(rawValue: entry.type) {
                tensors.append(
                    SafetensorsWriter.Tensor(
                        name: entry.name, encoding: encoding, shape: entry.shape, bytes: Array(bytes[entry.range])))
            } else {
                throw LanguageModelError.adapterMismatch(reason: "the tensor \(entry.name) is \(entry.type)")
            }
        }
        guard isDealt else { return nil }
        // Modules may differ in rank, our layers may not: zeros add nothing.
        let rank = ranks.largest
        // Ranks of a few numbers in a file must not ask for any amount of memory.
        let wide = tensors.reduce(0) { $0 + $1.bytes.count / max(1, $1.rank ?? rank) * rank }
        guard wide <= 64 * max(bytes.count, 1) else {
            throw LanguageModelError.adapterMismatch(reason: "its modules' ranks lie too far apart")
        }
        return SafetensorsWriter.bytes(of: tensors.map { $0.padded(toRank: rank) }, metadata: header.metadata)
    }
}

/// The ranks that `adapter_config.json` says: `r`, and those of the modules that `rank_pattern` names.
struct StoredRanks {
    let usual: Int
    let own: [String: Int]

    var largest: Int { max(usual, own.values.max() ?? 0) }

    /// - Throws: `LanguageModelError.wrongShape` for a factor of another rank, which PEFT would not load either.
    func check(_ entry: SafetensorsHeader.Entry) throws {
        guard let factor = PEFTName(entry.name), entry.shape.count == 2 else { return }
        let rank = own[factor.module] ?? usual
        let isA = factor.name.hasSuffix(".lora_A.weight")
        guard entry.shape[isA ? 0 : 1] == rank else {
            let expected = isA ? [rank, entry.shape[1]] : [entry.shape[0], rank]
            throw LanguageModelError.wrongShape(name: entry.name, expected: expected, found: entry.shape)
        }
    }
}

extension SafetensorsWriter.Tensor {
    /// Of a factor, as it is stored.
    fileprivate var rank: Int? {
        guard shape.count == 2 else { return nil }
        return name.hasSuffix(".lora_A.weight") ? shape[0] : name.hasSuffix(".lora_B.weight") ? shape[1] : nil
    }

    /// A factor `[rank, inputs]` with further rows of zeros, or `[outputs, rank]` with further columns.
    fileprivate func padded(toRank rank: Int) -> SafetensorsWriter.Tensor {
        guard shape.count == 2, shape[0] > 0, shape[1] > 0 else { return self }
        var wider = self
        if name.hasSuffix(".lora_A.weight"), shape[0] < rank {
            wider.shape[0] = rank
            wider.bytes += [UInt8](repeating: 0, count: (rank - shape[0]) * (bytes.count / shape[0]))
        } else if name.hasSuffix(".lora_B.weight"), shape[1] < rank {
            let row = bytes.count / shape[0]
            let rest = [UInt8](repeating: 0, count: (rank - shape[1]) * (row / shape[1]))
            wider.shape[1] = rank
            wider.bytes = (0..<shape[0]).flatMap { Array(bytes[($0 * row)..<(($0 + 1) * row)]) + rest }
        }
        return wider
    }
}
