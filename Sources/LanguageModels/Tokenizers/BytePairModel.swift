/// The vocabulary and the merges of a byte-pair tokenizer.
struct BytePairModel: Sendable {
    /// What merging starts from.
    enum Alphabet: Hashable, Sendable {
        /// Bytes, which the vocabulary writes in GPT-2's `ByteAlphabet`.
        case bytes
        /// Characters; what the vocabulary lacks may be written as bytes, "<0x0A>" (SentencePiece's byte fallback).
        case characters(byteFallback: Bool)
    }

    let alphabet: Alphabet
    /// Keyed by the bytes that a token stands for.
    private var vocabulary: TokenTable
    private var merges: MergeTable
    /// Id of each single byte; −1 where the vocabulary lacks it.
    private var byteIDs: [Int32]
    /// Id of the token that stands for each byte, "<0x0A>"; −1 where the vocabulary lacks it.
    private let fallbackIDs: [Int32]
    var unknown: Int32?
    /// Several unknown symbols in a row become one unknown token.
    var fusesUnknown = false
    /// Of the whole vocabulary, and of what symbols and merges make.
    private var largest: (known: Int32?, made: Int32?) = (nil, nil)
    /// A word that is a token is taken whole.
    var ignoresMerges = false

    /// - Throws: `.malformedFile` when a merge joins or makes a token that is not in the vocabulary.
    init(
        tokens: some Sequence<(token: String, id: Int32)>, count: Int,
        merges pairs: some Collection<(Substring, Substring)>, alphabet: Alphabet = .bytes, path: String
    ) throws {
        self.alphabet = alphabet
        vocabulary = TokenTable(capacity: count)
        for (token, id) in tokens {
            guard let bytes = Self.bytes(of: token, alphabet) else { continue }
            vocabulary.insert(bytes, id: id)
            largest.known = max(largest.known ?? id, id)
            if alphabet != .bytes, token.unicodeScalars.count == 1 { largest.made = max(largest.made ?? id, id) }
        }
        let table = vocabulary
        byteIDs = (0..<256).map { table.id(of: [UInt8($0)]) ?? -1 }
        fallbackIDs =
            alphabet == .characters(byteFallback: true)
            ? (0..<256).map { table.id(of: ByteToken.text(of: UInt8($0))) ?? -1 } : []
        merges = MergeTable(capacity: pairs.count)
        for (rank, pair) in pairs.enumerated() {
            guard let left = Self.bytes(of: String(pair.0), alphabet),
                let right = Self.bytes(of: String(pair.1), alphabet),
                let leftID = table.id(of: left), let rightID = table.id(of: right), let id = table.id(of: left + right)
            else {
                throw LanguageModelError.malformedFile(
                    path: path, reason: "merge \(rank) of the tokenizer needs a token that is not in its vocabulary")
            }
            merges.insert(leftID, rightID, rank: UInt32(rank), id: id)
            largest.made = max(largest.made ?? id, id)
        }
        let symbols = (alphabet == .bytes ? byteIDs : fallbackIDs).filter { $0 >= 0 }
        largest.made = (symbols + [largest.made].compactMap { $0 }).max()
    }

    private static func bytes(of token: String, _ alphabet: Alphabet) -> [UInt8]? {
        alphabet == .bytes ? ByteAlphabet.bytes(of: token) : Array(token.utf8)
    }

    /// Of all that it can make of a text.
    var largestID: Int32? {
        [ignoresMerges ? largest.known : largest.made, unknown].compactMap { $0 }.max()
    }

    /// Whether some text has a symbol that is neither in the vocabulary nor can be written as bytes.
    var canMeetUnknown: Bool {
        switch alphabet {
        case .bytes: ByteToken.ofTexts.contains { byteIDs[$0] < 0 }
        case .characters(byteFallback: true): ByteToken.ofTexts.contains { fallbackIDs[$0] < 0 }
        case .characters(byteFallback: false): true
        }
    }

    /// The same without the merges and the words that make one of these tokens.
    func unable(toForm tokens: [(text: String, id: Int32)]) -> BytePairModel {
        let formed = tokens.filter { token in
            Self.bytes(of: token.text, alphabet).flatMap { vocabulary.id(of: $0) } == token.id
        }
        let ids = Set(formed.map(\.id))
        let isMade = merges.makes(oneOf: ids) || byteIDs.contains(where: ids.contains)
        guard !ids.isEmpty, ignoresMerges || alphabet != .bytes || isMade else { return self }
        var model = self
        model.byteIDs = byteIDs.map { ids.contains($0) ? -1 : $0 }
        model.vocabulary = vocabulary.without(ids)
        model.merges = merges.without(ids)
        return model
    }

    func encode(_ word: UnsafeBufferPointer<UInt8>, with merger: inout BytePairMerger, into ids: inout [Int32]) {
        if ignoresMerges, let id = vocabulary.id(of: word) {
            ids.append(id)
            return
        }
        merger.begin()
        // As in the reference library an unknown token waits for the next known symbol, also behind bytes.
        var unknownWaits = false
        var start = 0
        while start < word.count {
            let end = min(start + (alphabet == .bytes ? 1 : UTF8.width(first: word[start])), word.count)
            let symbol = UnsafeBufferPointer(rebasing: word[start..<end])
            start = end
            let id = symbol.count == 1 ? byteIDs[Int(symbol[0])] : vocabulary.id(of: symbol) ?? -1
            if id >= 0 {
                if unknownWaits, let unknown { merger.add(unknown) }
                unknownWaits = false
                merger.add(id)
            } else if !fallbackIDs.isEmpty, symbol.allSatisfy({ fallbackIDs[Int($0)] >= 0 }) {
                for byte in symbol { merger.add(fallbackIDs[Int(byte)]) }
            } else if let unknown {
                if unknownWaits, !fusesUnknown { merger.add(unknown) }
                unknownWaits = true
            }
        }
        if unknownWaits, let unknown { merger.add(unknown) }
        merger.finish(merges, into: &ids)
    }
}

/// SentencePiece's tokens for single bytes.
enum ByteToken {
    /// The bytes that occur in UTF-8.
    static let ofTexts = (0..<256).filter { !(0xc0...0xc1).contains($0) && $0 < 0xf5 }

    /// "<0x0A>" in UTF-8.
    static func text(of byte: UInt8) -> [UInt8] {
        let digits = Array("0123456789ABCDEF".utf8)
        return Array("<0x".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)], UInt8(ascii: ">")]
    }

    /// The byte that a token of that form stands for.
    static func byte(of token: String) -> UInt8? {
        let text = Array(token.utf8)
        guard text.count == 6, let byte = UInt8(String(decoding: text[3..<5], as: UTF8.self), radix: 16) else {
            return nil
        }
        return text == Self.text(of: byte) ? byte : nil
    }
}

extension UTF8 {
    /// Bytes of the scalar that begins with this byte, in valid UTF-8.
    static func width(first byte: UInt8) -> Int {
        switch byte {
        case ..<0xc0: 1
        case ..<0xe0: 2
        case ..<0xf0: 3
        default: 4
        }
    }
}
