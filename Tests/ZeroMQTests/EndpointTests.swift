import Foundation
import Testing
import ZeroMQ

@Suite("Endpoints")
struct EndpointTests {
    @Test(
        "What only this machine reaches is told from what others reach",
        arguments: [
            ("tcp://127.0.0.1:7070", true), ("tcp://127.8.9.1:*", true), ("tcp://localhost:7070", true),
            ("ipc:///tmp/socket", true), ("tcp://[::1]:7070", true), ("tcp://[0:0:0:0:0:0:0:1]:7070", true),
            ("tcp://[::1%lo]:7070", true), ("tcp://[::ffff:127.0.0.1]:7070", true),
            ("tcp://[::FFFF:7f00:1]:7070", true), ("tcp://0.0.0.0:7070", false), ("tcp://*:7070", false),
            ("tcp://[::]:*", false), ("tcp://[fe80::1%eth0]:7070", false), ("tcp://[fe80::1]:7070", false),
            ("tcp://[::ffff:192.0.2.1]:7070", false), ("tcp://[::127.0.0.1]:7070", false), ("tcp://eth0:7070", false),
            ("tcp://127.example.org:7070", false), ("tcp://localhost.example.org:7070", false),
            ("tcp://192.0.2.1:7070", false),
        ])
    func loopback(_ text: String, _ isLoopback: Bool) throws {
        #expect(try Endpoint(text, for: .listening).isLoopback == isLoopback)
    }

    @Test(
        "What is no endpoint is refused for what is wrong with it",
        arguments: [
            ("", "empty"), ("127.0.0.1:7070", "scheme is missing"), ("localhost", "scheme is missing"),
            ("[::1]:7070", "scheme is missing"), ("udp://127.0.0.1:7070", "no scheme udp"),
            ("http://127.0.0.1:7070", "no scheme http"), ("TCP://127.0.0.1:7070", "no scheme TCP"),
            ("tcp://:7070", "host is missing"), ("tcp://", "port is missing"), ("tcp://127.0.0.1", "port is missing"),
            ("tcp://127.0.0.1:", "port is missing"), ("tcp://[::1]", "port is missing"),
            ("tcp://127.0.0.1:65536", "65536 is above 65535"), ("tcp://127.0.0.1:99999999999", "above 65535"),
            ("tcp://127.0.0.1:-1", "-1 is no number"), ("tcp://127.0.0.1:http", "http is no number"),
            ("tcp://127.0.0.1: 7070", "spaces"), (" tcp://127.0.0.1:7070", "spaces"), ("tcp://a b:7070", "spaces"),
            ("tcp://127.0.0.1:7070\n", "spaces"), ("tcp://::1:7070", "in brackets"),
            ("tcp://fe80::1:7070", "in brackets"),
            ("tcp://[::1:7070", "bracket"), ("tcp://[::g]:7070", "no IPv6 address"),
            ("tcp://[127.0.0.1]:7070", "no IPv6 address"), ("tcp://[fe80::1%]:7070", "no IPv6 address"),
            ("tcp://[]:7070", "no IPv6 address"), ("tcp://256.0.0.1:7070", "no IPv4 address"),
            ("tcp://127.1:7070", "no IPv4 address"), ("tcp://host/path:7070", "no name"), ("ipc://", "path"),
            ("ipc:///" + String(repeating: "x", count: 107), "107 bytes"),
        ])
    func malformed(_ text: String, _ reason: String) {
        for use in [Endpoint.Use.listening, .connecting] {
            let error = #expect(throws: ZeroMQError.self) { try Endpoint(text, for: use) }
            #expect(error?.description.contains(reason) == true, "\(text): \(error?.description ?? "")")
            guard case .malformedEndpoint(text, _)? = error else {
                Issue.record("\(String(describing: error))")
                continue
            }
        }
    }

    @Test("A free port and every address are for listening only; port 0 is nobody's")
    func uses() throws {
        for text in ["tcp://127.0.0.1:*", "tcp://127.0.0.1:0", "tcp://*:7070", "tcp://[::]:*", "tcp://[::1]:0"] {
            #expect(throws: Never.self) { try Endpoint(text, for: .listening) }
        }
        for (text, reason) in [
            ("tcp://127.0.0.1:*", "* is no number"), ("tcp://127.0.0.1:0", "port 0"),
            ("tcp://*:7070", "no host to connect"),
        ] {
            let error = #expect(throws: ZeroMQError.self) { try Endpoint(text, for: .connecting) }
            #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
        }
        let both = try Endpoint("tcp://192.0.2.9:0;[2001:db8::1]:7070", for: .connecting)
        #expect(both.place == .tcp(.ipv6("2001:db8::1"), port: 7070))
    }

    @Test("A name that leads nowhere says so")
    func unresolved() throws {
        #expect(try Endpoint("tcp://localhost:1", for: .connecting).unresolved == nil)
        #expect(try Endpoint("tcp://192.0.2.1:1", for: .connecting).unresolved == nil)
        let nowhere = try #require(try Endpoint("tcp://no-such-host.invalid:1", for: .connecting).unresolved)
        #expect(nowhere.reason.contains("no-such-host.invalid"))
    }
}

/// Whether this machine has the loopback address of IPv6.
private let hasIPv6: Bool = {
    guard let context = try? Context(), let socket = try? Socket(context, .router) else { return false }
    return (try? socket.bind("tcp://[::1]:*")) != nil
}()

@Suite("IPv6", .enabled(if: hasIPv6))
struct IPv6Tests {
    @Test("Messages go over an IPv6 address, with and without keys, and senders are called by their addresses")
    func messages() throws {
        let context = try Context()
        let (serverKeys, keys) = (try CurveKeyPair.generate(), try CurveKeyPair.generate())
        for isEncrypted in [false, true] {
            var (options, clientOptions) = (SocketOptions(), SocketOptions())
            if isEncrypted {
                options.curve = .server(serverKeys, try Authenticator(context, .keys([keys.publicKey])))
                clientOptions.curve = .client(keys, serverKey: serverKeys.publicKey)
            }
            let router = try Socket(context, .router, options: options)
            let endpoint = try router.bind("tcp://[::1]:*")
            #expect(endpoint.hasPrefix("tcp://[::1]:"))
            let dealer = try Socket(context, .dealer, options: clientOptions)
            try dealer.connect(endpoint)
            try dealer.send([[7]])
            #expect(try Poller([.socket(router)]).wait(timeout: .seconds(10))[0])
            let message = try #require(try router.receiveAuthenticated())
            #expect(message.frames.last == [7] && message.address == "::1")
        }
    }

    @Test("Who listens on all addresses of IPv6 hears IPv4 too, and calls it as it is written")
    func both() throws {
        let context = try Context()
        let router = try Socket(context, .router)
        let endpoint = try router.bind("tcp://[::]:*")
        let port = try #require(endpoint.split(separator: ":").last)
        for host in ["127.0.0.1", "[::1]", "localhost"] {
            let dealer = try Socket(context, .dealer)
            try dealer.connect("tcp://\(host):\(port)")
            try dealer.send([[9]])
            #expect(try Poller([.socket(router)]).wait(timeout: .seconds(10))[0], "\(host)")
            let address = try router.receiveAuthenticated()?.address
            #expect(["127.0.0.1", "::1"].contains(address ?? ""), "\(address ?? "")")
        }
    }
}
