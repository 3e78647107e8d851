import Coordination
import Messages
import ZeroMQ

/// A message as it came over a connection.
struct Arrival: Sendable {
    let peer: PeerID
    /// Without the routing identity, in the form of this version of the protocol if its sender's is accepted.
    private(set) var frames: [[UInt8]]
    /// Of the protocol, as its sender speaks it; nil: the frames begin as no version's do.
    let version: UInt8?
    /// The name of the key that the connection was authenticated with; `local` without keys.
    let name: String
    let key: String?
    let address: String?
    private(set) var bytes: Int
    /// It came in portions.
    private(set) var isInPortions = false

    /// nil: it has no frames.
    init?(_ message: Socket.Message) {
        guard let identity = message.frames.first else { return nil }
        peer = PeerID(identity)
        let received = Array(message.frames.dropFirst())
        version = ProtocolVersions.version(of: received)
        frames = ProtocolVersions.taken(received)
        name = message.user ?? ClientTicket.nameWithoutKey
        key = message.key
        address = message.address
        bytes = frames.reduce(0) { $0 + $1.count }
    }

    /// As its client sent it, whether or not it is one; nil: it is no request.
    var requestID: [UInt8]? { PeerMessage.requestID(of: frames) }

    var decoded: Result<PeerMessage, any Error> { Result { try PeerMessage(frames: frames) } }

    /// The message that came in portions, of which this is the last.
    func whole(_ frames: [[UInt8]]) -> Arrival {
        var whole = self
        whole.frames = ProtocolVersions.taken(frames)
        whole.isInPortions = true
        whole.bytes = frames.reduce(0) { $0 + $1.count }
        return whole
    }

    /// With no more of it than an answer needs.
    var head: Arrival {
        var head = self
        head.frames = Array(frames.prefix(4))
        return head
    }
}
