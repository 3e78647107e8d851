import ClusterTestSupport
import Foundation
import LanguageModels
import Messages
import Recommendation
import Testing
import Unlearning
import Worker
import ZeroMQ

@Suite("A worker that is refused", .serialized)
final class WorkerRefusalTests {
    let directory = Toy.temporaryDirectory()
    let prompts = Toy.prompts(0..<12)
    let specification = Toy.specification()

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    private func assignment(task: TaskID, epochs: Int = 2) -> CoordinatorMessage {
        .assign(
            CoordinatorMessage.Assignment(
                task: task, shard: 0, specification: Toy.specification(epochs: epochs),
                manifest: Toy.manifest(prompts), keys: Toy.keys(prompts), adapter: nil))
    }

    private func hello(_ message: WorkerMessage) -> WorkerMessage.Hello? {
        if case .hello(let hello) = message { hello } else { nil }
    }

    @Test(arguments: [ErrorCode.notAllowed, .full, .duplicateWorker])
    func `For what passes by itself, or with a list of keys, it says so once and asks again`(code: ErrorCode) throws {
        let lines = KeptLines()
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory, lines: lines)
        for _ in 0..<2 {
            _ = try coordinator.expect(hello)
            try coordinator.say(.refused(code: code, message: "not now"))
        }
        _ = try coordinator.welcome()
        try coordinator.say(assignment(task: 1))
        _ = try coordinator.expect { if case .need(1, _) = $0 { true } else { nil } }
        try worker.stop()
        let said = lines.text.split(separator: "\n").filter { $0.contains("not now") }
        #expect(said.count == 1 && said[0].contains("asking again"), "\(lines.text)")
    }

    @Test(
        arguments: [
            ErrorCode.baseModel, .arithmetic, .precision, .protocolVersion, .wrongProtocol, .otherProtocol, .foreignID,
            .invalidHello,
        ])
    func `For what only another start can change it ends`(code: ErrorCode) throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        _ = try coordinator.expect(hello)
        try coordinator.say(.refused(code: code, message: "never"))
        #expect(throws: WorkerError.refused(code: code, message: "never")) { try worker.wait() }
    }

    @Test func `Where it only came to say that everything is deleted, every refusal ends it`() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: directory, disposal: .deletedAtOnce)
        _ = try coordinator.expect(hello)
        try coordinator.say(.refused(code: .notAllowed, message: "not this key"))
        #expect(throws: WorkerError.refused(code: .notAllowed, message: "not this key")) { try worker.wait() }
    }

    @Test
    func
        `When its key is taken away in the middle of a training it stops, and comes back with its files and nothing else`()
        throws
    {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: directory, delay: .milliseconds(20))
        _ = try coordinator.welcome()
        try coordinator.say(assignment(task: 1, epochs: 400))
        _ = try coordinator.expect { if case .need = $0 { true } else { nil } }
        try coordinator.say(.prompts(task: 1, prompts: prompts))
        _ = try coordinator.expect { if case .progress = $0 { true } else { nil } }
        try coordinator.say(.refused(code: .notAllowed, message: "this key may not be a worker any more"))
        let back = try coordinator.welcome()
        #expect(back.work.isEmpty)
        #expect(back.copies.map(\.manifest) == [Toy.manifest(prompts).digest])
        // The same again, with the keys: the disk has all that it needs.
        try coordinator.say(assignment(task: 2))
        let adapter = try coordinator.expect {
            if case .trained(2, _, let adapter) = $0 { adapter } else { nil }
        }
        let expected = try Toy.executor().train(
            prompts: prompts, specification: specification, progress: { _ in }, isCancelled: { false })
        #expect(adapter == expected.adapter.safetensorsBytes())
        try worker.stop()
    }

    @Test func `Then nothing stays in its memory: neither what runs, nor what waits, nor what is done`() throws {
        var driver = WorkerLogicDriver(copies: [ShardCopy(shard: 3, manifest: "m", prompts: 1, adapter: nil)])
        let update = try #require(driver.say(assignment(task: 1)).commands.first)
        let job = try #require(driver.store(update, .complete(prompts, trained: nil)).jobs.first)
        driver.say(.replay(task: 2, specification: specification, prompts: prompts))
        driver.say(.score(.init(task: 3, rule: .decomposed, adapters: ["a"], weights: [], prompts: prompts)))
        #expect(driver.state.heldTasks.map(\.task).sorted() == [1, 2, 3])
        #expect(driver.handle(.turnedOut) == [.cancel(job.id), .forgetKeys])
        #expect(driver.state.heldTasks.isEmpty)
        #expect(driver.state.currentCopies.map(\.shard) == [3])
        // It had ended before it was told to stop: nobody gets that, and nothing begins behind it.
        let report = TrainingReport(
            adapter: "name", manifest: Toy.manifest(prompts).digest, prompts: prompts.count,
            specification: specification, steps: 2, tokens: 10, seconds: 1, computeSeconds: 1, epochLosses: [0.5])
        #expect(driver.handle(.finished(job.id, .trained(report, adapter: [1]))).isEmpty)
        #expect(driver.handle(.connected(goingOnWith: [1, 2, 3])).isEmpty)
        // Another job is another one, also by its id.
        let replay = driver.say(.replay(task: 4, specification: specification, prompts: prompts))
        let again = try #require(replay.jobs.first)
        #expect(again.id > job.id)
    }

    @Test func `A store that forgot its keys opens again only with those keys`() throws {
        let shelf = SealedShelf()
        let store = try shelf.filled(prompts)
        store.forgetKeys()
        #expect(store.copy(2)?.manifest == Toy.manifest(prompts).digest && store.copy(2)?.adapter == shelf.adapterName)
        #expect(try shelf.bring(prompts, in: store) == .complete(prompts))
        store.forgetKeys()
        // From memory they would have been sealed under the new one.
        let own = prompts.filter { Toy.person(of: $0.id) == 1 }.map(\.digest)
        #expect(try shelf.bring(prompts, keys: Toy.keys(prompts, people: [1: 1]), in: store) == .missing(own))
    }
}
