import Messages

/// A question, by the name that its client gave it; the same name of another key's is another question.
package struct QuestionID: Hashable, Sendable {
    /// The key that asks.
    package var by: String
    package var request: String

    package init(by: String, request: String) {
        self.by = by
        self.request = request
    }
}

/// What an answer rests on.
package struct AnswerBasis: Sendable {
    /// The ledger's number of whom it is about; nil: of nobody in it.
    package var person: Int64?
    /// Of the history and of the candidates.
    package var items: Set<String>
    /// Content names.
    package var adapters: Set<String>
    /// Whether weights come from reference prompts of other people.
    package var looksAtReferences: Bool
    /// Whether candidates were chosen by what other people like: whoever of them is forgotten had a part in which they are.
    package var looksAtLikes: Bool
    /// Candidates.
    package var prompts: Int

    package init(
        person: Int64?, items: Set<String>, adapters: Set<String>, looksAtReferences: Bool, looksAtLikes: Bool = false,
        prompts: Int
    ) {
        self.looksAtLikes = looksAtLikes
        self.person = person
        self.items = items
        self.adapters = adapters
        self.looksAtReferences = looksAtReferences
        self.prompts = prompts
    }

    package init(_ material: QuestionMaterial) {
        self.init(
            person: material.person, items: Set(material.items.map(\.id) + material.history.map(\.item)),
            adapters: Set(material.members.map(\.name)), looksAtReferences: material.attention != nil,
            looksAtLikes: material.retrieval != nil, prompts: material.items.count)
    }

    package func restsOn(_ forgotten: ForgottenInputs) -> Bool {
        (person.map(forgotten.people.contains) ?? false) || (looksAtReferences && forgotten.changesReferences)
            || (looksAtLikes && forgotten.changesLikes == true)
            || !adapters.isDisjoint(with: forgotten.adapters) || !items.isDisjoint(with: forgotten.items)
    }
}
