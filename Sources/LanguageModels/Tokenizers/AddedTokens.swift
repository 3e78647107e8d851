/// Tokens that are found in the text before anything else is done to it.
struct AddedTokens: Sendable {
    struct Token: Hashable, Sendable {
        var id: Int32
        var content: String
        /// Only where no word character touches it.
        var singleWord = false
        /// Swallows white space on its left.
        var stripsLeft = false
        /// Swallows white space on its right.
        var stripsRight = false
        /// Steers the model rather than standing for text.
        var isControl = false
    }

    enum Piece {
        case token(Int32)
        case text(Substring)
    }

    private var tokens: [(bytes: [UInt8], token: Token)] = []
    /// Indices into `tokens` by first byte, longest token first.
    private var byFirst = [[Int]](repeating: [], count: 256)

    var isEmpty: Bool { tokens.isEmpty }
    var all: [Token] { tokens.map(\.token) }

    init(_ added: [Token]) {
        for token in added where !token.content.isEmpty {
            tokens.append((Array(token.content.utf8), token))
        }
        for (index, entry) in tokens.enumerated() { byFirst[Int(entry.bytes[0])].append(index) }
        for first in byFirst.indices {
            byFirst[first].sort { (tokens[$1].bytes.count, $0) < (tokens[$0].bytes.count, $1) }
        }
    }

    /// Those that texts from outside may form: no control tokens, and none without an embedding.
    func formable(rows: Int) -> AddedTokens {
        AddedTokens(tokens.map(\.token).filter { !$0.isControl && $0.id < rows })
    }

    /// Cuts the text at the leftmost, longest tokens.
    func split(_ text: Substring) -> [Piece] {
        guard !tokens.isEmpty, !text.isEmpty else { return text.isEmpty ? [] : [.text(text)] }
        var pieces: [Piece] = []
        let bytes = Array(text.utf8)
        var done = 0
        var position = 0
        func place(_ offset: Int) -> String.Index { text.utf8.index(text.startIndex, offsetBy: offset) }
        while position < bytes.count {
            guard let token = match(bytes, at: position) else {
                position += 1
                continue
            }
            var start = position
            var stop = position + token.content.utf8.count
            position = stop
            if token.singleWord {
                let before = text[..<place(start)].unicodeScalars.last
                let after = text[place(stop)...].unicodeScalars.first
                if isWord(before) || isWord(after) { continue }
            }
            if token.stripsLeft {
                let blank = text[..<place(start)].unicodeScalars.reversed().prefix(while: \.properties.isWhitespace)
                start = max(done, start - blank.reduce(0) { $0 + UTF8.width($1) })
            }
            if token.stripsRight {
                let blank = text[place(stop)...].unicodeScalars.prefix(while: \.properties.isWhitespace)
                stop += blank.reduce(0) { $0 + UTF8.width($1) }
            }
            if done < start { pieces.append(.text(text[place(done)..<place(start)])) }
            pieces.append(.token(token.id))
            done = stop
        }
        if done < bytes.count { pieces.append(.text(text[place(done)...])) }
        return pieces
    }

    private func match(_ bytes: [UInt8], at position: Int) -> Token? {
        for index in byFirst[Int(bytes[position])] {
            let candidate = tokens[index].bytes
            if candidate.count <= bytes.count - position,
                candidate.elementsEqual(bytes[position..<position + candidate.count])
            {
                return tokens[index].token
            }
        }
        return nil
    }

    /// `\w` of the reference library's regular expressions.
    private func isWord(_ scalar: Unicode.Scalar?) -> Bool {
        guard let properties = scalar?.properties else { return false }
        return properties.isAlphabetic || properties.generalCategory == .decimalNumber
            || properties.generalCategory == .connectorPunctuation || properties.isJoinControl
            || [.nonspacingMark, .spacingMark, .enclosingMark].contains(properties.generalCategory)
    }
}
