extension BytePairTokenizer {
    /// Reads a `tokenizer.json` of the reference `tokenizers` library.
    ///
    /// What the library can do and this package cannot is refused by name, so that no text is ever encoded differently.
    /// A post-processor may put special tokens in front of the text (`beginning`), nothing behind it: there the answer stands.
    init(json: JSONValue, path: String) throws {
        let reader = TokenizerJSON(json: json, path: path)
        let splitting = try reader.splitting()
        let (model, tokens) = try reader.model()
        let (added, normalized) = try reader.addedTokens()
        var texts = tokens
        var plain: Set<Int32> = []
        for token in added + normalized {
            while texts.count <= Int(token.id) { texts.append(nil) }
            texts[Int(token.id)] = token.content
            plain.insert(token.id)
        }
        self.init(
            normalizer: try reader.normalizer(), preTokenizer: PreTokenizer(steps: splitting.steps), model: model,
            addedTokens: AddedTokens(added), normalizedTokens: AddedTokens(normalized),
            addsPrefixSpace: splitting.addsPrefixSpace, tokens: texts, plain: plain)
        beginning = try PostProcessor(json["post_processor"], path: path).beginning
    }
}

/// The tokenizer that the bytes of a `tokenizer.json` describe; `path` is for messages.
package func loadTokenizer(json bytes: [UInt8], path: String) throws -> any Tokenizer {
    try bytes.withUnsafeBytes { try BytePairTokenizer(json: JSONParser.parse($0, path: path), path: path) }
}

/// The parts of a `tokenizer.json`.
private struct TokenizerJSON {
    /// Far beyond any real vocabulary; keeps hostile ids from costing memory.
    private static let maximumTokens = 1 << 24

    let json: JSONValue
    let path: String

    private func unsupported(_ reason: String) -> LanguageModelError {
        .unsupportedCheckpoint(path: path, reason: "the tokenizer has \(reason)")
    }

    private func malformed(_ reason: String) -> LanguageModelError {
        .malformedFile(path: path, reason: reason)
    }

    private func type(_ value: JSONValue) -> String { value["type"]?.string ?? "unknown" }

    func normalizer() throws -> BytePairTokenizer.Normalizer {
        guard let normalizer = json["normalizer"] else { return .none }
        switch type(normalizer) {
        case "NFC": return .composed
        case "Sequence" where normalizer["normalizers"]?.array?.isEmpty == true: return .none
        default: throw unsupported("the normalizer \(type(normalizer)); NFC is supported")
        }
    }

    struct Splitting {
        var steps: [PreTokenizer.Step] = []
        var addsPrefixSpace = false
        var isByteLevel = false
    }

    func splitting() throws -> Splitting {
        guard let preTokenizer = json["pre_tokenizer"] else {
            throw unsupported("no pre-tokenizer, as SentencePiece's have none; only byte-level BPE is supported")
        }
        var splitting = Splitting()
        let isSequence = type(preTokenizer) == "Sequence"
        let parts = isSequence ? preTokenizer["pretokenizers"]?.array ?? [] : [preTokenizer]
        for part in parts {
            guard !splitting.isByteLevel else { throw unsupported("\(type(part)) behind ByteLevel") }
            switch type(part) {
            case "Digits":
                splitting.steps.append(.digits(individual: part["individual_digits"]?.bool ?? false))
            case "Split": splitting.steps.append(.pattern(try pattern(of: part)))
            case "ByteLevel":
                splitting.isByteLevel = true
                splitting.addsPrefixSpace = part["add_prefix_space"]?.bool ?? true
                guard !splitting.addsPrefixSpace || splitting.steps.isEmpty else {
                    throw unsupported("ByteLevel with add_prefix_space behind another pre-tokenizer")
                }
                if part["use_regex"]?.bool ?? true { splitting.steps.append(.pattern(.gpt2)) }
            default: throw unsupported("the pre-tokenizer \(type(part)); ByteLevel, Digits and Split are supported")
            }
        }
        guard splitting.isByteLevel else {
            throw unsupported("no ByteLevel pre-tokenizer; only byte-level BPE is supported")
        }
        return splitting
    }

    private func pattern(of split: JSONValue) throws -> SplitPattern {
        guard let expression = split["pattern"]?["Regex"]?.string, let pattern = SplitPattern(expression: expression)
        else {
            let found = split["pattern"]?["Regex"]?.string ?? split["pattern"]?["String"]?.string ?? "(none)"
            throw unsupported("the unknown splitting pattern \(found)")
        }
        guard split["behavior"]?.string == "Isolated", split["invert"]?.bool != true else {
            throw unsupported("a Split that does not isolate what it finds")
        }
        return pattern
    }

    /// The model and the token of each id.
    func model() throws -> (BytePairModel, [String?]) {
        guard let model = json["model"] else { throw malformed("the tokenizer has no model") }
        // Old files leave the type out; byte-pair encoding is the one with merges.
        let kind = model["type"]?.string ?? (model["merges"] == nil ? "unknown" : "BPE")
        guard kind == "BPE" else { throw unsupported("a model of the type \(kind); BPE is supported") }
        if let dropout = model["dropout"]?.number, dropout != 0 { throw unsupported("dropout") }
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let affix = model[key]?.string, !affix.isEmpty { throw unsupported("\(key) \"\(affix)\"") }
        }
        if model["byte_fallback"]?.bool == true { throw unsupported("byte_fallback; byte-level BPE is supported") }
        guard let vocabulary = model["vocab"]?.members, let merges = model["merges"]?.array else {
            throw malformed("the tokenizer's model lacks vocab or merges")
        }
        var entries: [(token: String, id: Int32)] = []
        entries.reserveCapacity(vocabulary.count)
        var tokens = [String?](repeating: nil, count: vocabulary.count)
        for (token, value) in vocabulary {
            let id = try id(value, of: token)
            entries.append((token, id))
            while tokens.count <= Int(id) { tokens.append(nil) }
            tokens[Int(id)] = token
        }
        var pairs: [(Substring, Substring)] = []
        pairs.reserveCapacity(merges.count)
        for merge in merges { pairs.append(try pair(merge)) }
        var pairModel = try BytePairModel(tokens: entries, count: entries.count, merges: pairs, path: path)
        if let unknown = model["unk_token"]?.string {
            guard let id = entries.first(where: { $0.token == unknown })?.id else {
                throw malformed("the unknown token \(unknown) is not in the vocabulary")
            }
            pairModel.unknown = id
        }
        pairModel.fusesUnknown = model["fuse_unk"]?.bool ?? false
        pairModel.ignoresMerges = model["ignore_merges"]?.bool ?? false
        return (pairModel, tokens)
    }

    private func pair(_ merge: JSONValue) throws -> (Substring, Substring) {
        if let text = merge.string { return try BytePairTokenizer.parts(ofMerge: text, path: path) }
        guard let parts = merge.array, parts.count == 2, let left = parts[0].string, let right = parts[1].string else {
            throw malformed("a merge is not a pair of tokens")
        }
        return (left[...], right[...])
    }

    private func id(_ value: JSONValue?, of token: String) throws -> Int32 {
        guard let id = value?.integer, (0..<Self.maximumTokens).contains(id) else {
            throw malformed("the token \(token) has no valid id")
        }
        return Int32(id)
    }

    /// Tokens to find in the text as it stands, and in the normalised text.
    func addedTokens() throws -> (asItStands: [AddedTokens.Token], normalized: [AddedTokens.Token]) {
        var asItStands: [AddedTokens.Token] = []
        var normalized: [AddedTokens.Token] = []
        for entry in json["added_tokens"]?.array ?? [] {
            guard let content = entry["content"]?.string else { throw malformed("an added token has no content") }
            let token = AddedTokens.Token(
                id: try id(entry["id"], of: content), content: content,
                singleWord: entry["single_word"]?.bool ?? false, stripsLeft: entry["lstrip"]?.bool ?? false,
                stripsRight: entry["rstrip"]?.bool ?? false, isControl: entry["special"]?.bool ?? false)
            if entry["normalized"]?.bool ?? !(entry["special"]?.bool ?? false) {
                normalized.append(token)
            } else {
                asItStands.append(token)
            }
        }
        return (asItStands, normalized)
    }
}
