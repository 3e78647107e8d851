import Foundation
import Testing
import ZeroMQ

@Suite("CURVE: who sent it", .serialized)
struct SenderNameTests {
    private func receive(_ socket: Socket) throws -> Socket.Message? {
        for _ in 0..<50 {
            if let message = try socket.receiveAuthenticated() { return message }
            _ = try Poller([.socket(socket)]).wait(timeout: .milliseconds(100))
        }
        return nil
    }

    @Test("Every message comes with the name of the key that its connection was authenticated with")
    func names() throws {
        let context = try Context()
        let (serverKeys, named, nameless) = (
            try CurveKeyPair.generate(), try CurveKeyPair.generate(), try CurveKeyPair.generate()
        )
        let authenticator = try Authenticator(
            context, .keys([named.publicKey, nameless.publicKey], names: [named.publicKey: "anna's laptop"]))
        var options = SocketOptions()
        options.curve = .server(serverKeys, authenticator)
        let router = try Socket(context, .router, options: options)
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        let outside = try Context()
        for (keys, name) in [(named, "anna's laptop"), (nameless, nameless.publicKey.shortName)] {
            options = SocketOptions()
            options.curve = .client(keys, serverKey: serverKeys.publicKey)
            let dealer = try Socket(outside, .dealer, options: options)
            try dealer.connect(endpoint)
            try dealer.send([[1], [2], [3]])
            let message = try #require(try receive(router))
            #expect(message.user == name && Array(message.frames.dropFirst()) == [[1], [2], [3]])
        }
    }

    @Test("Without keys there is no name")
    func plain() throws {
        let context = try Context()
        let router = try Socket(context, .router)
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        let dealer = try Socket(context, .dealer)
        try dealer.connect(endpoint)
        try dealer.send([[1]])
        let message = try #require(try receive(router))
        #expect(message.user == nil && message.frames.last == [1])
    }

    @Test("A connection that is refused is told to whoever keeps the log")
    func refusals() throws {
        let context = try Context()
        let (serverKeys, stranger) = (try CurveKeyPair.generate(), try CurveKeyPair.generate())
        let refused = try Mailbox<Authenticator.Refusal>()
        var options = SocketOptions()
        options.curve = .server(
            serverKeys, try Authenticator(context, .keys([]), whenRefused: { refused.post($0) }))
        let router = try Socket(context, .router, options: options)
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        options = SocketOptions()
        options.curve = .client(stranger, serverKey: serverKeys.publicKey)
        let dealer = try Socket(Context(), .dealer, options: options)
        try dealer.connect(endpoint)
        #expect(refused.take(timeout: .seconds(30)).first?.key == stranger.publicKey)
    }
}
