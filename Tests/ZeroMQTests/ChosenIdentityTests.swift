import Foundation
import PeerTestSupport
import Testing
import ZeroMQ

@Suite("Peers that choose their own identity", .serialized)
struct ChosenIdentityTests {
    private func dealer(_ endpoint: String, _ change: (inout SocketOptions) -> Void) throws -> Socket {
        var options = SocketOptions()
        change(&options)
        let socket = try Socket(try Context(), .dealer, options: options)
        try socket.connect(endpoint)
        return socket
    }

    @Test(
        "Without keys they are not heard and lose their connection; others are heard",
        arguments: [[0, 1, 2, 3, 4], [0], Array("name".utf8)])
    func plain(_ identity: [UInt8]) throws {
        let server = try GuardedServer(ConnectionLimits())
        let rude = try RawPeer(server.endpoint, identity: identity)
        #expect(rude.send([0, 1, 66]))
        #expect(throws: ZeroMQError.unwelcome) {
            while true { if try receive(server.socket) != nil { break } }
        }
        #expect(rude.isClosed(within: 30))
        #expect(server.closed.take(timeout: .seconds(30)) == [.identity])
        let polite = try dealer(server.endpoint) { _ in }
        try polite.send([[5]])
        #expect(try receive(server.socket)?.last == [5])
    }

    @Test("Under CURVE the server chooses: nobody is routed by what it claims, and others are heard")
    func curve() throws {
        let (serverKeys, keys) = (try CurveKeyPair.generate(), try CurveKeyPair.generate())
        let server = try GuardedServer(ConnectionLimits(), keys: serverKeys, allowing: [keys.publicKey])
        for claimed in [nil, Array("name".utf8), Array("name".utf8), [0, 1, 2, 3, 4], nil] {
            let peer = try dealer(server.endpoint) {
                $0.routingIdentity = claimed
                $0.curve = .client(keys, serverKey: serverKeys.publicKey)
            }
            try peer.send([[9]])
            do {
                let identity = try #require(try receive(server.socket)?.first)
                #expect(identity != claimed)
                try server.socket.send([identity, [3]])
                #expect(try receive(peer) == [[3]])
            } catch ZeroMQError.unwelcome {
                // On a busy machine what it claims may come through; then it is not heard.
                #expect(claimed != nil)
            }
        }
    }

    @Test("libzmq's first number differs from process to process")
    func seeded() throws {
        // What an unseeded `rand` gives: two draws make a number.
        let known: Set<UInt32> = [1_804_289_383, 846_930_886, 1_681_692_777, 1_714_636_915, 1_957_747_793, 424_238_335]
        let router = try Socket(try Context(), .router)
        let peer = try dealer(try router.bind("tcp://127.0.0.1:*")) { _ in }
        try peer.send([[1]])
        let identity = try #require(try receive(router)?.first)
        let number = identity.dropFirst().reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        #expect(!known.contains(number & 0x7FFF_FFFF))
    }
}
