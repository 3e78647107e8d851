import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing
import Unlearning
import Worker
import ZeroMQ

@Suite("A worker that leaves", .serialized)
final class WorkerLeavingTests {
    let directory = Toy.temporaryDirectory()
    let prompts = Toy.prompts(0..<20)

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    private func exists(_ name: String) -> Bool {
        FileManager.default.fileExists(atPath: "\(directory)/\(name)")
    }

    private func train(_ coordinator: ScriptedCoordinator, shard: Int) throws {
        try coordinator.say(
            .assign(
                CoordinatorMessage.Assignment(
                    task: TaskID(shard + 1), shard: shard, specification: Toy.specification(),
                    manifest: Toy.manifest(prompts), keys: Toy.keys(prompts), adapter: nil)))
        _ = try coordinator.expect { if case .need = $0 { true } else { nil } }
        try coordinator.say(.prompts(task: TaskID(shard + 1), prompts: prompts))
        _ = try coordinator.expect { if case .trained = $0 { true } else { nil } }
    }

    private func goodbye(_ coordinator: ScriptedCoordinator) throws -> [Int] {
        try coordinator.expect { if case .goodbye(let deleted) = $0 { deleted } else { nil } }
    }

    @Test("deletes its shards before it says so, if it is ephemeral, and nothing that is not its own")
    func ephemeral() throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try Data("a letter".utf8).write(to: URL(fileURLWithPath: "\(directory)/letter"))
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: directory, disposal: .deletedAtEnd)
        _ = try coordinator.welcome()
        try train(coordinator, shard: 2)
        try train(coordinator, shard: 0)
        try worker.stop()
        #expect(try goodbye(coordinator) == [0, 2])
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == ["letter"])
    }

    @Test("does the same without a lasting place of its own")
    func temporary() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: nil,
            environment: ["HOME": "/dev/null", "TMPDIR": directory])
        _ = try coordinator.welcome()
        try train(coordinator, shard: 1)
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory).count == 1)
        try worker.stop()
        #expect(try goodbye(coordinator) == [1])
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory) == [])
    }

    @Test("keeps its shards otherwise, and claims nothing")
    func kept() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        _ = try coordinator.welcome()
        try train(coordinator, shard: 0)
        try worker.stop()
        #expect(try goodbye(coordinator) == [])
        #expect(exists("shards/0/prompts.sealed"))
    }

    @Test("claims nothing when the deletion fails")
    func undeletable() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: directory, disposal: .deletedAtEnd)
        _ = try coordinator.welcome()
        try train(coordinator, shard: 0)
        // A folder whose files not even root can delete.
        #expect(rename("\(directory)/shards", "\(directory)/moved") == 0)
        #expect(symlink("/proc/self/fdinfo", "\(directory)/shards") == 0)
        try worker.stop()
        #expect(try goodbye(coordinator) == [])
    }

    @Test("is refused: an ephemeral one's files go too")
    func refused() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: directory, disposal: .deletedAtEnd)
        _ = try coordinator.expect { if case .hello = $0 { true } else { nil } }
        #expect(exists("shards") && exists("worker"))
        try coordinator.say(.refused(code: .baseModel, message: "another model"))
        #expect(throws: WorkerError.refused(code: .baseModel, message: "another model")) { try worker.wait() }
        #expect(!FileManager.default.fileExists(atPath: directory))
    }

    @Test("for good comes once more, says under its name that everything is deleted, and ends by itself")
    func clean() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        let name = try coordinator.welcome().worker
        try train(coordinator, shard: 3)
        try worker.stop()
        let cleaner = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: directory, disposal: .deletedAtOnce)
        let hello = try coordinator.welcome()
        #expect(hello.worker == name && hello.copies.map(\.shard) == [3])
        #expect(try goodbye(coordinator) == [3])
        try cleaner.wait()
        #expect(!FileManager.default.fileExists(atPath: directory))
    }

    @Test("one cluster for another deletes the shards of the first, says so, and takes the other's")
    func otherCluster() throws {
        var coordinator = try ScriptedCoordinator(context: try Context())
        var worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        _ = try coordinator.welcome(to: "first")
        try train(coordinator, shard: 0)
        try worker.stop()
        coordinator = try ScriptedCoordinator(context: try Context())
        worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        #expect(try coordinator.welcome(to: "second").copies.map(\.shard) == [0])
        _ = try coordinator.expect { if case .released(0) = $0 { true } else { nil } }
        #expect(!exists("shards/0"))
        // The same prompts have to be sent again: nothing of the first cluster was left.
        try train(coordinator, shard: 0)
        try worker.stop()
        worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        #expect(try coordinator.welcome(to: "second").copies.map(\.shard) == [0])
        try worker.stop()
        #expect(exists("shards/0/prompts.sealed"))
    }
}
