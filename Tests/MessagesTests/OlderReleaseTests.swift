import Messages
import Testing

/// Frames as the release before workers had names sent them, byte for byte. Within a protocol version messages only gain fields that
/// may be missing, so that a cluster is upgraded one process after the other.
@Suite("Messages of the release before")
struct OlderReleaseTests {
    private static let hello = """
        {"arithmetic":"x","base":"b","copies":[{"manifest":"m","prompts":5,"shard":3}],"known":[],"name":"host:1","precision":"f32",\
        "protocolVersion":10,"secret":"s","threads":2,"trainsSlices":true,"work":[],"worker":"w"}
        """
    private static let welcome = """
        {"cluster":"c","heartbeatSeconds":1,"liveness":3,"work":[]}
        """

    private func frames(_ kind: String, _ body: String) -> [[UInt8]] {
        [[], [10], Array(kind.utf8), [], Array("{\"body\":\(body),\"payloads\":[]}".utf8)]
    }

    @Test("A worker's greeting is read, and says that it knows neither names nor how to leave")
    func greeting() throws {
        guard case .hello(let hello) = try WorkerMessage(frames: frames("hello", Self.hello)) else {
            Issue.record("no greeting")
            return
        }
        #expect(hello.worker == "w" && hello.copies.map(\.shard) == [3])
        #expect(hello.label == nil && hello.release == nil && hello.knowsLeave == nil && hello.isEphemeral == nil)
        #expect(hello.uptimeSeconds == nil)
    }

    @Test("A coordinator's welcome is read, and names nobody")
    func welcome() throws {
        guard case .welcome(let welcome) = try CoordinatorMessage(frames: frames("welcome", Self.welcome)) else {
            Issue.record("no welcome")
            return
        }
        #expect(welcome.cluster == "c" && welcome.name == nil)
    }

    @Test("Another version is named, whatever the rest is; a coordinator translates the one before")
    func otherVersion() {
        for version in [WireLimits.version - 1, WireLimits.version + 1] {
            var old = frames("hello", Self.hello)
            old[1] = [version]
            #expect(throws: WireError.unsupportedVersion(version)) { try WorkerMessage(frames: old) }
            let isTaken = (try? WorkerMessage(frames: ProtocolVersions.taken(old))) != nil
            #expect(isTaken == (version < WireLimits.version))
        }
    }
}
