import Messages
import Testing

/// Frames as the release before sent them, byte for byte. Within a protocol version messages only gain fields that may be
/// missing, so that a cluster is upgraded one process after the other.
@Suite("Messages of the release before")
struct OlderReleaseTests {
    private static let hello = """
        {"arithmetic":"x","averages":true,"base":"b","copies":[{"adapter":"a","manifest":"m","prompts":5,"shard":3}],\
        "isEphemeral":false,"knowsLeave":true,"known":[],"label":"node-1","name":"host:1","precision":"f32",\
        "protocolVersion":10,"release":"0.9","secret":"s","threads":2,"trainsSlices":true,"uptimeSeconds":0.5,"work":[],\
        "worker":"w"}
        """
    private static let welcome = """
        {"cluster":"c","heartbeatSeconds":1,"liveness":3,"name":"node-1","work":[]}
        """
    private static let trained = """
        {"report":{"adapter":"a","computeSeconds":1,"epochLosses":[0.5],"manifest":"m","prompts":3,"seconds":1,\
        "slices":{"count":4,"first":3,"tokens":7},"specification":{"averaging":"steps","base":"b","batch":8,\
        "epochs":1,"learningRate":0.001,"lora":{"alpha":16,"rank":8,"targets":["q_proj","v_proj"]},"precision":"f32",\
        "seed":7,"slices":4,"warmupSteps":0,"weightDecay":0},"steps":1,"tokens":9},"task":5}
        """

    /// As the coordinator's socket hands them on.
    private func frames(_ kind: String, _ body: String, _ payloads: [UInt8]...) -> [[UInt8]] {
        let lengths = payloads.map { "\($0.count)" }.joined(separator: ",")
        let header = Array("{\"body\":\(body),\"payloads\":[\(lengths)]}".utf8)
        return ProtocolVersions.taken([[], [10], Array(kind.utf8), [], header] + payloads)
    }

    @Test("A worker's greeting is read: it says what it knows of trainings, and nothing of stages")
    func greeting() throws {
        guard case .hello(let hello) = try WorkerMessage(frames: frames("hello", Self.hello)) else {
            Issue.record("no greeting")
            return
        }
        #expect(hello.worker == "w" && hello.copies.map(\.shard) == [3] && hello.copies[0].stages == nil)
        #expect(hello.protocolVersion == 10 && hello.label == "node-1" && hello.knowsLeave == true)
        #expect(hello.trainsSlices == true && hello.averages == true)
    }

    @Test("A copy and a training in slices are read, and say nothing of stages")
    func trainings() throws {
        let copy = "{\"adapter\":\"a\",\"manifest\":\"m\",\"prompts\":5,\"shard\":3}"
        #expect(
            try WorkerMessage(frames: frames("holds", copy))
                == .holds(ShardCopy(shard: 3, manifest: "m", prompts: 5, adapter: "a")))
        guard
            case .trained(5, let report, [1, 2]) = try WorkerMessage(frames: frames("trained", Self.trained, [1, 2]))
        else {
            Issue.record("no training")
            return
        }
        #expect(report.slices?.first == 3 && report.slices?.stages == nil && !report.isWhole)
    }

    @Test("A client's verification is one of whole trainings")
    func verification() throws {
        let body = "{\"verify\":{\"_0\":{}}}"
        var asked = frames("request", "{}", Array(body.utf8))
        asked[3] = Array("v".utf8)
        #expect(try PeerMessage(frames: asked) == .request(id: "v", .verify(.init(request: nil))))
    }

    @Test("A coordinator's welcome has its form of before")
    func welcome() throws {
        guard case .welcome(let welcome) = try CoordinatorMessage(frames: frames("welcome", Self.welcome)) else {
            Issue.record("no welcome")
            return
        }
        #expect(welcome.cluster == "c" && welcome.name == "node-1")
        let said = try CoordinatorMessage.welcome(welcome).frames()
        #expect(ProtocolVersions.frames(said, in: 10)[1] == [10])
        #expect(said[4] == Array("{\"body\":\(Self.welcome),\"payloads\":[]}".utf8))
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
