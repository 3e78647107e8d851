/// A text with placeholders in braces: `Gefällt die {noun} {target}?`; `{{` and `}}` stand for braces.
struct TemplateText {
    enum Piece: Hashable, Sendable {
        case text(String)
        case placeholder(String)
    }

    let pieces: [Piece]

    /// - Parameters:
    ///   - part: what of the template it is, for messages.
    ///   - known: the placeholders that may stand here; nil: those that name an item's field.
    /// - Throws: `RecommendationError.invalidTemplate`.
    init(_ text: String, part: String, known: [String]?) throws(RecommendationError) {
        var pieces: [Piece] = []
        // By scalars: a vowel sign or an accent behind a brace is one character with it.
        var literal = String.UnicodeScalarView()
        var rest = text.unicodeScalars[...]
        while let character = rest.first {
            rest = rest.dropFirst()
            guard character == "{" || character == "}" else {
                literal.append(character)
                continue
            }
            if rest.first == character {
                literal.append(character)
                rest = rest.dropFirst()
                continue
            }
            guard character == "{" else {
                throw .invalidTemplate(
                    reason: "\"\(part)\" has a closing brace that nothing opens; a brace itself is written }}")
            }
            guard let end = rest.firstIndex(where: { $0 == "}" || $0 == "{" }), rest[end] == "}" else {
                throw .invalidTemplate(
                    reason: "\"\(part)\" has an opening brace that nothing closes; a brace itself is written {{")
            }
            let name = String(rest[..<end])
            guard known?.contains(name) ?? ItemFields.isName(name) else {
                throw .invalidTemplate(
                    reason: "\"\(part)\" has the unknown placeholder {\(name.prefix(40))}; known here are "
                        + (known.map { $0.map { "{\($0)}" }.joined(separator: ", ") }
                            ?? "{title} and fields, named by letters, digits, _ and -"))
            }
            if !literal.isEmpty { pieces.append(.text(String(literal))) }
            literal = String.UnicodeScalarView()
            pieces.append(.placeholder(name))
            rest = rest[rest.index(after: end)...]
        }
        if !literal.isEmpty { pieces.append(.text(String(literal))) }
        self.pieces = pieces
    }

    func count(of name: String) -> Int { pieces.count { $0 == .placeholder(name) } }

    func position(of name: String) -> Int? { pieces.firstIndex(of: .placeholder(name)) }

    /// With values for placeholders; those without one are left out.
    func text(_ values: [String: String]) -> String { Self.text(pieces[...], values) }

    static func text(_ pieces: ArraySlice<Piece>, _ values: [String: String]) -> String {
        pieces.map { piece in
            switch piece {
            case .text(let text): text
            case .placeholder(let name): values[name] ?? ""
            }
        }.joined()
    }
}
