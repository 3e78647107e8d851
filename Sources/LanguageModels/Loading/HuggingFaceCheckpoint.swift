import Crypto
import Foundation

/// Opens a directory in the layout of Hugging Face: `config.json`, `tokenizer.json`, and `model.safetensors` or the
/// shards that `model.safetensors.index.json` lists.
enum HuggingFaceCheckpoint {
    static func load(directory: String) throws -> LoadedModel {
        let config = try MappedFile(path: "\(directory)/config.json")
        var configuration = try config.withBytes {
            try HuggingFaceConfiguration(config: JSONParser.parse($0, path: config.path), path: config.path)
                .configuration()
        }
        let (tokenizer, digest) = try tokenizer(directory: directory)
        let files = try HuggingFaceTensors(directory: directory)
        var tensors = try files.stored(configuration.expectedTensors.map(\.name), configuration)
        var warnings: [String] = []
        // As Transformers 5: what the file holds counts for more than what the configuration says of it.
        let head = "lm_head.weight"
        if configuration.tiedEmbeddings, let own = try files.stored([head], configuration)[head],
            let embedding = tensors["model.embed_tokens.weight"], !own.holdsSame(as: embedding)
        {
            configuration.tiedEmbeddings = false
            tensors[head] = own
            warnings.append(
                "\(directory) says that its embeddings are tied (tie_word_embeddings), and has an lm_head.weight of other "
                    + "values: that is used, as in Transformers 5")
        }
        let checkpoint = try StoredCheckpoint(configuration: configuration, tensors: tensors, tokenizer: digest)
        return try LoadedModel(
            checkpoint: checkpoint, tokenizer: tokenizer.forPrompts(rows: configuration.vocabulary, path: directory),
            path: directory, warnings: warnings)
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
}
