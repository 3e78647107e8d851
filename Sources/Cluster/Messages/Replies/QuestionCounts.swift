/// Questions at one moment.
public struct QuestionCounts: Codable, Hashable, Sendable {
    /// Not begun yet.
    public var waiting: Int
    public var computing: Int
    /// Since the coordinator was started, refused ones too.
    public var answered: Int
    /// Gateways that may answer beside the coordinator; nil: a coordinator of an older release.
    public var gateways: Int?

    public init(waiting: Int = 0, computing: Int = 0, answered: Int = 0, gateways: Int? = nil) {
        self.gateways = gateways
        self.waiting = waiting
        self.computing = computing
        self.answered = answered
    }
}
