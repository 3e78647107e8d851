import ClusterTestSupport
import LanguageModels
import Messages
import Recommendation
import Testing
import Unlearning

@Suite("Wire codec")
struct WireCodecTests {
    @Test("Every worker message survives the wire", arguments: WireSamples.worker.indices)
    func workerMessages(_ index: Int) throws {
        let message = WireSamples.worker[index]
        let frames = try message.frames()
        #expect(frames.allSatisfy { $0.count <= WireLimits.frame })
        #expect(try WorkerMessage(frames: frames) == message)
        #expect(try PeerMessage(frames: frames) == .worker(message))
    }

    @Test("Every coordinator message survives the wire", arguments: WireSamples.coordinator.indices)
    func coordinatorMessages(_ index: Int) throws {
        let message = WireSamples.coordinator[index]
        #expect(try CoordinatorMessage(frames: message.frames()) == message)
    }

    @Test("Every request survives the wire with its id", arguments: WireSamples.requests.indices)
    func requests(_ index: Int) throws {
        let request = WireSamples.requests[index]
        #expect(try PeerMessage(frames: request.frames(id: "id-1")) == .request(id: "id-1", request))
    }

    @Test("Replies carry a value with payloads, or an error")
    func replies() throws {
        let success = try ClientReply(["answer": 42], payloads: [[1, 2], [], [UInt8](repeating: 3, count: 1 << 20)])
        let (id, decoded) = try ClientReply.decode(frames: success.frames(id: "r"))
        #expect(id == "r" && decoded == success)
        #expect(try decoded.value([String: Int].self) == ["answer": 42])

        let error = ClientError(code: .unknownUser, message: "nobody of that name")
        let failure = try ClientReply.decode(frames: ClientReply(error).frames(id: "r")).reply
        #expect(throws: error) { try failure.value([String: Int].self) }
    }

    @Test("Equal messages have equal bytes")
    func stableBytes() throws {
        for message in WireSamples.coordinator { #expect(try message.frames() == message.frames()) }
    }

    @Test("Numbers that are none are refused: no status could say them", arguments: [Double.nan, .infinity, -1])
    func notANumber(_ value: Double) throws {
        let message = WorkerMessage.progress(
            WorkerMessage.TaskProgress(
                task: 1, step: 1, steps: 2, loss: 0, tokensPerSecond: value, secondsRemaining: 0))
        let frames = try message.frames()
        #expect(throws: WireError.self) { try WorkerMessage(frames: frames) }
    }

    @Test("Frames start with an empty one, the version, kind and id")
    func outerFrames() throws {
        let frames = try ClientRequest.status.frames(id: "x")
        #expect(Array(frames.prefix(4)) == [[], [WireLimits.version], Array("request".utf8), Array("x".utf8)])
    }
}
