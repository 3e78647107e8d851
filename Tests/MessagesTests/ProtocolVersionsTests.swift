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
        for frames: [[UInt8]] in [[], [[]], [[], []], [[], [8], [1]], [[], [11]], [[1], [9]], [[], [9, 9]]] {
            #expect(ProtocolVersions.taken(frames) == frames)
        }
    }

    @Test("Comparisons, corrections and trainings with what came later are none of the version before")
    func forms() {
        #expect(WorkForm.allCases.filter { $0.since > Self.older } == [.correction, .preparation, .comparison])
        let plain = WireSamples.specification
        #expect(TrainingSpecification(base: "b", precision: .f32).since <= Self.older)
        for change: (inout TrainingSpecification) -> Void in [
            { $0.schedule = .linear }, { $0.dropout = 0.1 }, { $0.heldOut = 0.1 }, { $0.slices = 2 },
            { $0.averaging = .steps },
        ] {
            var changed = plain
            change(&changed)
            #expect(changed.since == 10)
        }
        for message in WireSamples.coordinator {
            if case .compare = message { #expect(message.since == 10) }
            if case .assign(let assignment) = message, assignment.correction != nil { #expect(message.since == 10) }
        }
    }

    @Test("A request that means something else since is not answered to an older client, with a reason")
    func requests() {
        #expect(ClientRequest.compare(.quick).objection(in: Self.older)?.code == .protocolVersion)
        #expect(ClientRequest.compare(.quick).objection(in: WireLimits.version) == nil)
        let cases = ClientRequest.comparedCases(.init(operation: "o", known: []))
        #expect(cases.objection(in: Self.older)?.message.contains("protocol version 10") == true)
        for request in [ClientRequest.status, .configuration, .train, .adapters, .lineage] {
            #expect(request.objection(in: Self.older) == nil)
        }
    }
}
