/// Questions at one moment.
public struct QuestionCounts: Codable, Hashable, Sendable {
    /// Not begun yet.
    public var waiting: Int
    public var computing: Int
    /// Since the coordinator was started, refused ones too.
    public var answered: Int

    public init(waiting: Int = 0, computing: Int = 0, answered: Int = 0) {
        self.waiting = waiting
        self.computing = computing
        self.answered = answered
    }
}
