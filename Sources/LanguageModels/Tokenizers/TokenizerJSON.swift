extension BytePairTokenizer {
    /// Reads a `tokenizer.json` of the reference `tokenizers` library.
    ///
    /// What the library can do and this package cannot is refused by name, so that no text is ever encoded differently.
    /// A post-processor may put special tokens in front of the text (`beginning`), nothing behind it: there the answer stands.
    init(json: JSONValue, path: String) throws {
        let reader = TokenizerJSON(json: json, path: path)
        let splitting = try reader.splitting()
        let normalizations = try [Normalization](json["normalizer"], path: path)
        if case .marked = splitting.blanks,
            normalizations.contains(where: { if case .prepended = $0 { true } else { false } })
        {
            throw LanguageModelError.unsupportedCheckpoint(
                path: path, reason: "the tokenizer has a Metaspace pre-tokenizer behind a Prepend normalizer")
        }
        let (model, tokens) = try reader.model(isByteLevel: splitting.isByteLevel)
        let (added, normalized) = try reader.addedTokens()
        // The library takes the vocabulary's word for an id, whatever stands with the added token.
        let contents = Dictionary((added + normalized).map { (Array($0.content.utf8), $0) }) { first, _ in first }
        for (id, text) in tokens.enumerated() {
            guard let text, let token = contents[Array(text.utf8)], Int(token.id) != id else { continue }
            throw LanguageModelError.malformedFile(
                path: path, reason: "the added token \(text) has the id \(token.id), and \(id) in the vocabulary")
        }
        var texts = tokens
        var plain: Set<Int32> = []
        for token in added + normalized {
            while texts.count <= Int(token.id) { texts.append(nil) }
            texts[Int(token.id)] = token.content
            plain.insert(token.id)
        }
        var mark = Normalization.mark
        if case .marked(let metaspace) = splitting.blanks { mark = metaspace.mark }
        let isPrefixed =
            switch splitting.blanks {
            case .asTheyAre: normalizations.contains(.prepended(String(mark)))
            case .prefixed: true
            case .marked(let metaspace): metaspace.prefix != .never
            }
        self.init(
            normalizations: normalizations, blanks: splitting.blanks,
            preTokenizer: PreTokenizer(steps: splitting.steps), model: .merges(model),
            addedTokens: AddedTokens(added),
            // Found in normalised texts, they are normalised themselves.
            normalizedTokens: AddedTokens(
                normalized.map { token in
                    var token = token
                    token.content = String(normalizations.applied(to: token.content[...]))
                    return token
                }),
            spelling: TokenSpelling(
                alphabet: splitting.isByteLevel ? .bytes : .marked(mark, isPrefixed: isPrefixed), tokens: texts,
                plain: plain))
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

    struct Splitting {
        var steps: [PreTokenizer.Step] = []
        var blanks = BytePairTokenizer.Blanks.asTheyAre
        var isByteLevel = false
    }

    /// Byte-level tokenizers have a ByteLevel pre-tokenizer, behind others that split; SentencePiece's have Metaspace or none.
    func splitting() throws -> Splitting {
        var splitting = Splitting()
        guard let preTokenizer = json["pre_tokenizer"] else { return splitting }
        let isSequence = type(preTokenizer) == "Sequence"
        let parts = isSequence ? preTokenizer["pretokenizers"]?.array ?? [] : [preTokenizer]
        if parts.count == 1, type(parts[0]) == "Metaspace" {
            let metaspace = try Metaspace(parts[0], path: path)
            splitting.blanks = .marked(metaspace)
            if metaspace.splits { splitting.steps = [.before(metaspace.mark)] }
            return splitting
        }
        for part in parts {
            guard !splitting.isByteLevel else { throw unsupported("\(type(part)) behind ByteLevel") }
            switch type(part) {
            case "Digits":
                splitting.steps.append(.digits(individual: part["individual_digits"]?.bool ?? false))
            case "Split": splitting.steps.append(.pattern(try pattern(of: part)))
            case "ByteLevel":
                splitting.isByteLevel = true
                let addsPrefix = part["add_prefix_space"]?.bool ?? true
                guard !addsPrefix || splitting.steps.isEmpty else {
                    throw unsupported("ByteLevel with add_prefix_space behind another pre-tokenizer")
                }
                if addsPrefix { splitting.blanks = .prefixed }
                if part["use_regex"]?.bool ?? true { splitting.steps.append(.pattern(.gpt2)) }
            default:
                throw unsupported(
                    "the pre-tokenizer \(type(part)); ByteLevel, with Digits and Split before it, or Metaspace alone are "
                        + "supported")
            }
        }
        guard splitting.isByteLevel || parts.isEmpty else {
            throw unsupported("the pre-tokenizer \(type(parts[0])) without ByteLevel")
        }
        return splitting
    }

    private func pattern(of split: JSONValue) throws -> SplitPattern {
        guard let expression = split["pattern"]?["Regex"]?.string, let pattern = SplitPattern(expression: expression)
        else {
            let found = split["pattern"]?["Regex"]?.string ?? split["pattern"]?["String"]?.string ?? "(none)"
            throw unsupported("the unknown splitting pattern \(found)")
        }
        // The known patterns find all of a text: to drop what they do not find is the same as to isolate what they do.
        switch (split["behavior"]?.string ?? "(none)", split["invert"]?.bool ?? false) {
        case ("Isolated", _), ("Removed", true): break
        default: throw unsupported("a Split that does not isolate what it finds")
        }
        return pattern
    }

    /// The model and the token of each id.
    func model(isByteLevel: Bool) throws -> (BytePairModel, [String?]) {
        guard let model = json["model"] else { throw malformed("the tokenizer has no model") }
        // Old files leave the type out; byte-pair encoding is the one with merges.
        let kind = model["type"]?.string ?? (model["merges"] == nil ? "unknown" : "BPE")
        guard kind == "BPE" else { throw unsupported("a model of the type \(kind); BPE is supported") }
        if let dropout = model["dropout"]?.number, dropout != 0 { throw unsupported("dropout") }
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] {
            if let affix = model[key]?.string, !affix.isEmpty { throw unsupported("\(key) \"\(affix)\"") }
        }
        let byteFallback = model["byte_fallback"]?.bool ?? false
        guard !(byteFallback && isByteLevel) else { throw unsupported("byte_fallback beside ByteLevel") }
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
        var pairModel = try BytePairModel(
            tokens: entries, count: entries.count, merges: pairs,
            alphabet: isByteLevel ? .bytes : .characters(byteFallback: byteFallback), path: path)
        if let unknown = model["unk_token"]?.string {
            pairModel.unknown = entries.first { Array($0.token.utf8) == Array(unknown.utf8) }?.id
            // The library looks it up when it needs it, and fails where it stands among the added tokens alone.
            guard pairModel.unknown != nil || !pairModel.canMeetUnknown else {
                throw malformed("the unknown token \(unknown) is not in the vocabulary")
            }
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
