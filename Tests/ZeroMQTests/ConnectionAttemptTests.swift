import Foundation
import PeerTestSupport
import Testing
import ZeroMQ

@Suite("How far a client has come with its server", .serialized)
struct ConnectionAttemptTests {
    private let context: Context
    private let server: CurveKeyPair
    private let own: CurveKeyPair
    private let other: CurveKeyPair

    init() throws {
        context = try Context()
        (server, own, other) = (try .generate(), try .generate(), try .generate())
    }

    private func listen(allowing keys: Set<CurvePublicKey>) throws -> (socket: Socket, endpoint: String) {
        var options = SocketOptions()
        options.curve = .server(server, try Authenticator(context, .keys(keys)))
        let socket = try Socket(context, .router, options: options)
        return (socket, try socket.bind("tcp://127.0.0.1:*"))
    }

    private func client(_ endpoint: String, _ curve: SocketOptions.Curve?) throws -> Socket {
        var options = SocketOptions()
        options.curve = curve
        let socket = try Socket(Context(), .dealer, options: options)
        try socket.measure()
        try socket.connect(endpoint)
        return socket
    }

    /// The first of these that the socket comes to, woken by `attempts`; nil: none by then.
    private func waited(
        _ socket: Socket, for wanted: Set<ConnectionAttempt>, within patience: Duration = .seconds(20)
    ) throws -> ConnectionAttempt? {
        let end = ContinuousClock.now + patience
        while ContinuousClock.now < end {
            let attempt = socket.attempt
            if wanted.contains(attempt) { return attempt }
            _ = try Poller([socket.attempts].compactMap(\.self)).wait(timeout: .milliseconds(200))
        }
        return nil
    }

    @Test("A key on the list comes through, one that is not is refused, and only that is called refused")
    func keys() throws {
        let (router, endpoint) = try listen(allowing: [own.publicKey])
        let all: Set = [ConnectionAttempt.succeeded, .refused, .failed]
        let friend = try client(endpoint, .client(own, serverKey: server.publicKey))
        #expect(try waited(friend, for: all) == .succeeded)
        let stranger = try client(endpoint, .client(other, serverKey: server.publicKey))
        #expect(try waited(stranger, for: all) == .refused)
        for curve in [SocketOptions.Curve.client(own, serverKey: other.publicKey), nil] {
            let mistaken = try client(endpoint, curve)
            #expect(try waited(mistaken, for: all) == .failed)
            // And stays so while it tries again and again.
            #expect(
                try waited(mistaken, for: [.connected, .refused, .succeeded], within: .milliseconds(600)) == nil)
        }
        withExtendedLifetime(router) {}
    }

    @Test("Where nobody listens, nothing takes a connection")
    func nobody() throws {
        let socket = try client("tcp://127.0.0.1:1", nil)
        #expect(try waited(socket, for: [.connected, .failed, .succeeded], within: .milliseconds(600)) == nil)
        #expect(socket.attempt == .none)
    }

    @Test("The cause says what is known, and what was tried, and calls an unknown host that")
    func causes() throws {
        let keys = (own: own.publicKey, server: server.publicKey)
        let place = "tcp://127.0.0.1:7"
        #expect(
            ConnectionAttempt.refused.cause(endpoint: place, keys: keys).contains("refused this key, \(own.publicKey)"))
        let tried = ConnectionAttempt.failed.cause(endpoint: place, keys: keys)
        #expect(tried.contains(own.publicKey.text) && tried.contains(server.publicKey.text))
        #expect(!tried.contains("refused"))
        #expect(ConnectionAttempt.failed.cause(endpoint: place, keys: nil).contains("without keys"))
        #expect(ConnectionAttempt.none.cause(endpoint: place, keys: keys).contains("is it running?"))
        let unknown = ConnectionAttempt.none.cause(endpoint: "tcp://nobody.invalid:7", keys: keys)
        #expect(unknown.contains("the name nobody.invalid leads to no address"))
    }
}
