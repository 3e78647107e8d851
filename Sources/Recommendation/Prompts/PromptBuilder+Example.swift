extension PromptBuilder {
    /// The prompt of a person who does not exist, about items that do not: what a template makes of one. Fields are called by
    /// their names.
    public var example: Prompt {
        let shown = min(configuration.historyLength, Self.letters.count - 1)
        let fields = Dictionary(uniqueKeysWithValues: pieces.item.fields.map { ($0, $0) })
        let names = Self.letters.map { name(title: "\(configuration.domain.singular) \($0)", fields: fields) }
        // The second one was not liked.
        let titles = (0...shown).map { (title: names[$0], isLiked: $0 != 1) }
        var text = PromptText(titles, budget, pieces)
        let input = text.input(history: 0..<shown, target: shown)
        let keys = (0...shown).map { InteractionKey(user: "example", item: "\($0)", timestamp: Int64($0)) }
        return Prompt(
            id: Self.promptID(target: keys[shown]), user: "example", split: .test, target: keys[shown],
            history: Array(keys[..<shown]), instruction: pieces.instruction, input: input.text, label: true,
            frame: pieces.frame, historyBytes: input.historyBytes)
    }

    private static let letters = ["A", "B", "C", "D"]
}
