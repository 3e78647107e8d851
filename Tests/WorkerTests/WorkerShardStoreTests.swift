import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("Worker shard store")
final class WorkerShardStoreTests {
    let shelf = SealedShelf()
    let prompts = Toy.prompts(0..<6)
    let specification = Toy.specification()

    @Test("What is kept is there after a restart: it says so without keys, and opens with the same ones")
    func restart() throws {
        let copies = try shelf.filled(prompts).copies
        #expect(copies.map(\.adapter) == [shelf.adapterName] && copies.map(\.shard) == [2])
        let reopened = try ShardStore(directory: shelf.directory)
        #expect(reopened.copies == copies)
        // Without keys there is nothing but what it says of itself.
        #expect(reopened.training(shard: 2, specification: specification, arithmetic: "x") == nil)
        #expect(throws: TaskFailure.self) { try self.shelf.save(prompts, in: reopened) }
        #expect(try shelf.bring(prompts, in: reopened) == .complete(prompts))
        #expect(reopened.copies == copies)
        let kept = try #require(reopened.training(shard: 2, specification: specification, arithmetic: "x"))
        #expect(kept.adapter == shelf.tensors && kept.report == shelf.report(prompts))
    }

    @Test("Only the difference is asked for")
    func difference() throws {
        let store = try shelf.filled(prompts)
        let changed = Array(prompts[0..<4]) + [Toy.prompt(4, version: 1), Toy.prompt(9)]
        #expect(try shelf.bring(changed, in: store) == .missing([changed[4].digest, changed[5].digest]))
        #expect(try shelf.bring(changed, offered: Array(changed[4...]), in: store) == .complete(changed))
        #expect(try ShardStore(directory: shelf.directory).copy(2)?.manifest == Toy.manifest(changed).digest)
    }

    @Test("Dropped prompts and the adapter trained with them are off the disk before the update returns")
    func dropping() throws {
        let store = try shelf.filled(prompts)
        let secret = TrainingPrompt(id: "9999", instruction: "i", input: "unforgettable words", label: true)
        let more = prompts + [secret]
        #expect(try shelf.bring(more, offered: [secret], in: store) == .complete(more))
        #expect(shelf.names == ["prompts.sealed"])
        let before = try shelf.bytes()
        #expect(try shelf.bring(prompts, in: store) == .complete(prompts))
        #expect(try shelf.bytes() != before)
        #expect(store.training(shard: 2, specification: specification, arithmetic: "x") == nil)
        // Whoever still has every key finds the others only.
        let reopened = try ShardStore(directory: shelf.directory)
        #expect(try shelf.bring(more, in: reopened) == .missing([secret.digest]))
    }

    @Test("An adapter of another specification or arithmetic is not taken for the one wanted")
    func otherSpecification() throws {
        let store = try shelf.filled(prompts)
        #expect(store.training(shard: 2, specification: Toy.specification(seed: 9), arithmetic: "x") == nil)
        #expect(store.training(shard: 2, specification: specification, arithmetic: "y") == nil)
    }

    @Test("An adapter of another manifest is not kept")
    func staleAdapter() throws {
        let store = try shelf.filled(prompts)
        _ = try shelf.bring(Array(prompts.dropLast()), in: store)
        #expect(throws: TaskFailure.self) { try self.shelf.save(prompts, in: store) }
    }

    @Test("Prompts that the manifest does not name are not kept")
    func foreignPrompts() throws {
        let store = try ShardStore(directory: shelf.directory)
        #expect(
            try shelf.bring(prompts, offered: prompts + [Toy.prompt(77)] + prompts, in: store) == .complete(prompts))
        #expect(store.copy(2)?.prompts == 6)
    }

    @Test("A manifest without an owner for each of its entries is refused, and nothing is touched")
    func owners() throws {
        let store = try shelf.filled(prompts)
        for owners in [[], [0, 1, 2, 0, 1], [0, 1, 2, 0, 1, 3], [0, 1, 2, 0, 1, -1]] {
            var keys = Toy.keys(prompts)
            keys.owners = owners
            #expect(throws: TaskFailure.self) {
                try store.bring(shard: 2, to: Toy.manifest(self.prompts), keys: keys)
            }
        }
        #expect(store.copy(2)?.adapter == shelf.adapterName)
    }

    @Test("Leftovers of an interrupted write are removed at the start")
    func leftovers() throws {
        let copies = try shelf.filled(prompts).copies
        let names = shelf.names
        for name in names { try shelf.write(Array("half a write".utf8), name + ".lethe-temporary") }
        let store = try ShardStore(directory: shelf.directory)
        #expect(store.copies == copies && shelf.names == names && store.deletedInClear == 0)
    }

    @Test("A released shard leaves no file and no key behind")
    func release() throws {
        let store = try shelf.filled(prompts)
        try store.remove(shard: 2)
        try store.remove(shard: 5)
        #expect(store.copies.isEmpty)
        #expect(!FileManager.default.fileExists(atPath: "\(shelf.directory)/shards/2"))
        #expect(try store.prompts(shard: 2, manifest: Toy.manifest(prompts).digest, keys: Toy.keys(prompts)) == nil)
        #expect(throws: TaskFailure.self) { try self.shelf.save(prompts, in: store) }
    }

    @Test("A full disk is named in the failure, what must go is gone, and the store works on")
    func fullDisk() throws {
        let store = try shelf.filled(prompts)
        // Writing to this device fails as on a full disk.
        #expect(symlink("/dev/full", shelf.path("prompts.sealed.lethe-temporary")) == 0)
        let failure = try #require(throws: TaskFailure.self) {
            try self.shelf.bring(Array(self.prompts.dropLast()), in: store)
        }
        #expect(failure.code == .diskFull)
        #expect(shelf.names == [])
        #expect(try shelf.bring(prompts, offered: prompts, in: store) == .complete(prompts))
    }

    @Test("An adapter that finds no room leaves the shard without one")
    func noRoomForAdapter() throws {
        let store = try shelf.filled(prompts)
        #expect(symlink("/dev/full", shelf.path("\(shelf.adapterName).adapter.sealed.lethe-temporary")) == 0)
        #expect(throws: TaskFailure.self) { try self.shelf.save(prompts, in: store) }
        #expect(store.copy(2)?.adapter == nil)
        #expect(try ShardStore(directory: shelf.directory).copies.map(\.adapter) == [nil])
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
        var first: DataDirectory? = try DataDirectory.standard(endpoints: [endpoint], environment: environment)
        let second = try DataDirectory.standard(endpoints: [endpoint], environment: environment)
        #expect(first?.path.hasPrefix(path) == true && second.path != first?.path)
        let freed = first?.path
        first = nil
        #expect(try DataDirectory.standard(endpoints: [endpoint], environment: environment).path == freed)
        withExtendedLifetime(second) {}
    }

    @Test("What a worker left under another of the addresses, or another spelling of this machine's, is found again")
    func spellings() throws {
        func place(_ endpoints: String...) throws -> DataDirectory {
            try DataDirectory.standard(endpoints: endpoints, environment: ["XDG_STATE_HOME": path])
        }
        func left(at endpoint: String) throws -> String { try place(endpoint).worker }

        let old = try left(at: "tcp://old:7070")
        // Nobody can know whose a coordinator at an address of its own is.
        #expect(try left(at: "tcp://elsewhere:7070") != old)
        let again = try place("tcp://new:7070", "tcp://old:7070")
        #expect(again.worker == old)
        // The old place is taken, so that the next one is new, under the first address.
        let beside = try place("tcp://new:7070", "tcp://old:7070")
        #expect(beside.worker != old && beside.path.hasSuffix("/tcp___new_7070/0"))
        withExtendedLifetime((again, beside)) {}

        let local = try left(at: "tcp://127.0.0.1:7070")
        #expect(try left(at: "tcp://localhost:7070") == local)
        #expect(try left(at: "tcp://localhost:7071") != local)
    }

    @Test("A slot whose files do not belong together is passed over with a warning; the next one stays, and is found")
    func unusableSlot() throws {
        let environment = ["XDG_STATE_HOME": path]
        func place(_ warnings: inout [String]) throws -> DataDirectory {
            try DataDirectory.standard(endpoints: ["tcp://h:1"], environment: environment) { warnings.append($0) }
        }
        var warnings: [String] = []
        let broken = try place(&warnings).path
        #expect(warnings.isEmpty && broken.hasSuffix("/0"))
        try Data(WorkerIdentity.makeSecret().utf8).write(to: URL(fileURLWithPath: "\(broken)/secret"))
        var names: Set<String> = []
        for _ in 0..<2 {
            warnings = []
            let directory = try place(&warnings)
            #expect(directory.path.hasSuffix("/1") && warnings.count == 1)
            #expect(warnings.allSatisfy { $0.contains(broken) && $0.contains("belong together") })
            names.insert(directory.worker)
        }
        #expect(names.count == 1)
        // Nothing of it was touched: whoever brings the right file back has the shards again.
        #expect(FileManager.default.fileExists(atPath: "\(broken)/worker"))
    }

    @Test("So is one that cannot even be opened")
    func foreignSlot() throws {
        var warnings: [String] = []
        let folder = "\(path)/lethe/workers/tcp___h_1"
        // As good as another user's, also for root: the lock is no file.
        try FileManager.default.createDirectory(atPath: "\(folder)/0/lock", withIntermediateDirectories: true)
        var directory: DataDirectory? = try DataDirectory.standard(
            endpoints: ["tcp://h:1"], environment: ["XDG_STATE_HOME": path]
        ) { warnings.append($0) }
        #expect(directory?.path == "\(folder)/1" && warnings.count == 1)
        directory = nil
        #expect(FileManager.default.fileExists(atPath: "\(folder)/1/worker"))
    }

    @Test("Where no state directory can be made, a temporary one lasts as long as the worker, which says so")
    func temporary() throws {
        var warnings: [String] = []
        var directory: DataDirectory? = try DataDirectory.standard(
            endpoints: ["tcp://h:1"], environment: ["HOME": "/dev/null"]
        ) { warnings.append($0) }
        let path = try #require(directory?.path)
        #expect(warnings.count == 1 && warnings[0].contains("temporary") && warnings[0].contains("/dev/null"))
        #expect(FileManager.default.fileExists(atPath: path))
        directory = nil
        #expect(!FileManager.default.fileExists(atPath: path))
    }
}
