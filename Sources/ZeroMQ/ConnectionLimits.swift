import Foundation

/// What one peer, and all of them together, may take of a server's memory, descriptors and patience.
public struct ConnectionLimits: Sendable {
    /// Connections at once. Above it whoever was silent longest goes.
    public var connections: Int
    /// Of them, those that have not sent a whole message yet. Above it the oldest of those goes.
    public var newcomers: Int
    /// How long a connection may take for its handshake and its first message.
    public var newcomerPatience: Duration = .seconds(15)
    /// Bytes that a peer may have sent of messages that were not taken yet: of one that has no end, or of many that wait.
    public var unfinishedBytes = 64 << 20
    /// The same of all peers together. Above it whoever has sent the most goes.
    public var unfinishedBytesInAll = 1 << 30
    /// The same of those to whom nobody allowed more than everybody.
    public var unfinishedBytesOfStrangers = 192 << 20
    /// Bytes that all strangers together may leave unread for longer than `unreadPatience`. Above it, of those who read less than
    /// `slowestReading` bytes a second, whoever has the most unread goes.
    public var unreadBytesInAll = 96 << 20
    public var unreadPatience: Duration = .seconds(5)
    public var slowestReading = Double(1 << 20)
    /// How long a message may stand still half-way, and a peer leave alone what was sent to it.
    public var patience: Duration = .seconds(60)
    /// How often is looked.
    public var interval: Duration = .milliseconds(50)

    public init(connections: Int = 1024) {
        self.connections = max(2, connections)
        newcomers = min(1024, self.connections / 2)
    }
}

/// Why a server closed a connection.
public enum ConnectionClosing: String, Sendable, CustomStringConvertible {
    case crowded, silent, unfinished, stalled, unread, identity, tooLarge, portions, revoked

    public var description: String {
        switch self {
        case .crowded: "there are too many connections, and this one was silent longest"
        case .silent: "it connected and sent no message"
        case .unfinished: "it sent too much of a message that has no end, or too many at once"
        case .stalled: "its message stopped half-way"
        case .unread: "it does not read what it is sent"
        case .identity: "it chose its own identity"
        case .tooLarge: "it sent a message above the limits"
        case .portions: "it broke the rules of messages in portions"
        case .revoked: "its key may not connect any more"
        }
    }
}
