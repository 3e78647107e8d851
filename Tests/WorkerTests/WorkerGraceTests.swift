import ClusterTestSupport
import Foundation
import Messages
import Testing
import Worker
import ZeroMQ

@Suite("A worker that is asked to end", .serialized)
final class WorkerGraceTests {
    let directory = Toy.temporaryDirectory()

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    private func goodbye(_ coordinator: ScriptedCoordinator, within timeout: Duration = .seconds(20)) throws -> Bool {
        try coordinator.find(within: timeout) { if case .goodbye = $0 { true } else { nil } } ?? false
    }

    @Test("says who it is, and ends when it is told that nothing is left for it")
    func told() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory, name: "node-7")
        let hello = try coordinator.welcome()
        #expect(hello.label == "node-7" && hello.release == Release.version && hello.knowsLeave == true)
        #expect(hello.isEphemeral == false && hello.uptimeSeconds ?? -1 >= 0)
        try coordinator.say(.leave)
        #expect(try goodbye(coordinator))
        try worker.wait()
    }

    @Test("waits within its grace for the coordinator's leave")
    func waits() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory, grace: .seconds(60))
        _ = try coordinator.welcome()
        // It is connected once it says more than its greeting.
        _ = try coordinator.expect { if case .heartbeat = $0 { true } else { nil } }
        worker.leave()
        _ = try coordinator.expect { if case .leaving = $0 { true } else { nil } }
        #expect(try !goodbye(coordinator, within: .seconds(1)))
        try coordinator.say(.leave)
        #expect(try goodbye(coordinator))
        try worker.wait()
    }

    @Test("ends when its grace is over, at once when it is asked again, and at once without any", arguments: [0, 1, 2])
    func ends(_ way: Int) throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let grace: [Duration] = [.milliseconds(500), .seconds(600), .zero]
        let worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory, grace: grace[way])
        _ = try coordinator.welcome()
        _ = try coordinator.expect { if case .heartbeat = $0 { true } else { nil } }
        worker.leave()
        if way == 1 {
            _ = try coordinator.expect { if case .leaving = $0 { true } else { nil } }
            worker.leave()
        }
        #expect(try goodbye(coordinator))
        try worker.wait()
    }
}
