import Foundation
import PeerTestSupport
import Testing
import ZeroMQ

@Suite("CURVE: another list of keys", .serialized)
struct ReadmissionTests {
    private func answer(_ socket: Socket, within attempts: Int) throws -> Socket.Message? {
        for _ in 0..<attempts {
            if let message = try socket.receiveAuthenticated() { return message }
            _ = try Poller([.socket(socket)]).wait(timeout: .milliseconds(20))
        }
        return nil
    }

    @Test
    func `Who comes onto the list is let in from then on, who is gone is not, and connections that are there stay`()
        throws
    {
        let context = try Context()
        let (serverKeys, one, other) = (
            try CurveKeyPair.generate(), try CurveKeyPair.generate(), try CurveKeyPair.generate()
        )
        let refused = try Mailbox<Authenticator.Refusal>()
        let authenticator = try Authenticator(
            context, .keys([one.publicKey], names: [one.publicKey: "one"]), whenRefused: { refused.post($0) })
        var options = SocketOptions()
        options.curve = .server(serverKeys, authenticator)
        let router = try Socket(context, .router, options: options)
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        let outside = try Context()
        func client(_ keys: CurveKeyPair) throws -> Socket {
            options.curve = .client(keys, serverKey: serverKeys.publicKey)
            let dealer = try Socket(outside, .dealer, options: options)
            try dealer.connect(endpoint)
            try dealer.send([[1]])
            return dealer
        }
        let before = try client(one)
        #expect(try answer(router, within: 500)?.user == "one")
        authenticator.admit([other.publicKey: "other"])
        // Until the authenticator's thread has it, the other key is refused; libzmq does not come again then.
        var comers: [Socket] = []
        var message: Socket.Message?
        for _ in 0..<20 where message == nil {
            comers.append(try client(other))
            message = try answer(router, within: 25)
        }
        #expect(message?.user == "other")
        _ = refused.drain()
        comers.append(try client(one))
        #expect(refused.take(timeout: .seconds(30)).first?.key == one.publicKey)
        try before.send([[2]])
        let late = try answer(router, within: 500)
        #expect(late?.user == "one" && late?.frames.last == [2])
    }
}
