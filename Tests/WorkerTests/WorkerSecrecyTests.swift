import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing
import Unlearning
import Worker
import ZeroMQ

@Suite("What a worker's disk and log show", .serialized)
final class WorkerSecrecyTests {
    let directory = Toy.temporaryDirectory()
    let specification = Toy.specification(epochs: 4)
    let prompts = (0..<16).map { index in
        TrainingPrompt(
            id: "prompt-of-somebody-\(index)", instruction: "Will this customer like the film?",
            input: "User Preference: \"Solaris by the Sea \(index)\", \"Amélie in Winter \(index * 7)\"",
            label: index % 3 == 0)
    }

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    private func assign(_ task: TaskID, _ prompts: [TrainingPrompt], _ keys: ShardKeys) -> CoordinatorMessage {
        .assign(
            CoordinatorMessage.Assignment(
                task: task, shard: 0, specification: specification, manifest: Toy.manifest(prompts), keys: keys,
                adapter: nil))
    }

    private func trained(_ message: WorkerMessage) -> (report: TrainingReport, adapter: [UInt8])? {
        if case .trained(_, let report, let adapter) = message { (report, adapter) } else { nil }
    }

    private func needed(_ message: WorkerMessage) -> [String]? {
        if case .need(_, let digests) = message { digests } else { nil }
    }

    @Test("Nothing of a prompt, a key or an adapter is in clear, from the first write on")
    func nothingInClear() throws {
        let lines = KeptLines()
        let coordinator = try ScriptedCoordinator(context: try Context())
        var worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: directory, delay: .milliseconds(20), lines: lines)
        _ = try coordinator.welcome()
        let (keys, later) = (Toy.keys(prompts), Toy.keys(Array(prompts[1...]), shard: 1, people: [0: 1]))
        var needles = prompts.flatMap { KeyTraces.needles(of: $0) }
        needles += KeyTraces.needles(of: keys) + KeyTraces.needles(of: later)
        func look(sourceLocation: SourceLocation = #_sourceLocation) {
            #expect(KeyTraces.files(below: directory, show: needles) == [], sourceLocation: sourceLocation)
        }
        // The search finds what is there.
        try Data(prompts[3].input.utf8).write(to: URL(fileURLWithPath: directory + "/probe"))
        #expect(KeyTraces.files(below: directory, show: needles) == ["probe"])
        unlink(directory + "/probe")

        try coordinator.say(assign(1, prompts, keys))
        _ = try coordinator.expect(needed)
        look()
        try coordinator.say(.prompts(task: 1, prompts: prompts))
        var result: (report: TrainingReport, adapter: [UInt8])?
        while result == nil {
            result = try coordinator.find(within: .milliseconds(5), trained)
            look()
            try coordinator.say(.heartbeat)
        }
        let (report, adapter) = try #require(result)
        for start in stride(from: 0, to: adapter.count - 16, by: 64) {
            needles.append(Data(adapter[start..<(start + 16)]))
        }
        look()
        try coordinator.say(
            .prepare(
                .init(
                    task: 2, shard: 0, manifest: report.manifest, keys: keys.withoutOwners, adapter: adapter,
                    trial: InfluenceTrial(specification: specification))))
        _ = try coordinator.expect { if case .prepared(2, _, _, _) = $0 { true } else { nil } }
        look()
        #expect(try FileManager.default.contentsOfDirectory(atPath: directory + "/shards/0").count == 3)
        // A forgetting, then the same in another process.
        try coordinator.say(assign(3, Array(prompts[1...]), later))
        #expect(try coordinator.expect(trained).report.prompts == prompts.count - 1)
        look()
        try worker.stop()
        worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory, lines: lines)
        _ = try coordinator.welcome()
        try coordinator.say(assign(4, Array(prompts[1...]), later))
        _ = try coordinator.expect(trained)
        try coordinator.say(.release(shard: 0))
        _ = try coordinator.expect { if case .released = $0 { true } else { nil } }
        look()
        try worker.stop()
        look()
        #expect(lines.text.contains("connected to cluster"))
        for needle in needles { #expect(Data(lines.text.utf8).range(of: needle) == nil) }
    }

    @Test("Other keys in the middle of a training change what the disk is sealed with, and the training goes on")
    func keysChange() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        var worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: directory, delay: .milliseconds(30))
        _ = try coordinator.welcome()
        try coordinator.say(assign(1, prompts, Toy.keys(prompts)))
        _ = try coordinator.expect(needed)
        try coordinator.say(.prompts(task: 1, prompts: prompts))
        let first = try coordinator.expect { if case .progress(let progress) = $0 { progress } else { nil } }
        let keys = Toy.keys(prompts, shard: 1, people: [0: 1, 1: 1])
        try coordinator.say(assign(2, prompts, keys))
        let second = try coordinator.expect { if case .progress(let progress) = $0 { progress } else { nil } }
        #expect(second.task == 2 && second.step > first.step)
        let result = try coordinator.expect(trained)
        try worker.stop()

        worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        #expect(try coordinator.welcome().copies.map(\.adapter) == [result.report.adapter])
        // Not trained again: the seconds are the same.
        try coordinator.say(assign(3, prompts, keys))
        let again = try coordinator.expect(trained)
        #expect(again.report == result.report && again.adapter == result.adapter)
        try worker.stop()

        // With the keys of before the disk is noise.
        worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        _ = try coordinator.welcome()
        try coordinator.say(assign(4, prompts, Toy.keys(prompts)))
        let wanted = prompts.filter { Toy.person(of: $0.id) != 2 }
        #expect(try coordinator.expect(needed) == Toy.manifest(wanted).entries.map(\.digest))
        try worker.stop()
    }

    @Test("A hello that said too much is corrected when a preparation's keys open less")
    func corrected() throws {
        let coordinator = try ScriptedCoordinator(context: try Context())
        var worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        _ = try coordinator.welcome()
        try coordinator.say(assign(1, prompts, Toy.keys(prompts)))
        _ = try coordinator.expect(needed)
        try coordinator.say(.prompts(task: 1, prompts: prompts))
        let (report, adapter) = try coordinator.expect(trained)
        try worker.stop()
        worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory)
        #expect(try coordinator.welcome().copies.map(\.manifest) == [report.manifest])
        try coordinator.say(
            .prepare(
                .init(
                    task: 2, shard: 0, manifest: report.manifest,
                    keys: Toy.keys(prompts, people: [1: 1]).withoutOwners, adapter: adapter,
                    trial: InfluenceTrial(specification: specification))))
        let copy = try coordinator.expect { if case .holds(let copy) = $0 { copy } else { nil } }
        let rest = prompts.filter { Toy.person(of: $0.id) != 1 }
        #expect(copy == ShardCopy(shard: 0, manifest: Toy.manifest(rest).digest, prompts: rest.count, adapter: nil))
        let code = try coordinator.expect { if case .failed(2, let code, _) = $0 { code } else { nil } }
        #expect(code == .notHeld)
        try worker.stop()
    }

    @Test("Shards of an earlier release are deleted with a line in the log, and not told of")
    func older() throws {
        let shard = directory + "/shards/4"
        try FileManager.default.createDirectory(atPath: shard, withIntermediateDirectories: true)
        try Data("somebody's history".utf8).write(to: URL(fileURLWithPath: shard + "/prompts.jsonl"))
        let lines = KeptLines()
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(endpoint: coordinator.endpoint, dataDirectory: directory, lines: lines)
        #expect(try coordinator.welcome().copies == [])
        #expect(!FileManager.default.fileExists(atPath: shard))
        #expect(lines.text.contains("deleted 1 shards that an earlier release kept in clear; they are sent again"))
        try worker.stop()
    }
}
