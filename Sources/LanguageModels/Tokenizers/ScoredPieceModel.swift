/// SentencePiece's byte-pair encoding by scores, as GGUF files of the kind `llama` hold it.
///
/// Neighbours whose texts together are a piece merge, the highest score first and leftmost among equals (Kudo and Richardson,
/// arXiv 1808.06226; `BPE` in sentencepiece and `llm_tokenizer_spm` in llama.cpp). What ends as no piece is written as bytes.
/// Control tokens are no pieces: no text forms one.
struct ScoredPieceModel: Sendable {
    struct Piece {
        var text: String
        var id: Int32
        var score: Float
    }

    /// Ids of the pieces by their text.
    private let pieces: TokenTable
    /// By id: 0 for the highest score; equal scores have equal ranks.
    private let ranks: [UInt32]
    /// Id of the token that stands for each byte; −1 for those that no text has.
    private let bytes: [Int32]

    /// - Parameters:
    ///   - count: of all tokens; ids are below it.
    ///   - bytes: id of each byte's token.
    /// - Throws: `LanguageModelError.malformedFile` for scores that have no order, `.unsupportedCheckpoint` where a byte that
    ///   texts have lacks a token.
    init(pieces all: [Piece], count: Int, bytes: [UInt8: Int32], path: String) throws {
        guard all.allSatisfy({ $0.score.isFinite && (0..<count).contains(Int($0.id)) }) else {
            throw LanguageModelError.malformedFile(path: path, reason: "a score of the tokenizer is no finite number")
        }
        if let byte = ByteToken.ofTexts.first(where: { bytes[UInt8($0)] == nil }) {
            throw LanguageModelError.unsupportedCheckpoint(
                path: path,
                reason: "the tokenizer has no token for the byte \(byte), so that some texts cannot be written")
        }
        self.bytes = (0..<256).map { bytes[UInt8($0)] ?? -1 }
        var table = TokenTable(capacity: all.count)
        for piece in all { table.insert(Array(piece.text.utf8), id: piece.id) }
        pieces = table
        var ranks = [UInt32](repeating: .max, count: count)
        var (rank, last): (UInt32, Float?) = (0, nil)
        for piece in all.sorted(by: { ($1.score, $0.id) < ($0.score, $1.id) }) {
            if let last, piece.score < last { rank += 1 }
            ranks[Int(piece.id)] = rank
            last = piece.score
        }
        self.ranks = ranks
    }

    var largestID: Int32? {
        (bytes + [ranks.lastIndex { $0 != .max }.map { Int32($0) }].compactMap { $0 }).max()
    }

    /// Whether merging can make this text: a character, or two that are pieces or characters.
    func canMerge(to text: String) -> Bool {
        let bytes = Array(text.utf8)
        func isMade(_ part: ArraySlice<UInt8>) -> Bool {
            guard let first = part.first else { return false }
            return UTF8.width(first: first) == part.count || pieces.id(of: Array(part)) != nil
        }
        return text.unicodeScalars.count == 1
            || bytes.indices.dropFirst().contains { isMade(bytes[..<$0]) && isMade(bytes[$0...]) }
    }

    func encode(_ word: UnsafeBufferPointer<UInt8>, with merger: inout ScoreMerger, into ids: inout [Int32]) {
        merger.begin(word)
        merger.merge { text in pieces.id(of: text).map { ranks[Int($0)] } }
        for range in merger.ranges {
            let text = UnsafeBufferPointer(rebasing: word[range])
            if let id = pieces.id(of: text) {
                ids.append(id)
            } else {
                for byte in text { ids.append(bytes[Int(byte)]) }
            }
        }
    }
}
