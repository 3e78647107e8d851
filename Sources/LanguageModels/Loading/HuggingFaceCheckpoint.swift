import Crypto
import Foundation

/// Opens a directory in the layout of Hugging Face: `config.json`, `tokenizer.json`, and `model.safetensors` or the
/// shards that `model.safetensors.index.json` lists.
enum HuggingFaceCheckpoint {
    static func load(directory: String) throws -> LoadedModel {
        let config = try MappedFile(path: "\(directory)/config.json")
        let configuration = try config.withBytes {
            try HuggingFaceConfiguration(config: JSONParser.parse($0, path: config.path), path: config.path)
                .configuration()
        }
        let (tokenizer, digest) = try tokenizer(directory: directory)
        let checkpoint = try StoredCheckpoint(
            configuration: configuration, tensors: tensors(directory: directory, configuration), tokenizer: digest)
        return try LoadedModel(
            checkpoint: checkpoint, tokenizer: tokenizer.forPrompts(rows: configuration.vocabulary, path: directory),
            path: directory)
    }

    private static func tokenizer(directory: String) throws -> (BytePairTokenizer, SHA256Digest) {
        let path = "\(directory)/tokenizer.json"
        guard FileManager.default.fileExists(atPath: path) else {
            throw LanguageModelError.missingTokenizer(path: directory)
        }
        let file = try MappedFile(path: path)
        var (tokenizer, digest) = try file.withBytes {
            (try BytePairTokenizer(json: JSONParser.parse($0, path: path), path: path), SHA256.hash(data: $0))
        }
        if let configuration = try TokenizerConfiguration(directory: directory) {
            tokenizer.beginning = try configuration.beginning(tokenizer)
        }
        return (tokenizer, tokenizer.digest(ofFile: digest))
    }

    private static func tensors(
        directory: String, _ configuration: ModelConfiguration
    ) throws -> [String: StoredTensor] {
        let single = "\(directory)/model.safetensors"
        let index = "\(single).index.json"
        let needed = configuration.expectedTensors.map(\.name)
        if FileManager.default.fileExists(atPath: index), !FileManager.default.fileExists(atPath: single) {
            let places = try shardNames(index: index)
            var tensors: [String: StoredTensor] = [:]
            for shard in Set(needed.compactMap { places[$0] }).sorted() {
                let names = needed.filter { places[$0] == shard }
                tensors.merge(try read("\(directory)/\(shard)", names: names)) { first, _ in first }
            }
            return tensors
        }
        return try read(single, names: needed)
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

    private static func read(_ path: String, names: [String]) throws -> [String: StoredTensor] {
        let file = try MappedFile(path: path)
        let header = try file.withBytes { try SafetensorsHeader($0, path: path) }
        let wanted = Set(names)
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
