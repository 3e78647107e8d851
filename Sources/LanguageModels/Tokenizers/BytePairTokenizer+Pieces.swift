extension BytePairTokenizer {
    /// Control tokens where a piece says so, and nowhere else. Around them the text is cut as around the added tokens of the
    /// reference library, and they swallow white space beside them as they do there.
    func encode(_ pieces: [TextPiece]) throws -> [Int32] {
        let sections = try sections(pieces)
        var ids: [Int32] = []
        for (place, section) in sections.enumerated() {
            switch section {
            case .token(let id): ids.append(id)
            case .text(let text):
                encode(
                    text, isFirst: place == 0, addedTokens: formable?.asItStands ?? addedTokens,
                    normalizedTokens: formable?.normalized ?? normalizedTokens, model: formable?.model ?? model,
                    into: &ids)
            }
        }
        return ids
    }

    func isControl(_ token: String) -> Bool { control(token) != nil }

    /// Neighbouring texts are one: merges do not stop between them.
    private func sections(_ pieces: [TextPiece]) throws -> [AddedTokens.Piece] {
        var sections: [AddedTokens.Piece] = []
        var text = ""
        var swallows = false
        func add(_ text: String) {
            let kept = swallows ? text[...].withoutLeadingSpace : text[...]
            if !kept.isEmpty { sections.append(.text(kept)) }
        }
        for piece in pieces {
            switch piece {
            case .written(let more): text += more
            case .control(let name):
                guard let token = control(name) else { throw LanguageModelError.unknownControlToken(token: name) }
                add(token.stripsLeft ? String(text[...].withoutTrailingSpace) : text)
                sections.append(.token(token.id))
                text = ""
                swallows = token.stripsRight
            }
        }
        add(text)
        return sections
    }

    private func control(_ name: String) -> AddedTokens.Token? {
        let bytes = Array(name.utf8)
        return (addedTokens.all + normalizedTokens.all).first { token in
            token.isControl && Int(token.id) < rows ?? .max
                && spelling.tokens[Int(token.id)].map { Array($0.utf8) == bytes } ?? false
        }
    }
}

extension Substring {
    fileprivate var withoutLeadingSpace: Substring {
        unicodeScalars.firstIndex { !$0.properties.isWhitespace }.map { self[$0...] } ?? ""
    }

    fileprivate var withoutTrailingSpace: Substring {
        unicodeScalars.lastIndex { !$0.properties.isWhitespace }.map { self[...$0] } ?? ""
    }
}
