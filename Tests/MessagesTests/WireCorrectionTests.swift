import ClusterTestSupport
import LanguageModels
import Messages
import Recommendation
import Testing
import Unlearning

@Suite("Wire codec: corrections")
struct WireCorrectionTests {
    private func frames(_ request: InfluenceRequest, adapter: String? = nil) throws -> [[UInt8]] {
        try CoordinatorMessage.assign(
            CoordinatorMessage.Assignment(
                task: 1, shard: 0, specification: WireSamples.specification, manifest: ShardManifest(entries: []),
                keys: Toy.keys([]), adapter: adapter,
                correction: PendingCorrection(
                    method: .ifru(IFRUConfiguration()), original: [1, 2, 3], provenance: .trained, request: request))
        ).frames()
    }

    private var sound: InfluenceRequest {
        InfluenceRequest(
            direct: [WireSamples.prompts[0]], rebuilt: [.init(old: WireSamples.prompts[1], new: WireSamples.prompts[1])]
        )
    }

    @Test("A correction without its payloads, or payloads without a correction, are refused")
    func payloads() throws {
        let envelope = try Envelope(frames: frames(sound))
        #expect(envelope.payloads.count == 4)
        for count in [0, 1, 2, 3] {
            var cut = envelope
            cut.payloads = Array(envelope.payloads.prefix(count))
            #expect(throws: WireError.self) { try CoordinatorMessage(frames: cut.frames()) }
        }
        var more = envelope
        more.payloads.append([1])
        #expect(throws: WireError.self) { try CoordinatorMessage(frames: more.frames()) }
        var plain = try Envelope(
            frames: CoordinatorMessage.assign(
                CoordinatorMessage.Assignment(
                    task: 1, shard: 0, specification: WireSamples.specification, manifest: ShardManifest(entries: []),
                    keys: Toy.keys([]), adapter: nil)
            ).frames())
        plain.payloads += [[1], [2]]
        #expect(throws: WireError.self) { try CoordinatorMessage(frames: plain.frames()) }
    }

    @Test("Rebuilt prompts that are not the same prompt, and shares that are none, are refused")
    func contents() throws {
        let (one, other) = (WireSamples.prompts[0], WireSamples.prompts[1])
        let bad = [
            InfluenceRequest(direct: [], rebuilt: [.init(old: one, new: other)]),
            InfluenceRequest(direct: [], rebuilt: [.init(old: one, new: one, forgottenShare: 1.5)]),
            InfluenceRequest(direct: [], rebuilt: [.init(old: one, new: one, forgottenShare: -.infinity)]),
            InfluenceRequest(direct: [], rebuilt: [.init(old: one, new: one, forgottenShare: .nan)]),
        ]
        for request in bad {
            #expect(throws: WireError.self) { try CoordinatorMessage(frames: try frames(request)) }
        }
        #expect(throws: WireError.self) { try CoordinatorMessage(frames: try frames(sound, adapter: "there")) }
        #expect(throws: Never.self) { try CoordinatorMessage(frames: try frames(sound)) }
    }

    @Test("Damaged payloads of a correction never crash")
    func damage() throws {
        let original = try frames(sound)
        for index in 5..<original.count {
            for position in original[index].indices {
                var damaged = original
                damaged[index][position] ^= 0x21
                _ = try? CoordinatorMessage(frames: damaged)
            }
        }
    }
}
