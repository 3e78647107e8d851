/// An interaction whose item has a title.
struct TitledInteraction: Sendable {
    var interaction: Interaction
    var title: String
}

/// The interactions of a user that a question shows, oldest first (`PromptBuilder.queryHistory`).
public struct QueryHistory: Sendable {
    public var user: String
    let shown: [TitledInteraction]
}

/// A question of the present: no label, no split.
public struct QueryPrompt: Codable, Hashable, Sendable {
    public var user: String
    public var item: String
    /// The interactions shown, oldest first.
    public var history: [InteractionKey]
    /// As a worker takes it. Its label means nothing; its id is a hash of user and item.
    public var prompt: TrainingPrompt

    public init(user: String, item: String, history: [InteractionKey], prompt: TrainingPrompt) {
        self.user = user
        self.item = item
        self.history = history
        self.prompt = prompt
    }
}
