/// Questions at one moment.
public struct QuestionCounts: Codable, Hashable, Sendable {
    /// Not begun yet.
    public var waiting: Int
    public var computing: Int
    /// Since the coordinator was started, refused ones too.
    public var answered: Int
    /// Gateways that may answer beside the coordinator; nil: a coordinator of an older release.
    public var gateways: Int?
    /// Of the prompts that were computed for questions since the start, beginnings that prompts share counted for each; nil: a
    /// coordinator of an older release.
    public var promptTokens: Int?

    public init(
        waiting: Int = 0, computing: Int = 0, answered: Int = 0, gateways: Int? = nil, promptTokens: Int? = nil
    ) {
        self.promptTokens = promptTokens
        self.gateways = gateways
        self.waiting = waiting
        self.computing = computing
        self.answered = answered
    }
}
