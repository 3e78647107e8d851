/// How tokens are written, for turning ids into text.
struct TokenSpelling: Sendable {
    enum Alphabet: Hashable, Sendable {
        case bytes
        /// A mark stands for a blank, "<0x0A>" for a byte; whether the text got a blank in front, which is taken away again.
        case marked(Unicode.Scalar, isPrefixed: Bool)
    }

    let alphabet: Alphabet
    /// Text of every id; nil where there is none.
    let tokens: [String?]
    /// Ids whose text stands as it is.
    let plain: Set<Int32>

    /// The text of the ids, special tokens written out; bytes that are no UTF-8 become U+FFFD, unknown ids nothing.
    func text(of ids: [Int32]) -> String {
        var bytes: [UInt8] = []
        for id in ids {
            guard id >= 0, Int(id) < tokens.count, let token = tokens[Int(id)] else { continue }
            bytes.append(contentsOf: plain.contains(id) ? Array(token.utf8) : spell(token))
        }
        if case .marked(_, isPrefixed: true) = alphabet, bytes.first == 0x20 { bytes.removeFirst() }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func spell(_ token: String) -> [UInt8] {
        switch alphabet {
        case .bytes: ByteAlphabet.bytes(of: token) ?? Array(token.utf8)
        case .marked(let mark, _):
            ByteToken.byte(of: token).map { [$0] }
                ?? Array(String(Normalization.replaced(mark, by: " ").applied(to: token[...])).utf8)
        }
    }
}
