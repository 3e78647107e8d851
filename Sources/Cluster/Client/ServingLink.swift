import Foundation
import Messages
import ZeroMQ

/// A gateway's connection to the coordinator, over which it hears of what is forgotten. Belongs to one thread.
///
/// Nothing waits here: what is asked and what comes are told apart by names. Messages keep their order; where the connection breaks some
/// are lost, which leases are made for.
public final class ServingLink {
    public enum Message: Sendable {
        /// To the request of that name.
        case reply(id: String, Result<ClientReply, ClientError>)
        case revoked(Revocation)
    }

    private let link: CoordinatorSocket

    /// - Throws: `ClientError` (`invalid-request`) for an endpoint or keys that cannot be used.
    public convenience init(endpoint: String, curve: ClientCurve? = nil, memory: GenerationMemory? = nil) throws {
        try self.init(endpoints: [endpoint], curve: curve, memory: memory)
    }

    /// - `endpoints`: tried in turn.
    public init(endpoints: [String], curve: ClientCurve? = nil, memory: GenerationMemory? = nil) throws {
        link = try CoordinatorSocket(endpoints: endpoints, curve: curve, memory: memory)
    }

    public var source: Poller.Source { link.source }

    /// That the coordinator is there and refused this key: a new connection has to be made; nil: nobody said so.
    public var refusal: ClientError? { link.attempt == .refused ? link.refused : nil }

    /// What does not fit into the queue is lost, as it may be on the way.
    public func send(_ request: ServingRequest, id: String) throws {
        do {
            try link.send(try ClientRequest.serving(request).frames(id: id))
        } catch ZeroMQError.wouldBlock {
            return
        }
    }

    /// A new connection, perhaps to another address: whatever was on its way is lost, and a name is looked up again.
    public func reconnect() throws { try link.turn() }

    /// - Returns: the next message; nil: none has come.
    /// - Throws: `WireError` for what is no message of a coordinator; `ClientError` (`superseded`) for one of a coordinator after which
    ///   this side has seen another one, where there is no other address.
    public func receive() throws -> Message? {
        while let frames = try link.receive() {
            let (id, message) = try ClientMessage.decode(frames: frames)
            switch message {
            case .working: continue
            case .revoked(let revocation): return .revoked(revocation)
            case .reply(let reply):
                do {
                    try link.check(reply)
                } catch {
                    // The newer one may be at the next address; and where the coordinator says itself that it is not the last, at
                    // this one before long.
                    guard link.addresses.count > 1 || reply.isSuperseded else { throw error }
                    link.addresses.passOver()
                    try reconnect()
                    return nil
                }
                switch reply.outcome {
                case .success: return .reply(id: id, .success(reply))
                case .failure(let error): return .reply(id: id, .failure(error))
                }
            }
        }
        return nil
    }
}
