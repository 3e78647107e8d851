import Files

extension AdapterLayout.Site {
    /// PEFT's name of A, `[rank, inputs]`.
    public var nameA: String { "\(module).lora_A.weight" }
    /// PEFT's name of B, `[outputs, rank]`.
    public var nameB: String { "\(module).lora_B.weight" }

    private var module: String { "base_model.model.model.layers.\(layer).\(site.module)" }
}

/// A factor's name in a file of PEFT's. A checkpoint of a training has the adapter's own name in it, "lora_A.default.weight".
struct PEFTName: Hashable {
    var site: LinearSite? { LinearSite(rawValue: module) }
    /// "q_proj"
    var module: String
    /// As `AdapterLayout.Site` spells it.
    var name: String

    /// nil: no factor of a LoRA.
    init?(_ stored: String) {
        var parts = stored.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
        guard let factor = parts.lastIndex(where: { ["lora_A", "lora_B"].contains($0) }), factor > 0 else { return nil }
        if parts.count == factor + 3, parts[factor + 1] == "default" { parts.remove(at: factor + 1) }
        module = parts[factor - 1]
        name = parts.joined(separator: ".")
    }
}

extension Adapter {
    static let alphaKey = "lora_alpha"

    /// The adapter as a safetensors file with PEFT's tensor names: the same adapter always gives the same bytes, and two
    /// adapters that act differently give different ones (alpha stands in the metadata).
    public func safetensorsBytes() -> [UInt8] {
        var tensors: [SafetensorsWriter.Tensor] = []
        tensors.reserveCapacity(layout.sites.count * 2)
        for part in layout.parts {
            tensors.append(SafetensorsWriter.Tensor(name: part.name, shape: part.shape, floats: values[part.range]))
        }
        let alpha = layout.configuration.alpha
        return SafetensorsWriter.bytes(of: tensors, metadata: [("format", "pt"), (Self.alphaKey, "\(alpha)")])
    }

    /// Reads what `safetensorsBytes()` or PEFT wrote. 16-bit floats are widened, which loses nothing.
    ///
    /// - Throws: `.malformedFile`; `.wrongShape` for a factor of another shape; `.adapterMismatch` when a factor is missing,
    ///   when the file holds anything else or was written for another alpha.
    public init(safetensors bytes: [UInt8], layout: AdapterLayout) throws {
        try self.init(layout: layout, path: "adapter") { body in try bytes.withUnsafeBytes(body) }
    }

    init(
        layout: AdapterLayout, path: String,
        withBytes: ((UnsafeRawBufferPointer) throws -> Void) throws -> Void
    ) throws {
        var values: [Float] = []
        try withBytes { bytes in
            let header = try SafetensorsHeader(bytes, path: path)
            if let alpha = header.metadata.first(where: { $0.key == Self.alphaKey })?.value,
                Double(alpha) != layout.configuration.alpha
            {
                throw LanguageModelError.adapterMismatch(
                    reason: "it was made with alpha \(alpha), not \(layout.configuration.alpha)")
            }
            var entries: [String: SafetensorsHeader.Entry] = [:]
            for entry in header.entries {
                let name = PEFTName(entry.name)?.name ?? entry.name
                guard entries.updateValue(entry, forKey: name) == nil else {
                    throw LanguageModelError.adapterMismatch(reason: "it holds the tensor \(name) twice")
                }
            }
            let parts = layout.parts
            var found: [(part: AdapterLayout.Part, entry: SafetensorsHeader.Entry, encoding: TensorEncoding)] = []
            for part in parts {
                guard let entry = entries.removeValue(forKey: part.name) else {
                    throw LanguageModelError.adapterMismatch(reason: "it lacks the tensor \(part.name)")
                }
                guard entry.shape == part.shape else {
                    throw LanguageModelError.wrongShape(name: part.name, expected: part.shape, found: entry.shape)
                }
                guard let encoding = TensorEncoding(rawValue: entry.type), encoding.block.values == 1 else {
                    throw LanguageModelError.adapterMismatch(
                        reason: "the tensor \(part.name) is \(entry.type); F32, F16 and BF16 are supported")
                }
                found.append((part, entry, encoding))
            }
            if let surplus = entries.keys.min() {
                throw LanguageModelError.adapterMismatch(reason: "it also holds the tensor \(surplus)")
            }
            // Only now: what is asked for does not bound the memory, what the file holds does.
            values = [Float](repeating: 0, count: layout.count)
            for (part, entry, encoding) in found {
                values.withUnsafeMutableBufferPointer { target in
                    encoding.decode(
                        UnsafeRawBufferPointer(rebasing: bytes[entry.range]),
                        into: UnsafeMutableBufferPointer(rebasing: target[part.range]))
                }
            }
        }
        self.init(layout: layout, values: values)
    }

    /// SHA-256 of `safetensorsBytes()` in hexadecimal: what the adapter is called everywhere.
    public var contentName: String { sha256(safetensorsBytes()) }

    /// - Throws: `LanguageModelError.notFinite` naming the first tensor that holds a NaN or an infinity.
    public func checkFinite() throws {
        for part in layout.parts {
            let allFinite = values.withUnsafeBufferPointer { values in
                // A sum over x·0 is NaN exactly when some x is not finite, and needs no branch.
                values[part.range].reduce(into: Float(0)) { $0 += $1 * 0 } == 0
            }
            guard allFinite else { throw LanguageModelError.notFinite(name: part.name) }
        }
    }
}

extension AdapterLayout {
    struct Part {
        var name: String
        /// Row-major.
        var shape: [Int]
        /// Place in `Adapter.values`.
        var range: Range<Int>
    }

    /// The factors one by one, in the order of storage.
    var parts: [Part] {
        let rank = configuration.rank
        return sites.flatMap { site in
            [
                Part(
                    name: site.nameA, shape: [rank, site.inputs],
                    range: site.offsetA..<site.offsetA + rank * site.inputs),
                Part(
                    name: site.nameB, shape: [site.outputs, rank],
                    range: site.offsetB..<site.offsetB + site.outputs * rank),
            ]
        }
    }
}
