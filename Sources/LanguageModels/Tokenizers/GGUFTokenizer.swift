extension BytePairTokenizer {
    /// Reads the tokenizer of a GGUF file of llama.cpp.
    ///
    /// - Throws: `.missingTokenizer` when the file holds none, `.unsupportedCheckpoint` when it is of another kind.
    init(gguf: GGUFFile) throws {
        let path = gguf.file.path
        guard let kind = try gguf.string("tokenizer.ggml.model"), let tokens = try gguf.strings("tokenizer.ggml.tokens")
        else { throw LanguageModelError.missingTokenizer(path: path) }
        let types = try gguf.integers("tokenizer.ggml.token_type") ?? []
        guard types.isEmpty || types.count == tokens.count, !tokens.isEmpty, tokens.count < Int(Int32.max) else {
            throw LanguageModelError.malformedFile(
                path: path, reason: "\(tokens.count) tokens have \(types.count) token types")
        }
        switch kind {
        case "gpt2": try self.init(byteLevel: gguf, tokens: tokens, types: types)
        case "llama": try self.init(sentencePiece: gguf, tokens: tokens, types: types)
        default:
            throw LanguageModelError.unsupportedCheckpoint(
                path: path,
                reason:
                    "a tokenizer of the kind \(kind); byte-level BPE (gpt2) and SentencePiece's BPE (llama) are supported"
            )
        }
    }

    private init(byteLevel gguf: GGUFFile, tokens: [String], types: [Int64]) throws {
        let path = gguf.file.path
        guard let merges = try gguf.strings("tokenizer.ggml.merges") else {
            throw LanguageModelError.malformedFile(path: path, reason: "tokenizer.ggml.merges is missing")
        }
        let splitting = try Self.splitting(named: gguf.string("tokenizer.ggml.pre") ?? "default", path: path)
        var pairs: [(Substring, Substring)] = []
        pairs.reserveCapacity(merges.count)
        for merge in merges { pairs.append(try Self.parts(ofMerge: merge, path: path)) }
        var model = try BytePairModel(
            tokens: zip(tokens, Int32(0)...).lazy.map { (token: $0.0, id: $0.1) }, count: tokens.count, merges: pairs,
            path: path)
        model.ignoresMerges = splitting.ignoresMerges
        let added = Self.addedTokens(tokens, types)
        self.init(
            normalizations: splitting.normalizations,
            blanks: try gguf.bool("tokenizer.ggml.add_space_prefix") ?? false ? .prefixed : .asTheyAre,
            preTokenizer: splitting.preTokenizer, model: .merges(model), addedTokens: AddedTokens(added),
            normalizedTokens: AddedTokens([]),
            spelling: TokenSpelling(alphabet: .bytes, tokens: tokens, plain: Set(added.map(\.id))))
        beginning = try Self.beginning(gguf, isAddedUnlessSaid: splitting.addsBeginning)
    }

    /// As llama.cpp reads it: merges in the file have no say, scores do.
    private init(sentencePiece gguf: GGUFFile, tokens: [String], types: [Int64]) throws {
        let path = gguf.file.path
        func unsupported(_ reason: String) -> LanguageModelError { .unsupportedCheckpoint(path: path, reason: reason) }
        guard let scores = try gguf.floats("tokenizer.ggml.scores"), scores.count == tokens.count, !types.isEmpty else {
            throw LanguageModelError.malformedFile(
                path: path, reason: "a tokenizer of the kind llama needs a score and a type for each token")
        }
        if try gguf.bool("tokenizer.ggml.remove_extra_whitespaces") == true {
            throw unsupported("the tokenizer drops blanks (tokenizer.ggml.remove_extra_whitespaces)")
        }
        guard gguf.metadata["tokenizer.ggml.precompiled_charsmap"] == nil else {
            throw unsupported("the tokenizer has a normaliser of its own (tokenizer.ggml.precompiled_charsmap)")
        }
        var bytes: [UInt8: Int32] = [:]
        var pieces: [ScoredPieceModel.Piece] = []
        for (index, token) in tokens.enumerated() {
            switch types[index] {
            case 1, 4: pieces.append(.init(text: token, id: Int32(index), score: scores[index]))
            case 6:
                guard let byte = ByteToken.byte(of: token) else { throw unsupported("the byte token \(token)") }
                bytes[byte] = Int32(index)
            case 2, 3, 5: break
            default: throw unsupported("the token \(token) of the type \(types[index])")
            }
        }
        let model = try ScoredPieceModel(pieces: pieces, count: tokens.count, bytes: bytes, path: path)
        // Unused pieces stand for what they are merged from, which SentencePiece and llama.cpp do not agree on.
        // Real ones are short; a hostile one would cost the square of its length.
        for (index, token) in tokens.enumerated()
        where types[index] == 5 && (token.utf8.count > 512 || model.canMerge(to: token)) {
            throw unsupported("the token \(token.prefix(64)), which is unused and can be merged")
        }
        let added = Self.addedTokens(tokens, types)
        let isPrefixed = try gguf.bool("tokenizer.ggml.add_space_prefix") ?? true
        let mark = Normalization.mark
        self.init(
            normalizations: (isPrefixed ? [.prepended(" ")] : []) + [.replaced(" ", by: mark)], blanks: .asTheyAre,
            preTokenizer: PreTokenizer(steps: []), model: .scores(model), addedTokens: AddedTokens(added),
            normalizedTokens: AddedTokens([]),
            spelling: TokenSpelling(
                alphabet: .marked(mark, isPrefixed: isPrefixed), tokens: tokens, plain: Set(added.map(\.id))))
        beginning = try Self.beginning(gguf, isAddedUnlessSaid: true, unlessNamed: 1)
    }

    /// Kinds of ggml: 2 unknown, 3 control, 4 user-defined.
    private static func addedTokens(_ tokens: [String], _ types: [Int64]) -> [AddedTokens.Token] {
        types.indices.filter { (2...4).contains(types[$0]) }.map {
            AddedTokens.Token(id: Int32($0), content: tokens[$0], isControl: types[$0] != 4)
        }
    }

    /// llama.cpp puts the token that begins a sequence in front of a text where the file asks for it; of Llama 3's family, of
    /// Mistral-Nemo's and with SentencePiece also where it does not say.
    ///
    /// - Parameter usual: the id of that token where the file does not name it.
    private static func beginning(
        _ gguf: GGUFFile, isAddedUnlessSaid: Bool, unlessNamed usual: Int32? = nil
    ) throws -> [Int32] {
        let path = gguf.file.path
        for behind in ["add_eos_token", "add_sep_token"] where try gguf.bool("tokenizer.ggml.\(behind)") == true {
            throw LanguageModelError.unsupportedCheckpoint(
                path: path, reason: "it asks for a token behind every text (tokenizer.ggml.\(behind))")
        }
        guard try gguf.bool("tokenizer.ggml.add_bos_token") ?? isAddedUnlessSaid else { return [] }
        let named = try gguf.integer("tokenizer.ggml.bos_token_id")
        guard let id = named.map(Int32.init(exactly:)) ?? usual, id >= 0 else {
            throw LanguageModelError.malformedFile(
                path: path,
                reason: "a token begins every text (tokenizer.ggml.add_bos_token), and bos_token_id does not say which")
        }
        return [id]
    }

    private struct Splitting {
        var preTokenizer: PreTokenizer
        var normalizations: [Normalization] = []
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
            return Splitting(preTokenizer: PreTokenizer(steps: [.pattern(.qwen2)]), normalizations: [.composed])
        case "tekken":
            return Splitting(
                preTokenizer: PreTokenizer(steps: [.pattern(.tekken)]), ignoresMerges: true, addsBeginning: true)
        case "gpt-4o": return Splitting(preTokenizer: PreTokenizer(steps: [.pattern(.o200k)]))
        case "smaug-bpe": return Splitting(preTokenizer: PreTokenizer(steps: [.pattern(.llama3)]))
        default:
            throw LanguageModelError.unsupportedCheckpoint(
                path: path,
                reason:
                    "the pre-tokenizer \(name); smollm, gpt-2, llama-bpe, smaug-bpe, qwen2, tekken and gpt-4o are supported"
            )
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
