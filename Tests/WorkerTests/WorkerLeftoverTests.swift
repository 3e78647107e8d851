import ClusterTestSupport
import Foundation
import Messages
import Testing
import Worker
import ZeroMQ

@Suite("What workers leave behind", .serialized)
final class WorkerLeftoverTests {
    let folder = Toy.temporaryDirectory()
    let soon = Duration.milliseconds(300)

    deinit { try? FileManager.default.removeItem(atPath: folder) }

    private var environment: [String: String] { ["XDG_STATE_HOME": folder, "TMPDIR": folder] }

    private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

    /// A directory with a shard, as a worker leaves it that was killed.
    private func leave(
        _ path: String, worker: String = UUID().uuidString, cluster: String? = nil, secret: String? = nil
    ) throws -> String {
        try FileManager.default.createDirectory(atPath: path + "/shards/3", withIntermediateDirectories: true)
        try Data("somebody's history".utf8).write(to: URL(fileURLWithPath: path + "/shards/3/prompts.jsonl"))
        try Data(worker.utf8).write(to: URL(fileURLWithPath: path + "/worker"))
        if let secret { try Data(secret.utf8).write(to: URL(fileURLWithPath: path + "/secret")) }
        try Data().write(to: URL(fileURLWithPath: path + "/lock"))
        if let cluster { try Data(cluster.utf8).write(to: URL(fileURLWithPath: path + "/cluster")) }
        return worker
    }

    private func cleared(
        _ coordinator: ScriptedCoordinator, within timeout: Duration = ScriptedCoordinator.patience
    ) throws -> String? {
        try coordinator.find(within: timeout) { if case .cleared(let worker, _) = $0 { worker } else { nil } }
    }

    @Test("A slot that nobody opens again is deleted by a worker beside it, which says whose it was")
    func slot() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: nil, abandonedAfter: soon, environment: environment)
        _ = try coordinator.welcome()
        let used = try DataDirectory.standard(endpoints: [coordinator.endpoint], environment: environment)
        let slots = (used.path as NSString).deletingLastPathComponent
        let secret = WorkerIdentity.makeSecret()
        let gone = try leave("\(slots)/7", worker: WorkerIdentity.id(secret: secret), secret: secret)
        // Another name of the same bytes shows what becomes of them.
        let kept = folder + "/kept"
        try FileManager.default.linkItem(atPath: "\(slots)/7/shards/3/prompts.jsonl", toPath: kept)
        // With what shows that the name was this directory's.
        let said = try coordinator.find(within: ScriptedCoordinator.patience) {
            if case .cleared = $0 { $0 } else { nil }
        }
        #expect(said == .cleared(worker: gone, secret: secret))
        #expect(!exists("\(slots)/7"))
        #expect(try Data(contentsOf: URL(fileURLWithPath: kept)) == Data(count: "somebody's history".utf8.count))
        #expect(exists("\(used.path)/worker") && exists("\(slots)/0/worker"))
        #expect(try cleared(coordinator, within: .milliseconds(700)) == nil)
        try worker.stop()
        withExtendedLifetime(used) {}
    }

    @Test("So is one of the same cluster under another address; one of another, or of none that is known, is not")
    func otherAddress() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let other = folder + "/lethe/workers/tcp___elsewhere_7070"
        let gone = try leave(other + "/0", cluster: "ours")
        _ = (try leave(other + "/1", cluster: "theirs"), try leave(other + "/2"))
        let worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: nil, abandonedAfter: soon, environment: environment)
        _ = try coordinator.welcome(to: "ours")
        #expect(try cleared(coordinator) == gone)
        #expect(!exists(other + "/0"))
        #expect(try cleared(coordinator, within: .milliseconds(700)) == nil)
        #expect(exists(other + "/1/shards/3/prompts.jsonl") && exists(other + "/2/shards/3/prompts.jsonl"))
        try worker.stop()
    }

    @Test("A slot that is opened now and then is left alone")
    func visited() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let slots =
            (try DataDirectory.standard(endpoints: [coordinator.endpoint], environment: environment).path
            as NSString).deletingLastPathComponent
        _ = try leave("\(slots)/7")
        let worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: nil, abandonedAfter: .milliseconds(800),
            environment: environment)
        _ = try coordinator.welcome()
        for _ in 0..<8 {
            usleep(200_000)
            _ = try? DataDirectory(path: "\(slots)/7")
            try coordinator.say(.heartbeat)
        }
        #expect(exists("\(slots)/7/shards/3/prompts.jsonl"))
        try worker.stop()
    }

    @Test("Temporary directories of killed workers go at the next start, those of other coordinators stay")
    func temporary() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let nowhere = ["HOME": "/dev/null", "TMPDIR": folder]
        let running = try DataDirectory.standard(endpoints: [coordinator.endpoint], environment: nowhere)
        let (prefix, _) = (running.path.dropLast(36), running)
        let old = folder + "/lethe-worker-" + UUID().uuidString
        let other = folder + "/lethe-worker-tcp___elsewhere_7070-" + UUID().uuidString
        let foreign = folder + "/lethe-worker-notes"
        let killed = "\(prefix)\(UUID().uuidString)"
        let names = Set([try leave(killed), try leave(old)])
        _ = (try leave(other), try leave(foreign))
        let worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: folder + "/own", environment: nowhere)
        _ = try coordinator.welcome()
        #expect(Set([try cleared(coordinator), try cleared(coordinator)].compactMap(\.self)) == names)
        #expect(!exists(killed) && !exists(old))
        #expect(exists(other) && exists(foreign) && exists(running.path))
        try worker.stop()
    }

    @Test("What could not be said is said by the next worker of the directory, to its cluster, until it is heard")
    func later() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let left = folder + "/lethe-worker-" + UUID().uuidString
        let name = try leave(left, cluster: "theirs")
        var worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: folder + "/own", environment: environment)
        // Not welcomed: there is nobody to tell.
        _ = try coordinator.expect { if case .hello = $0 { true } else { nil } }
        for _ in 0..<1_500 where exists(left) { usleep(20_000) }
        #expect(!exists(left))
        try worker.stop()

        worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: folder + "/own", environment: environment)
        _ = try coordinator.welcome(to: "ours")
        #expect(try cleared(coordinator, within: .milliseconds(300)) == nil)
        try worker.stop()

        for _ in 0..<2 {
            worker = try WorkerThread(
                endpoint: coordinator.endpoint, dataDirectory: folder + "/own", environment: environment)
            _ = try coordinator.welcome(to: "theirs")
            #expect(try cleared(coordinator) == name)
            // At once, so that it may have got lost.
            try worker.stop()
        }
        worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: folder + "/own", environment: environment)
        _ = try coordinator.welcome(to: "theirs")
        #expect(try cleared(coordinator) == name)
        usleep(1_100_000)
        try coordinator.say(.heartbeat)
        try coordinator.say(.release(shard: 5))
        _ = try coordinator.expect { if case .released(5) = $0 { true } else { nil } }
        try worker.stop()
        worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: folder + "/own", environment: environment)
        _ = try coordinator.welcome(to: "theirs")
        #expect(try cleared(coordinator, within: .milliseconds(300)) == nil)
        try worker.stop()
    }

    @Test("A directory that is removed while workers open it locks for one of them at a time")
    func removal() async throws {
        let path = folder + "/contested"
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    for _ in 0..<100 {
                        guard let directory = try? DataDirectory(path: path, isRemovedAtEnd: true) else { continue }
                        let name = try? String(contentsOfFile: path + "/worker", encoding: .utf8)
                        #expect(name == directory.worker)
                    }
                }
            }
        }
        #expect(!exists(path) || (try? DataDirectory(path: path)) != nil)
    }
}
