import Foundation

/// Byte-level byte-pair encoding, as GPT-2, SmolLM2, Llama 3 and Qwen 2 use it.
///
/// Ids equal those of the reference `tokenizers` library, also where a vocabulary lacks symbols for some bytes: without
/// an unknown token such bytes vanish.
struct BytePairTokenizer: Tokenizer {
    enum Normalizer: Hashable, Sendable { case none, composed }

    let normalizer: Normalizer
    let preTokenizer: PreTokenizer
    let model: BytePairModel
    /// Found in the text as it stands.
    let addedTokens: AddedTokens
    /// Found in the normalised text.
    let normalizedTokens: AddedTokens
    /// Whether a text that does not begin with a blank gets one.
    let addsPrefixSpace: Bool
    /// Text of every id; for ordinary tokens in the byte alphabet.
    let tokens: [String?]
    /// Ids whose text is not in the byte alphabet.
    let plain: Set<Int32>
    var beginning: [Int32] = []
    /// Those of the added tokens that texts from outside may form; nil: all.
    var formable: (asItStands: AddedTokens, normalized: AddedTokens)?

    var vocabularySize: Int { tokens.count }

    func encode(_ text: String) -> [Int32] {
        encode(text, addedTokens: addedTokens, normalizedTokens: normalizedTokens)
    }

    func encode(_ text: String, addedTokens: AddedTokens, normalizedTokens: AddedTokens) -> [Int32] {
        var ids: [Int32] = []
        ids.reserveCapacity(text.utf8.count / 3 + 8)
        var merger = BytePairMerger()
        for piece in addedTokens.split(text[...]) {
            switch piece {
            case .token(let id): ids.append(id)
            case .text(let part): encode(normalized: normalize(part), normalizedTokens, with: &merger, into: &ids)
            }
        }
        return ids
    }

    private func normalize(_ text: Substring) -> Substring {
        guard normalizer == .composed, text.utf8.contains(where: { $0 >= 0x80 }) else { return text }
        return text.precomposedStringWithCanonicalMapping[...]
    }

    private func encode(
        normalized text: Substring, _ normalizedTokens: AddedTokens, with merger: inout BytePairMerger,
        into ids: inout [Int32]
    ) {
        for piece in normalizedTokens.split(text) {
            switch piece {
            case .token(let id): ids.append(id)
            case .text(let part):
                let prefixed = addsPrefixSpace && part.utf8.first != 0x20 ? (" " + part)[...] : part
                let scalars = ScalarText(prefixed)
                let words = preTokenizer.split(scalars)
                var bytes = String(prefixed)
                bytes.withUTF8 { utf8 in
                    for word in words {
                        let range = scalars.offsets[word.lowerBound]..<scalars.offsets[word.upperBound]
                        model.encode(UnsafeBufferPointer(rebasing: utf8[range]), with: &merger, into: &ids)
                    }
                }
            }
        }
    }

    /// The text of the ids, special tokens written out; bytes that are no UTF-8 become U+FFFD, unknown ids nothing.
    func decode(_ ids: [Int32]) -> String {
        var bytes: [UInt8] = []
        for id in ids {
            guard id >= 0, Int(id) < tokens.count, let token = tokens[Int(id)] else { continue }
            let decoded = plain.contains(id) ? nil : ByteAlphabet.bytes(of: token)
            bytes.append(contentsOf: decoded ?? Array(token.utf8))
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// The vocabulary and the merges of a byte-level tokenizer.
struct BytePairModel: Sendable {
    /// Keyed by the bytes that a token stands for.
    private var vocabulary: TokenTable
    private var merges: MergeTable
    /// Id of each single byte; −1 where the vocabulary lacks it.
    private var byteIDs: [Int32]
    var unknown: Int32?
    /// Several unknown bytes in a row become one unknown token.
    var fusesUnknown = false
    /// Of the whole vocabulary, and of what bytes and merges make.
    private var largest: (known: Int32?, made: Int32?) = (nil, nil)
    /// A word that is a token is taken whole.
    var ignoresMerges = false

    /// - Throws: `.malformedFile` when a merge joins or makes a token that is not in the vocabulary.
    init(
        tokens: some Sequence<(token: String, id: Int32)>, count: Int,
        merges pairs: some Collection<(Substring, Substring)>, path: String
    ) throws {
        vocabulary = TokenTable(capacity: count)
        for (token, id) in tokens {
            guard let bytes = ByteAlphabet.bytes(of: token) else { continue }
            vocabulary.insert(bytes, id: id)
            largest.known = max(largest.known ?? id, id)
        }
        let table = vocabulary
        byteIDs = (0..<256).map { table.id(of: [UInt8($0)]) ?? -1 }
        merges = MergeTable(capacity: pairs.count)
        for (rank, pair) in pairs.enumerated() {
            guard let left = ByteAlphabet.bytes(of: String(pair.0)), let right = ByteAlphabet.bytes(of: String(pair.1)),
                let leftID = table.id(of: left), let rightID = table.id(of: right), let id = table.id(of: left + right)
            else {
                throw LanguageModelError.malformedFile(
                    path: path, reason: "merge \(rank) of the tokenizer needs a token that is not in its vocabulary")
            }
            merges.insert(leftID, rightID, rank: UInt32(rank), id: id)
            largest.made = max(largest.made ?? id, id)
        }
        largest.made = (byteIDs.filter { $0 >= 0 } + [largest.made].compactMap { $0 }).max()
    }

    /// Of all that it can make of a text.
    var largestID: Int32? {
        [ignoresMerges ? largest.known : largest.made, unknown].compactMap { $0 }.max()
    }

    func encode(_ word: UnsafeBufferPointer<UInt8>, with merger: inout BytePairMerger, into ids: inout [Int32]) {
        if ignoresMerges, let id = vocabulary.id(of: word) {
            ids.append(id)
            return
        }
        merger.begin()
        var lastWasUnknown = false
        for byte in word {
            let id = byteIDs[Int(byte)]
            if id >= 0 {
                merger.add(id)
            } else if let unknown, !(fusesUnknown && lastWasUnknown) {
                merger.add(unknown)
            }
            lastWasUnknown = id < 0
        }
        merger.finish(merges, into: &ids)
    }
}
