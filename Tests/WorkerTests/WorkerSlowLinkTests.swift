import ClusterTestSupport
import Foundation
import Messages
import PeerTestSupport
import Recommendation
import Testing
import Unlearning
import Worker
import ZeroMQ

@Suite("A worker over a slow link", .waiting)
struct WorkerSlowLinkTests {
    private func large(task: TaskID, bytes: Int) -> CoordinatorMessage {
        let prompt = TrainingPrompt(
            id: "p", instruction: "", input: String(repeating: "x", count: bytes), label: true)
        return .embed(task: task, source: EmbeddingSource(layer: 1, pooling: .mean), prompts: [prompt])
    }

    @Test("An order to delete passes a long message, and the worker beats meanwhile")
    func release() throws {
        let directory = Toy.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let coordinator = try ScriptedCoordinator(context: Context())
        let link = try SlowLink(to: coordinator.endpoint, bytesPerSecond: 125_000)
        defer { link.close() }
        let worker = try WorkerThread(endpoint: link.endpoint, dataDirectory: directory)
        _ = try coordinator.welcome()
        // Eight seconds of what the link carries.
        try coordinator.say(large(task: 1, bytes: 1_000_000))
        let clock = ContinuousClock()
        try coordinator.expect(within: .seconds(3)) { if case .heartbeat = $0 { () } else { nil } }
        let asked = clock.now
        try coordinator.say(.release(shard: 3))
        try coordinator.expect { if case .released(3) = $0 { () } else { nil } }
        #expect(clock.now - asked < .seconds(2.5))
        // It is cut off, and what comes next is understood.
        try coordinator.say(.cancel(task: 1))
        try coordinator.say(large(task: 2, bytes: 100_000))
        try coordinator.expect { $0.answeredTask == 2 ? () : nil }
        #expect(link.bytes < 700_000)
        try worker.stop()
    }

    @Test("A coordinator that breaks the rules of portions loses the worker, which comes again")
    func rules() throws {
        let directory = Toy.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let lines = KeptLines()
        let coordinator = try ScriptedCoordinator(context: Context())
        let worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory, lines: lines)
        _ = try coordinator.welcome(heartbeatSeconds: 0.2)
        let portion = Portion(message: 7, offset: 0, total: 10, frames: [[1]], endsFrame: true)
        try coordinator.sayRaw(PortionMessage.portion(portion).frames())
        _ = try coordinator.welcome()
        #expect(lines.text.contains("make no sense"))
        try coordinator.say(large(task: 2, bytes: 100_000))
        try coordinator.expect { $0.answeredTask == 2 ? () : nil }
        try worker.stop()
    }
}
