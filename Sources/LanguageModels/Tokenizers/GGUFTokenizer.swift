extension BytePairTokenizer {
    /// Reads the tokenizer of a GGUF file of llama.cpp.
    ///
    /// - Throws: `.missingTokenizer` when the file holds none, `.unsupportedCheckpoint` when it is of another kind.
    init(gguf: GGUFFile) throws {
        let path = gguf.file.path
        guard let kind = try gguf.string("tokenizer.ggml.model"), let tokens = try gguf.strings("tokenizer.ggml.tokens")
        else { throw LanguageModelError.missingTokenizer(path: path) }
        guard kind == "gpt2" else {
            throw LanguageModelError.unsupportedCheckpoint(
                path: path, reason: "a tokenizer of the kind \(kind); byte-level BPE (gpt2) is supported")
        }
        guard let merges = try gguf.strings("tokenizer.ggml.merges") else {
            throw LanguageModelError.malformedFile(path: path, reason: "tokenizer.ggml.merges is missing")
        }
        let types = try gguf.integers("tokenizer.ggml.token_type") ?? []
        guard types.isEmpty || types.count == tokens.count, !tokens.isEmpty, tokens.count < Int(Int32.max) else {
            throw LanguageModelError.malformedFile(
                path: path, reason: "\(tokens.count) tokens have \(types.count) token types")
        }
        let splitting = try Self.splitting(named: gguf.string("tokenizer.ggml.pre") ?? "default", path: path)
        var pairs: [(Substring, Substring)] = []
        pairs.reserveCapacity(merges.count)
        for merge in merges { pairs.append(try Self.parts(ofMerge: merge, path: path)) }
        var model = try BytePairModel(
            tokens: zip(tokens, Int32(0)...).lazy.map { (token: $0.0, id: $0.1) }, count: tokens.count, merges: pairs,
            path: path)
        model.ignoresMerges = splitting.ignoresMerges
        // Kinds of ggml: 2 unknown, 3 control, 4 user-defined.
        let added = types.indices.filter { (2...4).contains(types[$0]) }
        self.init(
            normalizer: splitting.normalizer, preTokenizer: splitting.preTokenizer, model: model,
            addedTokens: AddedTokens(
                added.map { AddedTokens.Token(id: Int32($0), content: tokens[$0], isControl: types[$0] != 4) }),
            normalizedTokens: AddedTokens([]),
            addsPrefixSpace: try gguf.bool("tokenizer.ggml.add_space_prefix") ?? false, tokens: tokens,
            plain: Set(added.map { Int32($0) }))
        beginning = try Self.beginning(gguf, isAddedUnlessSaid: splitting.addsBeginning)
    }

    /// llama.cpp puts the token that begins a sequence in front of a text where the file asks for it; of Llama 3's family also
    /// where it does not say.
    private static func beginning(_ gguf: GGUFFile, isAddedUnlessSaid: Bool) throws -> [Int32] {
        let path = gguf.file.path
        for behind in ["add_eos_token", "add_sep_token"] where try gguf.bool("tokenizer.ggml.\(behind)") == true {
            throw LanguageModelError.unsupportedCheckpoint(
                path: path, reason: "it asks for a token behind every text (tokenizer.ggml.\(behind))")
        }
        guard try gguf.bool("tokenizer.ggml.add_bos_token") ?? isAddedUnlessSaid else { return [] }
        guard let id = try gguf.integer("tokenizer.ggml.bos_token_id").flatMap(Int32.init(exactly:)), id >= 0 else {
            throw LanguageModelError.malformedFile(
                path: path,
                reason: "a token begins every text (tokenizer.ggml.add_bos_token), and bos_token_id does not say which")
        }
        return [id]
    }

    private struct Splitting {
        var preTokenizer: PreTokenizer
        var normalizer = Normalizer.none
        var ignoresMerges = false
        /// Whether a text begins with a special token where the file does not say.
        var addsBeginning = false
    }

    /// llama.cpp names the splitting by the model family that uses it.
    private static func splitting(named name: String, path: String) throws -> Splitting {
        switch name {
        case "smollm":
            return Splitting(preTokenizer: PreTokenizer(steps: [.digits(individual: true), .pattern(.gpt2)]))
        case "gpt-2":
            return Splitting(preTokenizer: PreTokenizer(steps: [.pattern(.gpt2)]))
        case "llama-bpe", "llama-v3", "llama3":
            return Splitting(
                preTokenizer: PreTokenizer(steps: [.pattern(.llama3)]), ignoresMerges: true, addsBeginning: true)
        case "qwen2":
            return Splitting(preTokenizer: PreTokenizer(steps: [.pattern(.qwen2)]), normalizer: .composed)
        default:
            throw LanguageModelError.unsupportedCheckpoint(
                path: path,
                reason: "the pre-tokenizer \(name); smollm, gpt-2, llama-bpe and qwen2 are supported")
        }
    }

    /// The two sides of a merge written with a blank between them.
    static func parts(ofMerge merge: String, path: String) throws -> (Substring, Substring) {
        let parts = merge.split(separator: " ", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty else {
            throw LanguageModelError.malformedFile(path: path, reason: "the merge \"\(merge)\" is not a pair of tokens")
        }
        return (parts[0], parts[1])
    }
}
