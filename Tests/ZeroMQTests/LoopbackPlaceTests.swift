import Testing
import ZeroMQ

@Suite("What a port of loopback is called")
struct LoopbackPlaceTests {
    @Test(
        "It is the same whoever writes the address, and there is none beyond this machine",
        arguments: [
            ("tcp://127.0.0.1:7070", "127.0.0.1-7070"), ("tcp://localhost:7070", "127.0.0.1-7070"),
            ("tcp://[::ffff:127.0.0.1]:7070", "127.0.0.1-7070"), ("tcp://127.0.0.2:7070", "127.0.0.2-7070"),
            ("tcp://[::1]:7070", "ip6-7070"), ("tcp://[0:0:0:0:0:0:0:1]:7070", "ip6-7070"),
            ("tcp://127.0.0.1:7071", "127.0.0.1-7071"), ("tcp://192.0.2.1:7070", nil),
            ("tcp://[2001:db8::1]:7070", nil),
            ("ipc:///tmp/socket", nil),
        ])
    func places(_ endpoint: String, _ place: String?) throws {
        #expect(try Endpoint(endpoint, for: .connecting).loopbackPlace == place)
    }
}
