/// What prompts call an item: its title and its fields.
///
/// `{title}[ ({year}[[!]])]`: a group in square brackets is left out as a whole where a field in it is absent or empty; `[[`
/// and `]]` stand for brackets. An absent field outside of a group leaves nothing.
struct ItemForm: Sendable {
    private struct Group: Sendable {
        var isOptional: Bool
        var text: TemplateText
    }

    private let groups: [Group]
    /// The fields that it shows, each once, in their order; without the title.
    let fields: [String]
    let isTitleAlone: Bool

    static let mostFields = 16

    /// - Throws: `RecommendationError.invalidTemplate`.
    init(_ form: String) throws(RecommendationError) {
        var groups: [Group] = []
        // By scalars, as `TemplateText` goes.
        var text = String.UnicodeScalarView()
        var isInside = false
        var rest = form.unicodeScalars[...]
        func close(_ text: String, isOptional: Bool) throws(RecommendationError) {
            if text.isEmpty { return }
            groups.append(Group(isOptional: isOptional, text: try TemplateText(text, part: "item", known: nil)))
        }
        while let character = rest.first {
            rest = rest.dropFirst()
            switch character {
            case "[", "]":
                if rest.first == character {
                    text.append(character)
                    rest = rest.dropFirst()
                    continue
                }
                guard (character == "]") == isInside else {
                    throw .invalidTemplate(
                        reason: character == "]"
                            ? "\"item\" has a closing square bracket that nothing opens; a bracket itself is written ]]"
                            : "\"item\" has a group in square brackets inside another one")
                }
                try close(String(text), isOptional: isInside)
                text = String.UnicodeScalarView()
                isInside.toggle()
            default: text.append(character)
            }
        }
        guard !isInside else {
            throw .invalidTemplate(
                reason: "\"item\" has an opening square bracket that nothing closes; a bracket itself is written [[")
        }
        try close(String(text), isOptional: false)
        var fields: [String] = []
        for group in groups {
            for case .placeholder(let name) in group.text.pieces where name != "title" && !fields.contains(name) {
                fields.append(name)
            }
        }
        guard groups.contains(where: { !$0.isOptional && $0.text.count(of: "title") > 0 }) else {
            throw .invalidTemplate(reason: "\"item\" lacks {title} outside of square brackets")
        }
        guard fields.count <= Self.mostFields else {
            throw .invalidTemplate(reason: "\"item\" has \(fields.count) fields, at most \(Self.mostFields) are taken")
        }
        self.groups = groups
        self.fields = fields
        isTitleAlone = form == "{title}"
    }

    func text(title: String, fields: [String: String]) -> String {
        if isTitleAlone { return title }
        var values = fields.filter { !$0.value.isEmpty }
        values["title"] = title
        return groups.map { group in
            let isWhole = group.text.pieces.allSatisfy { piece in
                if case .placeholder(let name) = piece { values[name] != nil } else { true }
            }
            return isWhole || !group.isOptional ? group.text.text(values) : ""
        }.joined()
    }
}

extension PromptWording {
    /// The item fields that prompts show, beside titles.
    ///
    /// - Throws: `RecommendationError.invalidTemplate`.
    public func itemFields() throws(RecommendationError) -> [String] { try ItemForm(item).fields }
}
