import ClusterTestSupport
import Files
import Foundation
import LanguageModels
import Messages
import Recommendation
import Testing
import Unlearning
import Worker
import ZeroMQ

@Suite("Worker process", .serialized)
final class WorkerProcessTests {
    let directory = Toy.temporaryDirectory()
    let prompts = Toy.prompts(0..<20)
    let specification = Toy.specification()

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    private func assignment(
        task: TaskID, prompts: [TrainingPrompt]? = nil, specification: TrainingSpecification? = nil
    ) -> CoordinatorMessage {
        .assign(
            CoordinatorMessage.Assignment(
                task: task, shard: 0, specification: specification ?? self.specification,
                manifest: Toy.manifest(prompts ?? self.prompts), keys: Toy.keys(prompts ?? self.prompts),
                adapter: nil))
    }

    private func isTrained(_ message: WorkerMessage) -> (task: TaskID, report: TrainingReport, adapter: [UInt8])? {
        if case .trained(let task, let report, let adapter) = message { (task, report, adapter) } else { nil }
    }

    private func isNeed(_ message: WorkerMessage) -> [String]? {
        if case .need(_, let digests) = message { digests } else { nil }
    }

    @Test("A worker takes a shard, trains it, keeps it over a restart, and gives it up")
    func life() throws {
        let context = try Context()
        let coordinator = try ScriptedCoordinator(context: context)
        var worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        let hello = try coordinator.welcome()
        #expect(hello.base == Toy.base && hello.protocolVersion == Int(WireLimits.version) && hello.copies.isEmpty)

        try coordinator.say(assignment(task: 1))
        #expect(try coordinator.expect(isNeed) == prompts.map(\.digest))
        try coordinator.say(.prompts(task: 1, prompts: prompts))
        let (task, report, adapter) = try coordinator.expect(isTrained)
        #expect(task == 1 && report.manifest == Toy.manifest(prompts).digest)
        let expected = try Toy.executor().train(
            prompts: prompts, specification: specification, progress: { _ in }, isCancelled: { false })
        #expect(adapter == expected.adapter.safetensorsBytes() && report.adapter == expected.adapter.contentName)

        try worker.stop()
        _ = try coordinator.expect { if case .goodbye = $0 { true } else { nil } }
        worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        let again = try coordinator.welcome()
        #expect(again.worker == hello.worker)
        #expect(again.copies.map(\.adapter) == [report.adapter])
        try coordinator.say(assignment(task: 2))
        let (second, kept, sameAdapter) = try coordinator.expect(isTrained)
        #expect(second == 2 && kept == report && sameAdapter == adapter)

        // One prompt forgotten, one rebuilt: only that one travels.
        var fewer = Array(prompts.dropLast())
        fewer[3] = Toy.prompt(3, version: 1)
        try coordinator.say(assignment(task: 3, prompts: fewer))
        #expect(try coordinator.expect(isNeed) == [fewer[3].digest])
        try coordinator.say(.prompts(task: 3, prompts: [fewer[3]]))
        #expect(try coordinator.expect(isTrained).report.manifest == Toy.manifest(fewer).digest)
        try coordinator.say(.release(shard: 0))
        _ = try coordinator.expect { if case .released(0) = $0 { true } else { nil } }
        #expect(!FileManager.default.fileExists(atPath: directory + "/shards/0"))
        try worker.stop()
    }

    @Test("Scores, embeddings and replays are those of the executor")
    func tasks() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        _ = try coordinator.welcome()
        try coordinator.say(.replay(task: 1, specification: specification, prompts: prompts))
        let (task, _, adapter) = try coordinator.expect(isTrained)
        #expect(task == 1)
        let layout = AdapterLayout(model: Toy.executor().description.model, configuration: specification.lora)
        let trained = try Adapter(safetensors: adapter, layout: layout)

        let weights = prompts.indices.flatMap { [Float($0) / 20, 1 - Float($0) / 20] }
        let zero = Adapter(zerosFor: layout)
        try coordinator.say(
            .score(
                CoordinatorMessage.ScoreTask(
                    task: 2, rule: .nonDecomposed, adapters: [trained.contentName, zero.contentName], weights: weights,
                    prompts: prompts)))
        let lacking = try coordinator.expect { if case .lacks(2, let names) = $0 { names } else { nil } }
        #expect(lacking == [trained.contentName, zero.contentName])
        try coordinator.say(.adapters(task: 2, [adapter, zero.safetensorsBytes()]))
        let margins = try coordinator.expect { if case .scored(2, _, _, let margins) = $0 { margins } else { nil } }
        let executor = Toy.executor()
        #expect(
            try margins
                == executor.score(
                    prompts: prompts, adapters: [trained, zero], rule: .nonDecomposed, weights: weights
                ).margins)
        let source = EmbeddingSource(layer: 1, pooling: .last)
        try coordinator.say(.embed(task: 3, source: source, prompts: prompts))
        let values = try coordinator.expect { if case .embedded(3, _, _, let values) = $0 { values } else { nil } }
        #expect(try values == executor.embed(prompts: prompts, source: source).values)

        let broken = Array(adapter.dropLast(9))
        for bytes in [broken, [1, 2, 3], []] {
            try coordinator.say(
                .score(
                    CoordinatorMessage.ScoreTask(
                        task: 4, rule: .decomposed, adapters: [sha256(bytes)], weights: [], prompts: prompts)))
            try coordinator.say(.adapters(task: 4, [bytes]))
            _ = try coordinator.expect { if case .failed(4, let code, _) = $0 { code } else { nil } }
        }
        try worker.stop()
    }

    @Test("Training does not hold up heartbeats, and cancelling ends it soon")
    func heartbeats() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: directory, delay: .milliseconds(50))
        _ = try coordinator.welcome(heartbeatSeconds: 0.05)
        let long = Toy.specification(epochs: 1000)
        try coordinator.say(.replay(task: 1, specification: long, prompts: prompts))
        for _ in 0..<5 {
            _ = try coordinator.expect { if case .heartbeat = $0 { true } else { nil } }
            try coordinator.say(.heartbeat)
        }
        let progress = try coordinator.expect { if case .progress(let progress) = $0 { progress } else { nil } }
        #expect(progress.task == 1 && progress.steps == 5000)
        try coordinator.say(.cancel(task: 1))
        try coordinator.say(
            .score(
                CoordinatorMessage.ScoreTask(task: 2, rule: .decomposed, adapters: [], weights: [], prompts: prompts)))
        let clock = ContinuousClock()
        let start = clock.now
        // Scoring waits for the compute thread, so its answer shows that the training has ended.
        var scored = false
        while !scored, clock.now < start + ScriptedCoordinator.patience {
            try coordinator.say(.heartbeat)
            scored =
                try coordinator.find(within: .milliseconds(40)) {
                    if case .scored(2, _, _, _) = $0 { true } else { nil }
                } ?? false
        }
        #expect(scored)
        try worker.stop()
    }

    @Test("A coordinator lost in the middle of a training gets its result after the reconnection, once")
    func reconnection() throws {
        let context = try Context()
        var coordinator: ScriptedCoordinator? = try ScriptedCoordinator(context: context)
        let endpoint = try #require(coordinator?.endpoint)
        let worker = try WorkerThread(endpoint: endpoint, dataDirectory: directory, delay: .milliseconds(20))
        _ = try coordinator?.welcome(heartbeatSeconds: 0.1)
        let long = Toy.specification(epochs: 10)
        try coordinator?.say(assignment(task: 1, specification: long))
        _ = try coordinator?.expect(isNeed)
        try coordinator?.say(.prompts(task: 1, prompts: prompts))
        let first = try #require(
            try coordinator?.expect { if case .progress(let progress) = $0 { progress } else { nil } })
        coordinator = nil
        usleep(500_000)
        let next = try ScriptedCoordinator(context: try Context(), endpoint: endpoint)
        _ = try next.welcome(work: [1])
        let second = try next.expect { if case .progress(let progress) = $0 { progress } else { nil } }
        #expect(second.step > first.step)
        let (task, _, adapter) = try next.expect(isTrained)
        let expected = try Toy.executor().train(
            prompts: prompts, specification: long, progress: { _ in }, isCancelled: { false })
        #expect(task == 1 && adapter == expected.adapter.safetensorsBytes())
        try worker.stop()
    }

    @Test("A refused worker ends with the reason")
    func refused() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        _ = try coordinator.expect { if case .hello = $0 { true } else { nil } }
        try coordinator.say(.refused(code: .baseModel, message: "another model"))
        #expect(throws: WorkerError.refused(code: .baseModel, message: "another model")) { try worker.wait() }
    }

    @Test("A worker without a fixed precision offers the other one when the first is refused")
    func precision() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: directory, precision: .automatic)
        let first = try coordinator.expect { if case .hello(let hello) = $0 { hello } else { nil } }
        try coordinator.say(.refused(code: .precision, message: "the other one, please"))
        let second = try coordinator.welcome()
        #expect(Set([first.precision, second.precision]) == [.bf16, .f32])
        try worker.stop()
    }

    @Test("Garbage from the coordinator's side is dropped and the worker lives on")
    func garbage() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        _ = try coordinator.welcome()
        for frames in [
            [[UInt8]()], [[9, 9], [1]], [[], [WireLimits.version], Array("assign".utf8), [], Array("{".utf8)],
        ] {
            try coordinator.sayRaw(frames)
        }
        try coordinator.say(.release(shard: 3))
        _ = try coordinator.expect { if case .released(3) = $0 { true } else { nil } }
        try worker.stop()
    }

    @Test("A full disk fails the task with a code, and the worker lives on")
    func fullDisk() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        _ = try coordinator.welcome()
        let shard = directory + "/shards/0"
        try FileManager.default.createDirectory(atPath: shard, withIntermediateDirectories: true)
        #expect(symlink("/dev/full", shard + "/prompts.sealed.lethe-temporary") == 0)
        try coordinator.say(assignment(task: 1))
        let code = try coordinator.expect { if case .failed(1, let code, _) = $0 { code } else { nil } }
        #expect(code == .diskFull)
        try coordinator.say(assignment(task: 2))
        #expect(try coordinator.expect(isNeed).count == prompts.count)
        try worker.stop()
    }

    @Test("A worker that never found its coordinator stops at once")
    func nobody() throws {
        let worker = try WorkerThread(endpoint: "tcp://127.0.0.1:9", dataDirectory: directory)
        usleep(50_000)
        let clock = ContinuousClock()
        let start = clock.now
        try worker.stop()
        #expect(clock.now - start < .seconds(3))
    }

    @Test("A second worker on the same data directory is refused")
    func directoryInUse() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        let first = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        _ = try coordinator.welcome()
        let second = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        #expect(throws: WorkerError.dataDirectoryInUse(path: directory)) { try second.wait() }
        try first.stop()
    }

    @Test("Over CURVE a worker on the list is welcomed")
    func curve() throws {
        let (server, client) = (try CurveKeyPair.generate(), try CurveKeyPair.generate())
        let context = try Context()
        var options = SocketOptions()
        options.curve = .server(server, try Authenticator(context, .keys([client.publicKey])))
        let coordinator = try ScriptedCoordinator(context: context, options: options)
        let worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: directory,
            curve: WorkerConfiguration.CurveKeys(own: client, coordinator: server.publicKey))
        #expect(try coordinator.welcome().base == Toy.base)
        try worker.stop()
    }
}
