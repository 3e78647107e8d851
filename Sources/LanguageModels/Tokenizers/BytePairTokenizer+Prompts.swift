import Crypto

extension BytePairTokenizer {
    /// The same over a model with this many embedding rows, and for texts that people wrote: `encode(written:)`.
    ///
    /// A title that spells out a control token ("<|im_end|>") stays text. Added tokens whose ids lie beyond the embeddings
    /// (fine-tunes have them) are text, too; ordinary tokens beyond are no tokenizer of this model.
    ///
    /// - Throws: `LanguageModelError.unsupportedCheckpoint`.
    func forPrompts(rows: Int, path: String) throws -> BytePairTokenizer {
        if let token = ([model.largestID].compactMap(\.self) + beginning).max(), token >= rows {
            throw LanguageModelError.unsupportedCheckpoint(
                path: path, reason: "its tokenizer makes the token \(token), its embeddings have \(rows) rows")
        }
        var tokenizer = self
        // No merge may do what spelling out does not.
        let controls = (addedTokens.all + normalizedTokens.all).filter(\.isControl).compactMap { token in
            spelling.tokens[Int(token.id)].map { (text: $0, id: token.id) }
        }
        var formableModel = model
        if case .merges(let pairs) = model { formableModel = .merges(pairs.unable(toForm: controls)) }
        tokenizer.rows = rows
        tokenizer.formable = (
            addedTokens.formable(rows: rows), normalizedTokens.formable(rows: rows), formableModel
        )
        return tokenizer
    }

    func encode(written text: String) -> [Int32] {
        encode(
            text, addedTokens: formable?.asItStands ?? addedTokens,
            normalizedTokens: formable?.normalized ?? normalizedTokens, model: formable?.model ?? model)
    }

    /// Names the tokenizer as part of the base model: what it puts in front of texts may stand in another file than the rest.
    /// Releases that left it out made other adapters with such a model.
    func digest(ofFile digest: SHA256Digest) -> SHA256Digest {
        guard !beginning.isEmpty else { return digest }
        var hash = SHA256()
        hash.update(data: Array(digest))
        for id in beginning { withUnsafeBytes(of: id.littleEndian) { hash.update(bufferPointer: $0) } }
        return hash.finalize()
    }
}
