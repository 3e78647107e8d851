import Foundation
import Testing
import ZeroMQ

@Suite("CURVE", .serialized)
struct CurveTests {
    private func server(
        _ context: Context, _ keys: CurveKeyPair, allowing clients: Set<CurvePublicKey>
    ) throws -> (socket: Socket, endpoint: String, authenticator: Authenticator) {
        let authenticator = try Authenticator(context, .keys(clients))
        var options = SocketOptions()
        options.curve = .server(keys, authenticator)
        let socket = try Socket(context, .router, options: options)
        return (socket, try socket.bind("tcp://127.0.0.1:*"), authenticator)
    }

    private func client(
        _ context: Context, _ keys: CurveKeyPair, server: CurvePublicKey, endpoint: String
    ) throws -> Socket {
        var options = SocketOptions()
        options.curve = .client(keys, serverKey: server)
        let socket = try Socket(context, .dealer, options: options)
        try socket.connect(endpoint)
        return socket
    }

    @Test("A client on the list is heard, a stranger and an unencrypted client are not")
    func allowList() throws {
        let context = try Context()
        let (serverKeys, friend, stranger) = (
            try CurveKeyPair.generate(), try CurveKeyPair.generate(), try CurveKeyPair.generate()
        )
        let (router, endpoint, authenticator) = try server(context, serverKeys, allowing: [friend.publicKey])
        let outside = try Context()
        let bad = try client(outside, stranger, server: serverKeys.publicKey, endpoint: endpoint)
        try bad.send([[66]])
        let plain = try Socket(outside, .dealer)
        try plain.connect(endpoint)
        try plain.send([[67]])
        let wrongServer = try client(outside, friend, server: stranger.publicKey, endpoint: endpoint)
        try wrongServer.send([[68]])
        let good = try client(outside, friend, server: serverKeys.publicKey, endpoint: endpoint)
        try good.send([[1]])
        #expect(try receive(router)?.last == [1])
        #expect(try receive(router, within: .milliseconds(200)) == nil)
        withExtendedLifetime(authenticator) {}
    }

    @Test("Encryption takes nothing from the largest frame, in either direction, and a larger one is refused")
    func maximumFrameSize() throws {
        let context = try Context()
        let (serverKeys, keys) = (try CurveKeyPair.generate(), try CurveKeyPair.generate())
        var options = SocketOptions()
        options.maximumFrameSize = 1 << 20
        options.curve = .server(serverKeys, try Authenticator(context, .keys([keys.publicKey])))
        let router = try Socket(context, .router, options: options)
        let endpoint = try router.bind("tcp://127.0.0.1:*")
        options.curve = .client(keys, serverKey: serverKeys.publicKey)
        let dealer = try Socket(context, .dealer, options: options)
        try dealer.connect(endpoint)
        let largest = [UInt8](repeating: 7, count: 1 << 20)
        try dealer.send([largest])
        let received = try #require(try receive(router))
        #expect(received.last == largest)
        try router.send([received[0], largest])
        #expect(try receive(dealer) == [largest])
        try dealer.send([largest + [7]])
        #expect(try receive(router, within: .milliseconds(200)) == nil)
    }

    @Test("One context has one authenticator")
    func oneAuthenticator() throws {
        let context = try Context()
        let first = try Authenticator(context, .keys([]))
        #expect(throws: ZeroMQError.self) { try Authenticator(context, .keys([])) }
        withExtendedLifetime(first) {}
    }

    @Test("Keys survive their files, which others cannot read and nobody overwrites")
    func files() throws {
        let directory = FileManager.default.temporaryDirectory.path + "/" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let path = directory + "/key"
        let keys = try CurveKeyPair.generate()
        try keys.write(to: path)
        let attributes = try FileManager.default.attributesOfItem(atPath: path)
        #expect(attributes[.posixPermissions] as? NSNumber == 0o600)
        #expect(try CurveKeyPair(contentsOf: path).publicKey == keys.publicKey)
        #expect(try CurvePublicKey(contentsOf: path + ".pub") == keys.publicKey)
        #expect(try !String(contentsOfFile: path + ".pub", encoding: .utf8).contains("secret"))
        #expect(throws: ZeroMQError.self) { try keys.write(to: path) }
        #expect(throws: ZeroMQError.self) { try CurveKeyPair(contentsOf: path + ".pub") }
        #expect(throws: ZeroMQError.self) { try CurveKeyPair(contentsOf: directory + "/none") }
        // Of two keys in one file one would be passed over in silence.
        let both = try String(contentsOfFile: path + ".pub", encoding: .utf8)
        try (both + both).write(toFile: directory + "/both", atomically: true, encoding: .utf8)
        #expect(throws: ZeroMQError.self) { try CurvePublicKey(contentsOf: directory + "/both") }
    }

    @Test(
        "A key file that others can read or its group can write is refused; one that its group can read is taken",
        arguments: [
            (0o600, true), (0o400, true), (0o440, true), (0o640, true),
            (0o644, false), (0o604, false), (0o602, false), (0o601, false), (0o660, false), (0o620, false),
        ])
    func modes(_ mode: Int, _ accepted: Bool) throws {
        let path = FileManager.default.temporaryDirectory.path + "/" + UUID().uuidString
        let keys = try CurveKeyPair.generate()
        try keys.write(to: path)
        defer { for file in [path, path + ".pub"] { try? FileManager.default.removeItem(atPath: file) } }
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        if accepted {
            #expect(try CurveKeyPair(contentsOf: path).publicKey == keys.publicKey)
        } else {
            #expect(throws: ZeroMQError.self) { try CurveKeyPair(contentsOf: path) }
        }
    }

    @Test(
        "Text that is no key is refused, and so are the keys of the manual page",
        arguments: [
            "", "short", "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7", "Yne@$w-vo<fVvi]a<NY6T1ed:M$fCG*[IaLV{hID",
            String(repeating: "~", count: 40), String(repeating: "é", count: 20),
        ])
    func badKeys(_ text: String) {
        #expect(throws: ZeroMQError.self) { try CurvePublicKey(text) }
    }

    @Test(
        "The manual page's secret keys are refused",
        arguments: ["D:)Q[IlAW!ahhC2ac:9*A}h:p?([4%wOTJ%JR%cs", "JTKVSB%%)wK0E.X)V>+}o?pNmC{O&4W4b!Ni{Lh6"])
    func publishedSecrets(_ text: String) {
        #expect(throws: ZeroMQError.self) { try CurveKeyPair(secretKey: text) }
    }

    @Test("A description never shows the secret")
    func description() throws {
        let path = FileManager.default.temporaryDirectory.path + "/" + UUID().uuidString
        defer {
            unlink(path)
            unlink(path + ".pub")
        }
        let keys = try CurveKeyPair.generate()
        try keys.write(to: path)
        let file = try String(contentsOfFile: path, encoding: .utf8)
        let secretLine = try #require(file.split(separator: "\n").first { $0.contains("secret-key") })
        let secret = try #require(secretLine.split(separator: "\"").dropFirst().first)
        #expect(secret.count == 40)
        #expect(!"\(keys)".contains(secret))
    }
}
