import Foundation

/// The tensors of a directory in Hugging Face's layout, under whatever names they stand there.
struct HuggingFaceTensors {
    private let directory: String
    /// The file that holds each stored name.
    private let places: [String: String]
    private let spelling: Spelling

    /// How models that are more than a decoder, or less, name the decoder's tensors.
    private enum Spelling: CaseIterable {
        case plain
        /// Models of text and images, in the layout of Transformers 4 and of 5; Idefics and SmolVLM.
        case languageModel, modelLanguageModel, modelTextModel
        /// A decoder that was saved without its head.
        case bare

        func name(_ name: String) -> String {
            let inner = name.hasPrefix("model.") ? String(name.dropFirst("model.".count)) : nil
            switch self {
            case .plain: return name
            case .languageModel: return "language_model.\(name)"
            case .modelLanguageModel: return inner.map { "model.language_model.\($0)" } ?? name
            case .modelTextModel: return inner.map { "model.text_model.\($0)" } ?? name
            case .bare: return inner ?? name
            }
        }
    }

    init(directory: String) throws {
        self.directory = directory
        let single = "\(directory)/model.safetensors"
        let index = "\(single).index.json"
        if FileManager.default.fileExists(atPath: index), !FileManager.default.fileExists(atPath: single) {
            places = try Self.shardNames(index: index)
        } else {
            let file = try MappedFile(path: single)
            let entries = try file.withBytes { try SafetensorsHeader($0, path: single) }.entries
            places = Dictionary(entries.map { ($0.name, "model.safetensors") }) { first, _ in first }
        }
        let places = places
        spelling = Spelling.allCases.first { places[$0.name("model.embed_tokens.weight")] != nil } ?? .plain
    }

    /// The decoder's tensors under the names of `ModelConfiguration.expectedTensors`; those that are not there are left out.
    func stored(_ names: [String], _ configuration: ModelConfiguration) throws -> [String: StoredTensor] {
        var sources: [(name: String, source: String, rows: StackedRows?)] = []
        for name in names {
            if configuration.family == .phi3, let (source, rows) = configuration.fusedSource(of: name) {
                sources.append((name, spelling.name(source), rows))
            } else {
                sources.append((name, spelling.name(name), nil))
            }
        }
        var found: [String: StoredTensor] = [:]
        for place in Set(sources.compactMap { places[$0.source] }).sorted() {
            let wanted = Set(sources.filter { places[$0.source] == place }.map(\.source))
            found.merge(try read("\(directory)/\(place)", names: wanted)) { first, _ in first }
        }
        var tensors: [String: StoredTensor] = [:]
        for (name, source, rows) in sources {
            guard let whole = found[source] else { continue }
            guard let rows else {
                tensors[name] = whole
                continue
            }
            guard let part = whole.part(rows) else {
                throw LanguageModelError.malformedFile(
                    path: directory,
                    reason: "the tensor \(source) of shape \(whole.shape) is no stack of \(rows.total) rows")
            }
            tensors[name] = part
        }
        return tensors
    }

    /// The file that holds each tensor.
    private static func shardNames(index path: String) throws -> [String: String] {
        let file = try MappedFile(path: path)
        let map = try file.withBytes { try JSONParser.parse($0, path: path) }["weight_map"]?.members
        guard let map else { throw LanguageModelError.malformedFile(path: path, reason: "weight_map is missing") }
        var places: [String: String] = [:]
        for (name, place) in map {
            guard let shard = place.string, !shard.isEmpty, !shard.contains("/"), shard != ".." else {
                throw LanguageModelError.malformedFile(
                    path: path, reason: "the place of \(name) is not a file of this directory")
            }
            places[name] = shard
        }
        return places
    }

    private func read(_ path: String, names wanted: Set<String>) throws -> [String: StoredTensor] {
        let file = try MappedFile(path: path)
        let header = try file.withBytes { try SafetensorsHeader($0, path: path) }
        var tensors: [String: StoredTensor] = [:]
        for entry in header.entries where wanted.contains(entry.name) {
            guard let encoding = TensorEncoding(rawValue: entry.type), encoding.block.values == 1 else {
                throw LanguageModelError.unsupportedCheckpoint(
                    path: path, reason: "the tensor \(entry.name) is \(entry.type); F32, F16 and BF16 are supported")
            }
            tensors[entry.name] = try StoredTensor(
                name: entry.name, file: file, encoding: encoding, shape: entry.shape, start: entry.range.lowerBound)
        }
        return tensors
    }
}
