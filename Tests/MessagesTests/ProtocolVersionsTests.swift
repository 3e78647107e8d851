import ClusterTestSupport
import Messages
import Testing
import Unlearning

@Suite("Versions of the protocol")
struct ProtocolVersionsTests {
    private static let older = ProtocolVersions.oldest

    @Test("The version before is taken, and nothing else beside this one")
    func accepted() {
        #expect(ProtocolVersions.accepted == (WireLimits.version - 1)...WireLimits.version)
    }

    @Test("What a peer of the version before says is read, and what it is told has its byte, for every message")
    func translated() throws {
        for message in WireSamples.worker {
            let said = ProtocolVersions.frames(try message.frames(), in: Self.older)
            #expect(ProtocolVersions.version(of: said) == Self.older)
            #expect(throws: WireError.unsupportedVersion(Self.older)) { try PeerMessage(frames: said) }
            #expect(try PeerMessage(frames: ProtocolVersions.taken(said)) == .worker(message))
        }
        for message in WireSamples.coordinator {
            let frames = try message.frames()
            let told = ProtocolVersions.frames(frames, in: Self.older)
            #expect(told[1] == [Self.older] && told[0].isEmpty && Array(told[2...]) == Array(frames[2...]))
        }
    }

    @Test("Other versions, and what is no message, stay as they came")
    func others() {
        for frames: [[UInt8]] in [[], [[]], [[], []], [[], [9], [1]], [[], [12]], [[1], [10]], [[], [10, 10]]] {
            #expect(ProtocolVersions.taken(frames) == frames)
        }
    }

    @Test("To hand stages on, and to train one slice alone, is none of the version before")
    func forms() {
        #expect(WorkForm.allCases.filter { $0.since > Self.older } == [.handingOver, .stageReplay])
        for message in WireSamples.coordinator {
            switch message {
            case .hand, .stage, .noStage, .replayStage: #expect(message.since == 11)
            default: #expect(message.since <= Self.older)
            }
        }
    }

    @Test("What came while a version lasted a worker says for itself: slices and averages of 10, another average of 11")
    func trainings() {
        func knows(
            _ version: Int, slices: Int, _ averaging: WeightAveraging, says: (Bool?, Bool?),
            averagings: [String]? = nil
        ) -> Bool {
            var specification = WireSamples.specification
            (specification.slices, specification.averaging) = (slices, averaging)
            var hello = WorkerMessage.Hello(
                worker: "w", name: "h", protocolVersion: version, base: "b", precision: .f32, arithmetic: "x",
                threads: 1, copies: [])
            (hello.trainsSlices, hello.averages, hello.averagings) = (says.0, says.1, averagings)
            return hello.knows(specification)
        }
        #expect(knows(10, slices: 1, .none, says: (nil, nil)))
        #expect(!knows(10, slices: 2, .none, says: (nil, true)) && knows(10, slices: 2, .none, says: (true, nil)))
        #expect(!knows(10, slices: 1, .steps, says: (true, nil)) && knows(10, slices: 2, .steps, says: (true, true)))
        #expect(knows(11, slices: 2, .steps, says: (nil, nil)) && !knows(11, slices: 2, .polynomial, says: (nil, nil)))
        let said = ["none", "polynomial", "one of a later release"]
        #expect(knows(11, slices: 2, .polynomial, says: (nil, nil), averagings: said))
        #expect(!knows(11, slices: 2, .steps, says: (nil, nil), averagings: said))
        #expect(!knows(9, slices: 1, .none, says: (true, true)))
    }

    @Test("A request that means something else since is not answered to an older client, with a reason")
    func requests() {
        for request in WireSamples.requests {
            #expect(request.objection(in: Self.older) == nil)
            #expect(request.objection(in: Self.older - 1)?.code == .protocolVersion)
            #expect(request.objection(in: Self.older - 1)?.message.contains("protocol version 10") == true)
        }
    }
}
