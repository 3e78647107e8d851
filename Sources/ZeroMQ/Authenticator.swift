import CZeroMQ
import Foundation

/// Decides which peers of a context's servers may connect: a ZAP handler (RFC 27).
///
/// It answers on its own small thread. Make it before the server's socket, one for each context.
public final class Authenticator: Sendable {
    /// Who may connect.
    public enum Admission: Sendable {
        /// Clients with one of these keys. Of those with names, that is what `Socket.receiveAuthenticated` calls them; of
        /// the others, the beginning of the key.
        case keys(Set<CurvePublicKey>, names: [CurvePublicKey: String] = [:])
        /// Everybody, without keys, but only so many connections a second (as many again at once): see `ConnectionGuard`
        /// for what a peer could do that makes very many.
        case anybody(aSecond: Double = 200)
    }

    /// A connection that was not let in.
    public struct Refusal: Hashable, Sendable {
        /// nil: it showed none.
        public var key: CurvePublicKey?
        /// The peer's IP address.
        public var address: String
    }

    static let endpoint = "inproc://zeromq.zap.01"
    static let domain = "lethe"

    private enum Order: Sendable {
        case end
        /// As if this had come up.
        case fail(ZeroMQError)
        /// From now on these.
        case admit([CurvePublicKey: String])
    }

    private let orders: Mailbox<Order>

    /// - `whenRefused`: called on the authenticator's thread for every connection that is refused.
    /// - `whenFailed`: called on it when it cannot go on. Nobody gets in from then on.
    public init(
        _ context: Context, _ admission: Admission, whenRefused: @escaping @Sendable (Refusal) -> Void = { _ in },
        whenFailed: @escaping @Sendable (ZeroMQError) -> Void = { _ in }
    ) throws {
        let orders = try Mailbox<Order>()
        let started = try Mailbox<ZeroMQError?>()
        self.orders = orders
        let thread = Thread {
            do throws(ZeroMQError) {
                let socket = try Socket(context, .router)
                try socket.bind(Self.endpoint)
                started.post(nil)
                do throws(ZeroMQError) {
                    try Self.serve(socket, ZAPDoor(admission), whenRefused: whenRefused, orders)
                } catch {
                    if error != .contextTerminated { whenFailed(error) }
                }
            } catch {
                started.post(error)
            }
        }
        thread.name = "zap"
        thread.start()
        if let error = started.take().first ?? nil { throw error }
    }

    deinit {
        orders.post(.end)
    }

    /// Of connections that are made from now on, only clients with these keys are let in, and called so. Those that are there stay.
    public func admit(_ keys: [CurvePublicKey: String]) {
        orders.post(.admit(keys))
    }

    /// Has it fail as if this had come up, for tests.
    package func fail(_ error: ZeroMQError) {
        orders.post(.fail(error))
    }

    private static func serve(
        _ socket: Socket, _ door: ZAPDoor, whenRefused: @Sendable (Refusal) -> Void, _ orders: Mailbox<Order>
    ) throws(ZeroMQError) {
        var door = door
        let poller = Poller([.socket(socket), .descriptor(orders.descriptor)])
        while true {
            let ready = try poller.wait(timeout: nil)
            if ready[1] {
                for order in orders.drain() {
                    switch order {
                    case .end: return
                    case .fail(let error): throw error
                    case .admit(let names): door.admission = .keys(Set(names.keys), names: names)
                    }
                }
            }
            while let request = try socket.receive() {
                guard let answer = door.answer(request, at: .now) else { continue }
                if let refusal = answer.refusal { whenRefused(refusal) }
                // libzmq reads what a CURVE client calls itself just after it has asked here. The answer must come after that,
                // or the client's identity takes the place of the assigned one, and the guard shuts the client out.
                usleep(1000)
                do {
                    try socket.send(answer.frames)
                } catch ZeroMQError.unreachable, ZeroMQError.wouldBlock {
                    // The connection that asked is gone. Serving must go on: without it libzmq lets everybody in.
                }
            }
        }
    }
}
