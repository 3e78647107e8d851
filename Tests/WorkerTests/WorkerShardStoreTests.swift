import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("Worker shard store")
final class WorkerShardStoreTests {
    let directory = Toy.temporaryDirectory()
    let prompts = Toy.prompts(0..<6)
    let specification = Toy.specification()

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    private func path(_ name: String, shard: Int = 2) -> String { "\(directory)/shards/\(shard)/\(name)" }

    private func bytes(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: URL(fileURLWithPath: path(name))))
    }

    private func write(_ bytes: [UInt8], _ name: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path(name)))
    }

    /// A store that holds the prompts as shard 2 and an adapter of them.
    private func filled() throws -> ShardStore {
        let store = try ShardStore(directory: directory)
        let update = try store.bring(shard: 2, to: Toy.manifest(prompts), offered: prompts)
        #expect(update == .complete(prompts))
        try store.save(
            shard: 2, adapter: [1, 2, 3], report: report, arithmetic: "x")
        return store
    }

    private var report: TrainingReport {
        TrainingReport(
            adapter: "name", manifest: Toy.manifest(prompts).digest, prompts: prompts.count,
            specification: specification, steps: 1, tokens: 2, seconds: 0.1, computeSeconds: 0.1, epochLosses: [0.1])
    }

    private func everyByteOnDisk() throws -> String {
        let files = try #require(FileManager.default.enumerator(atPath: directory))
        return files.compactMap { $0 as? String }.sorted().map { name in
            String(decoding: FileManager.default.contents(atPath: "\(directory)/\(name)") ?? Data(), as: UTF8.self)
        }.joined()
    }

    @Test("What is kept is there after a restart, with its adapter")
    func restart() throws {
        let copies = try filled().copies
        let reopened = try ShardStore(directory: directory)
        #expect(reopened.copies == copies)
        #expect(copies.map(\.adapter) == ["name"] && copies.map(\.shard) == [2])
        #expect(try reopened.bring(shard: 2, to: Toy.manifest(prompts)) == .complete(prompts))
        let kept = try #require(reopened.training(shard: 2, specification: specification, arithmetic: "x"))
        #expect(kept.adapter == [1, 2, 3] && kept.report == report)
    }

    @Test("What an earlier release kept of an adapter is still there")
    func older() throws {
        let store = try filled()
        let current = try #require(store.training(shard: 2, specification: specification, arithmetic: "x"))
        // As it was written when the specification stood beside the report.
        let older = """
            {"specification": \(String(decoding: try JSONEncoder().encode(specification), as: UTF8.self)),
            "arithmetic": "x", "file": "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81",
            "report": {"task": 0, "shard": 2, "manifest": "\(Toy.manifest(prompts).digest)", "adapter": "name",
            "steps": 1, "tokens": 2, "seconds": 0.1, "computeSeconds": 0.1, "epochLosses": [0.1]}}
            """
        try Data(older.utf8).write(to: URL(fileURLWithPath: "\(directory)/shards/2/adapter.json"))
        let reopened = try ShardStore(directory: directory)
        let kept = try #require(reopened.training(shard: 2, specification: specification, arithmetic: "x"))
        #expect(kept.report == current.report && kept.adapter == current.adapter)
    }

    @Test("Only the difference is asked for")
    func difference() throws {
        let store = try filled()
        let changed = Array(prompts[0..<4]) + [Toy.prompt(4, version: 1), Toy.prompt(9)]
        let update = try store.bring(shard: 2, to: Toy.manifest(changed))
        #expect(update == .missing([changed[4].digest, changed[5].digest]))
        let complete = try store.bring(shard: 2, to: Toy.manifest(changed), offered: Array(changed[4...]))
        #expect(complete == .complete(changed))
        #expect(try ShardStore(directory: directory).copy(2)?.manifest == Toy.manifest(changed).digest)
    }

    @Test("Dropped prompts and the adapter trained with them are off the disk before the update returns")
    func dropping() throws {
        let store = try filled()
        let secret = TrainingPrompt(id: "9999", instruction: "i", input: "unforgettable words", label: true)
        let more = prompts + [secret]
        _ = try store.bring(shard: 2, to: Toy.manifest(more), offered: [secret])
        #expect(try everyByteOnDisk().contains("unforgettable"))
        #expect(!FileManager.default.fileExists(atPath: path("adapter.json")))
        #expect(!FileManager.default.fileExists(atPath: path("adapter.safetensors")))
        #expect(try store.bring(shard: 2, to: Toy.manifest(prompts)) == .complete(prompts))
        #expect(try !everyByteOnDisk().contains("unforgettable"))
        #expect(store.training(shard: 2, specification: specification, arithmetic: "x") == nil)
    }

    @Test("An adapter of another specification or arithmetic is not taken for the one wanted")
    func otherSpecification() throws {
        let store = try filled()
        #expect(store.training(shard: 2, specification: Toy.specification(seed: 9), arithmetic: "x") == nil)
        #expect(store.training(shard: 2, specification: specification, arithmetic: "y") == nil)
    }

    @Test("An adapter of another manifest is not kept")
    func staleAdapter() throws {
        let store = try filled()
        _ = try store.bring(shard: 2, to: Toy.manifest(Array(prompts.dropLast())))
        #expect(throws: TaskFailure.self) {
            try store.save(
                shard: 2, adapter: [1], report: report, arithmetic: "x")
        }
    }

    @Test("Prompts that the manifest does not name are not kept")
    func foreignPrompts() throws {
        let store = try ShardStore(directory: directory)
        let update = try store.bring(
            shard: 2, to: Toy.manifest(prompts), offered: prompts + [Toy.prompt(77)] + prompts)
        #expect(update == .complete(prompts))
        #expect(store.copy(2)?.prompts == 6)
    }

    @Test("Leftovers of an interrupted write are removed at the start")
    func leftovers() throws {
        let copies = try filled().copies
        let temporary = "prompts.jsonl.lethe-temporary"
        try write(Array("half a write of forgotten words".utf8), temporary)
        #expect(try ShardStore(directory: directory).copies == copies)
        #expect(!FileManager.default.fileExists(atPath: path(temporary)))
    }

    @Test("A changed, cut or foreign prompt file counts as not held and is deleted", arguments: 0..<4)
    func corruptPrompts(_ damage: Int) throws {
        _ = try filled()
        var file = try bytes("prompts.jsonl")
        switch damage {
        case 0: file[file.count - 30] ^= 1
        case 1: file.removeLast(40)
        case 2: file = Array("{\"some\":\"other file\"}\n".utf8)
        default: file = []
        }
        try write(file, "prompts.jsonl")
        let store = try ShardStore(directory: directory)
        #expect(store.copies.isEmpty)
        #expect(!FileManager.default.fileExists(atPath: path("prompts.jsonl")))
        #expect(!FileManager.default.fileExists(atPath: path("adapter.safetensors")))
        #expect(try store.bring(shard: 2, to: Toy.manifest(prompts), offered: prompts) == .complete(prompts))
    }

    @Test("A changed, cut or missing adapter file counts as none; the prompts stay", arguments: 0..<4)
    func corruptAdapter(_ damage: Int) throws {
        _ = try filled()
        switch damage {
        case 0: try write([1, 2, 4], "adapter.safetensors")
        case 1: try write([1], "adapter.safetensors")
        case 2: unlink(path("adapter.safetensors"))
        default: try write(Array("{}".utf8), "adapter.json")
        }
        let store = try ShardStore(directory: directory)
        #expect(store.copies.map(\.prompts) == [6])
        #expect(store.copies.map(\.adapter) == [nil])
        #expect(!FileManager.default.fileExists(atPath: path("adapter.json")))
    }

    @Test("A released shard leaves no file behind")
    func release() throws {
        let store = try filled()
        try store.remove(shard: 2)
        try store.remove(shard: 5)
        #expect(store.copies.isEmpty)
        #expect(!FileManager.default.fileExists(atPath: "\(directory)/shards/2"))
    }

    @Test("A full disk is named in the failure, what must go is gone, and the store works on")
    func fullDisk() throws {
        let store = try filled()
        // Writing to this device fails as on a full disk.
        #expect(symlink("/dev/full", path("prompts.jsonl.lethe-temporary")) == 0)
        do throws(TaskFailure) {
            _ = try store.bring(shard: 2, to: Toy.manifest(Array(prompts.dropLast())))
            Issue.record("written to a full disk")
        } catch {
            #expect(error.code == .diskFull)
        }
        #expect(try !everyByteOnDisk().contains(prompts[5].id))
        #expect(!FileManager.default.fileExists(atPath: path("adapter.safetensors")))
        #expect(try store.bring(shard: 2, to: Toy.manifest(prompts), offered: prompts) == .complete(prompts))
    }

    @Test("An adapter that finds no room leaves the shard without one")
    func noRoomForAdapter() throws {
        let store = try filled()
        #expect(symlink("/dev/full", path("adapter.safetensors.lethe-temporary")) == 0)
        #expect(throws: TaskFailure.self) {
            try store.save(
                shard: 2, adapter: [4], report: report, arithmetic: "x")
        }
        #expect(store.copy(2)?.adapter == nil)
        #expect(try ShardStore(directory: directory).copies.map(\.adapter) == [nil])
    }
}

@Suite("Worker data directory")
final class WorkerDataDirectoryTests {
    let path = Toy.temporaryDirectory()

    deinit { try? FileManager.default.removeItem(atPath: path) }

    @Test("Two workers cannot share a directory; after the first ends the name is the same")
    func lock() throws {
        var first: DataDirectory? = try DataDirectory(path: path)
        let name = first?.worker
        #expect(throws: WorkerError.dataDirectoryInUse(path: path)) { try DataDirectory(path: self.path) }
        first = nil
        #expect(try DataDirectory(path: path).worker == name)
    }

    @Test("Without a directory of their own, workers of one machine take the first free ones of their coordinator")
    func standard() throws {
        let environment = ["XDG_STATE_HOME": path]
        let endpoint = "tcp://127.0.0.1:7070"
        var first: DataDirectory? = try DataDirectory.standard(endpoint: endpoint, environment: environment)
        let second = try DataDirectory.standard(endpoint: endpoint, environment: environment)
        #expect(first?.path.hasPrefix(path) == true && second.path != first?.path)
        let freed = first?.path
        first = nil
        #expect(try DataDirectory.standard(endpoint: endpoint, environment: environment).path == freed)
        withExtendedLifetime(second) {}
    }

    @Test("Where no state directory can be made, a temporary one lasts as long as the worker")
    func temporary() throws {
        var directory: DataDirectory? = try DataDirectory.standard(
            endpoint: "tcp://h:1", environment: ["HOME": "/dev/null"])
        let path = try #require(directory?.path)
        #expect(FileManager.default.fileExists(atPath: path))
        directory = nil
        #expect(!FileManager.default.fileExists(atPath: path))
    }
}
