import ClusterTestSupport
import Compute
import Foundation
import Messages
import Recommendation
import Testing

@Suite("Hostile input")
struct WireHostileInputTests {
    /// Decodes as every role would; throwing is fine, crashing is not.
    private func decodeEverywhere(_ frames: [[UInt8]]) {
        _ = try? PeerMessage(frames: frames)
        _ = try? CoordinatorMessage(frames: frames)
        _ = try? ClientReply.decode(frames: frames).reply.value([String: [Int]].self)
    }

    private func samples() throws -> [[[UInt8]]] {
        // Without the large one: mutations of its content say nothing.
        try WireSamples.worker.filter { if case .trained = $0 { false } else { true } }.map { try $0.frames() }
            + WireSamples.coordinator.map { try $0.frames() } + WireSamples.requests.map { try $0.frames(id: "r") }
            + [try ClientReply([1, 2], payloads: [[1]]).frames(id: "r")]
    }

    @Test("A truncated message is refused at every length")
    func truncations() throws {
        for frames in try samples() {
            for count in frames.indices {
                decodeEverywhere(Array(frames.prefix(count)))
                #expect(throws: WireError.self) { try Envelope(frames: Array(frames.prefix(min(count, 4)))) }
                for length in 0..<min(frames[count].count, 300) {
                    var cut = frames
                    cut[count] = Array(frames[count].prefix(length))
                    decodeEverywhere(cut)
                }
            }
        }
    }

    @Test("Flipped bytes, lost, doubled and swapped frames never crash", arguments: 0..<8)
    func mutations(seed: Int) throws {
        let generator = CounterGenerator(seed: UInt64(seed))
        var position = 0
        func random(_ limit: Int) -> Int {
            position += 1
            return Int(generator.word(at: position)) % max(1, limit)
        }
        for original in try samples() {
            for _ in 0..<60 {
                var frames = original
                for _ in 0...random(3) {
                    let index = random(frames.count)
                    switch random(5) {
                    case 0 where frames.count > 1: frames.remove(at: index)
                    case 1: frames.insert(frames[index], at: index)
                    case 2: frames.swapAt(index, random(frames.count))
                    case 3: frames[index].append(UInt8(random(256)))
                    default:
                        if !frames[index].isEmpty {
                            frames[index][random(frames[index].count)] ^= UInt8(1 << random(8))
                        }
                    }
                }
                decodeEverywhere(frames)
            }
        }
    }

    @Test("Random bytes are refused", arguments: 0..<4)
    func garbage(seed: Int) {
        let generator = CounterGenerator(seed: 77, path: [UInt64(seed)])
        for round in 0..<200 {
            let frames = (0..<Int(generator.word(at: round) % 9)).map { frame in
                (0..<Int(generator.word(at: 1000 + round * 10 + frame) % 64)).map {
                    UInt8(truncatingIfNeeded: generator.word(at: 100_000 + round * 1000 + frame * 100 + $0))
                }
            }
            #expect(throws: WireError.self) { try PeerMessage(frames: frames) }
        }
    }

    @Test("JSON that nests deeper than the limit is refused, in headers and payloads", arguments: ["[", "{\"a\":"])
    func deepNesting(_ opening: String) throws {
        let deep = Array(String(repeating: opening, count: 60_000).utf8)
        let header = try Envelope(kind: "hello", body: Array(deep.prefix(200_000))).frames()
        #expect(throws: WireError.self) { try PeerMessage(frames: header) }
        let payload = try Envelope(kind: "request", id: "r", payloads: [deep]).frames()
        #expect(throws: WireError.tooLarge(what: "request: nesting of JSON", size: 33, limit: 32)) {
            try PeerMessage(frames: payload)
        }
    }

    @Test(
        "A request of more values than anybody needs is refused before memory is spent on them; commas in names are none"
    )
    func manyValues() throws {
        func request(_ name: String, _ count: Int) throws -> [[UInt8]] {
            let users = Array(repeating: "\"\(name)\"", count: count).joined(separator: ",")
            let body = "{\"forget\":{\"_0\":{\"dryRun\":true,\"interactions\":[],\"users\":[\(users)]}}}"
            return try Envelope(kind: "request", id: "r", payloads: [Array(body.utf8)]).frames()
        }
        let limit = WireLimits.requestValues
        #expect(
            throws: WireError.tooLarge(what: "request: values of JSON", size: limit + 1, limit: limit)
        ) { try PeerMessage(frames: request("u", limit - 6)) }
        let names = String(repeating: ",", count: 1000)
        guard case .request(_, .forget(let read)) = try PeerMessage(frames: request(names, 3000)) else {
            Issue.record("no forget request")
            return
        }
        #expect(read.users == Array(repeating: names, count: 3000))
    }

    @Test("Brackets inside strings are no nesting")
    func bracketsInStrings() throws {
        let user = String(repeating: "[{\"\\", count: 100)
        let request = ClientRequest.query(ClientRequest.QueryRequest(user: user, items: [], top: nil))
        #expect(try PeerMessage(frames: request.frames(id: "r")) == .request(id: "r", request))
    }

    @Test("Payload lengths that do not add up are refused")
    func wrongLengths() throws {
        let honest = try Envelope(kind: "x", payloads: [[1, 2, 3], [4]]).frames()
        #expect(try Envelope(frames: honest).payloads == [[1, 2, 3], [4]])
        for lengths in [
            "3", "3,2", "2,1", "3,1,0,1", "4", "-1,5", "3,1,99999999999999999999", "9223372036854775807,1", "3,,1",
            "3,1,",
            " 3,1", "3,1]", "", "0x3,1",
        ] {
            var frames = honest
            frames[4] = Array("{\"body\":{},\"payloads\":[\(lengths)]}".utf8)
            #expect(throws: WireError.self, "\(lengths)") { try Envelope(frames: frames) }
        }
    }

    @Test("A body cannot pass for the list of payloads")
    func smuggledList() throws {
        let body = Array("{\"a\":\",\\\"payloads\\\":[7]}\"}".utf8)
        let envelope = Envelope(kind: "x", body: body, payloads: [[1]])
        #expect(try Envelope(frames: envelope.frames()) == envelope)
    }

    @Test("Too many frames, payloads or bytes of a name are refused on both sides")
    func limits() throws {
        let many = [[UInt8]](repeating: [1], count: WireLimits.payloads + 1)
        #expect(throws: WireError.self) { try Envelope(kind: "x", payloads: many).frames() }
        #expect(throws: WireError.self) { try Envelope(kind: String(repeating: "k", count: 129)).frames() }
        let honest = try Envelope(kind: "x").frames()
        #expect(throws: WireError.self) {
            try Envelope(frames: honest + [[UInt8]](repeating: [1], count: WireLimits.frames))
        }
        let large = try Envelope(
            kind: "request", id: "r", payloads: [[UInt8](repeating: 32, count: WireLimits.request + 1)]
        ).frames()
        #expect(throws: WireError.tooLarge(what: "request", size: WireLimits.request + 1, limit: WireLimits.request)) {
            try PeerMessage(frames: large)
        }
        var long = honest
        long[3] = [UInt8](repeating: 65, count: 129)
        #expect(throws: WireError.self) { try Envelope(frames: long) }
    }

    @Test("A hello with as many shards as allowed fits")
    func largestHello() throws {
        let digest = String(repeating: "f", count: 64)
        let copies = (0..<WireLimits.copies).map {
            ShardCopy(shard: $0, manifest: digest, prompts: 1_000_000, adapter: digest)
        }
        let hello = WorkerMessage.hello(
            WorkerMessage.Hello(
                worker: digest, name: digest, protocolVersion: 2, base: digest, precision: .bf16, arithmetic: digest,
                threads: 64, copies: copies))
        #expect(try WorkerMessage(frames: hello.frames()) == hello)
    }

    @Test("Another version is named in the error")
    func version() throws {
        var frames = try WorkerMessage.heartbeat.frames()
        frames[1] = [WireLimits.version + 1]
        #expect(throws: WireError.unsupportedVersion(WireLimits.version + 1)) { try PeerMessage(frames: frames) }
    }

    @Test("Contents that contradict their kind are refused")
    func contradictions() throws {
        func refuse(_ kind: String, _ body: String, _ payloads: [String] = []) throws {
            let frames = try Envelope(
                kind: kind, id: "r", body: Array(body.utf8), payloads: payloads.map { Array($0.utf8) }
            ).frames()
            #expect(throws: WireError.self, "\(kind)") { try PeerMessage(frames: frames) }
            #expect(throws: WireError.self, "\(kind)") { try CoordinatorMessage(frames: frames) }
        }
        try refuse("need", "{\"task\":1}", ["[]"])
        try refuse("need", "{\"task\":-1}", ["[\"d\"]"])
        try refuse("scored", "{\"task\":1,\"tokens\":1,\"seconds\":1}", ["abc"])
        try refuse("heartbeat", "{}", ["x"])
        try refuse("welcome", "{\"cluster\":\"c\",\"heartbeatSeconds\":0,\"liveness\":3}")
        try refuse("welcome", "{\"cluster\":\"c\",\"heartbeatSeconds\":1,\"liveness\":0}")
        try refuse("request", "{}", ["{\"nonsense\":{}}"])
        try refuse("request", "{}")
        try refuse("unknown", "{}")
        let unsorted = "[{\"id\":\"b\",\"digest\":\"1\"},{\"id\":\"a\",\"digest\":\"2\"}]"
        let twice = "[{\"id\":\"a\",\"digest\":\"1\"},{\"id\":\"a\",\"digest\":\"2\"}]"
        for manifest in [unsorted, twice] {
            let assignment = CoordinatorMessage.assign(
                CoordinatorMessage.Assignment(
                    task: 1, shard: 0, specification: WireSamples.specification, manifest: ShardManifest(entries: []),
                    keys: Toy.keys([]), adapter: nil))
            var envelope = try Envelope(frames: assignment.frames())
            envelope.payloads[0] = Array(manifest.utf8)
            let frames = try envelope.frames()
            #expect(throws: WireError.self) { try CoordinatorMessage(frames: frames) }
        }
    }

    @Test("A request without an id is refused")
    func noID() throws {
        let frames = try ClientRequest.status.frames(id: "")
        #expect(throws: WireError.self) { try PeerMessage(frames: frames) }
    }

    @Test("An error does not repeat the content it complains about")
    func quietErrors() throws {
        let frames = try Envelope(
            kind: "request", id: "r", payloads: [Array("{\"query\":{\"_0\":{\"user\":[\"secret person\"]}}}".utf8)]
        ).frames()
        do {
            _ = try PeerMessage(frames: frames)
            Issue.record("accepted")
        } catch {
            #expect(!"\(error)".contains("secret"))
        }
    }
}
