import Messages

/// What one client, or all together, may take.
public struct GatewayLimits: Sendable {
    /// Connections at once; one more, and one of those gives way that are idle, or on which nobody was admitted.
    public var connections = 1024
    /// Seconds without a byte of a request, after which its connection is closed.
    public var idleSeconds = 60
    /// Seconds for which a client that has its answer may go on with a body that nobody reads.
    public var unreadSeconds = 30
    /// Seconds in which a client has to read something of what is written to it.
    public var unsentSeconds = 60
    /// Bytes of a body of JSON.
    public var body = 4 << 20
    /// Bytes of such bodies that are on their way or being read, of all connections; the first `BodyBudget.free` of each aside. Half
    /// of them are one asker's at most.
    public var bodies = 128 << 20
    /// Seconds for every mebibyte of a body, and for what is less than one at its end.
    public var bodySeconds = 60
    /// Bytes of an import.
    public var importBody = 1 << 30
    /// Imports at once, each with its connection to the coordinator. All but one are one asker's at most, who
    /// may send the same one again while it is being taken in.
    public var imports = 3
    /// Connections to the coordinator for questions, for forget requests, and for what has none of its own.
    public var questionConnections = 8
    public var forgetConnections = 2
    public var otherConnections = 4
    /// Questions that wait for such a connection; other requests of one kind.
    public var waitingQuestions = 256
    public var waitingOthers = 64
    /// Live views of the dashboard. All but one are one asker's at most.
    public var views = 64
    /// How long a question may take that names no deadline.
    public var deadline = Duration.seconds(60)

    public init() {}

    // Of what a request names.
    static let users = 1...100
    static let candidates = 1...10_000
    /// Users times items that are named for each, to be ranked or to be left out.
    static let usersTimesItems = 100_000
    static let history = WireLimits.history
    static let conditions = 1...WireLimits.conditions.upperBound
    static let forgotten = 1...10_000
    static let top = 1...1000
    static let ranked = 1...10_000
    static let chosen = WireLimits.chosen
    static let deadlineMilliseconds = 100...600_000
    static let page = 1...1000
}
