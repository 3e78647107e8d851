import CZeroMQ
import Foundation

/// Decides which CURVE clients of a context may connect: a ZAP handler (RFC 27) with a list of allowed keys.
///
/// It answers on its own small thread. Make it before the server's socket, one for each context.
public final class Authenticator: Sendable {
    static let endpoint = "inproc://zeromq.zap.01"
    static let domain = "lethe"

    private let stop: Mailbox<Void>

    /// - `names`: what `Socket.receiveAuthenticated` calls the keys; without a name, the beginning of the key.
    /// - `whenRefused`: called on the authenticator's thread for every connection that is refused.
    public init(
        _ context: Context, allowed: Set<CurvePublicKey>, names: [CurvePublicKey: String] = [:],
        whenRefused: @escaping @Sendable () -> Void = {}
    ) throws {
        let stop = try Mailbox<Void>()
        let started = try Mailbox<ZeroMQError?>()
        self.stop = stop
        let thread = Thread {
            do throws(ZeroMQError) {
                let socket = try Socket(context, .router)
                try socket.bind(Self.endpoint)
                started.post(nil)
                try Self.serve(socket, allowed: allowed, names: names, whenRefused: whenRefused, stop: stop)
            } catch {
                started.post(error)
            }
        }
        thread.name = "zap"
        thread.start()
        if let error = started.take().first ?? nil { throw error }
    }

    deinit {
        stop.post(())
    }

    private static func serve(
        _ socket: Socket, allowed: Set<CurvePublicKey>, names: [CurvePublicKey: String],
        whenRefused: @Sendable () -> Void, stop: Mailbox<Void>
    ) throws(ZeroMQError) {
        let poller = Poller([.socket(socket), .descriptor(stop.descriptor)])
        while true {
            let ready = try poller.wait(timeout: nil)
            if ready[1] { return }
            while let request = try socket.receive() {
                guard let reply = reply(to: request, allowed: allowed, names: names) else { continue }
                if reply[4] != accepted { whenRefused() }
                do {
                    try socket.send(reply)
                } catch ZeroMQError.unreachable, ZeroMQError.wouldBlock {
                    // The connection that asked is gone. Serving must go on: without it libzmq lets everybody in.
                }
            }
        }
    }

    /// The answer to one ZAP request as a ROUTER socket sees it, or nil when it is not one.
    ///
    /// Frames: routing identity, empty, version, request id, domain, address, identity, mechanism, credentials.
    /// The answer's user id is the key's name.
    static func reply(
        to request: [[UInt8]], allowed: Set<CurvePublicKey>, names: [CurvePublicKey: String]
    ) -> [[UInt8]]? {
        guard request.count >= 8, request[1].isEmpty, request[2] == Array("1.0".utf8) else { return nil }
        let isCurve = request[7] == Array("CURVE".utf8) && request.count == 9
        let key = isCurve ? CurvePublicKey(bytes: request[8]) : nil
        var answer = ["not on the list", "", ""]
        var status = refused
        if let key, allowed.contains(key) {
            status = accepted
            answer = ["OK", names[key] ?? key.shortName, ""]
        }
        return [request[0], [], request[2], request[3], status] + answer.map { Array($0.utf8) }
    }

    private static let accepted = Array("200".utf8)
    private static let refused = Array("400".utf8)
}
