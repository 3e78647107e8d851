/// SentencePiece's way with blanks: a mark stands for each, and for one in front of the text (`Metaspace` of the
/// `tokenizers` library).
struct Metaspace: Hashable, Sendable {
    enum Prefix: Hashable, Sendable { case always, first, never }

    var mark: Unicode.Scalar
    /// Which pieces between added tokens get a mark in front, unless they begin with one.
    var prefix: Prefix
    /// Whether a word ends before each mark.
    var splits: Bool

    /// - Throws: `LanguageModelError.unsupportedCheckpoint`.
    init(_ json: JSONValue, path: String) throws {
        let marks = (json["replacement"]?.string ?? String(Normalization.mark)).unicodeScalars
        let older: Prefix = json["add_prefix_space"]?.bool ?? true ? .always : .never
        let prefixes: [String: Prefix] = ["always": .always, "first": .first, "never": .never]
        let named = json["prepend_scheme"]?.string
        guard marks.count == 1, let mark = marks.first, let prefix = named.map({ prefixes[$0] }) ?? older else {
            throw LanguageModelError.unsupportedCheckpoint(
                path: path,
                reason: "the tokenizer has a Metaspace with the mark \(String(marks)) and the scheme "
                    + "\(named ?? "(none)")")
        }
        // The library's own reading of both keys: what says that there is no prefix may not be contradicted.
        if json["add_prefix_space"]?.bool == false, prefix != .never {
            throw LanguageModelError.unsupportedCheckpoint(
                path: path,
                reason: "the tokenizer has a Metaspace whose add_prefix_space and prepend_scheme contradict "
                    + "each other")
        }
        self.mark = mark
        self.prefix = prefix
        splits = json["split"]?.bool ?? true
    }

    func applied(to text: Substring, isFirst: Bool) -> Substring {
        let marked = Normalization.replaced(" ", by: mark).applied(to: text)
        guard prefix == .always || (prefix == .first && isFirst), marked.unicodeScalars.first != mark else {
            return marked
        }
        return Normalization.prepended(String(mark)).applied(to: marked)
    }
}
