import ClusterTestSupport
import Foundation
import LanguageModels
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("A worker's disk: what is held depends on the keys")
final class WorkerSealingTests {
    let shelf = SealedShelf()
    let prompts = Toy.prompts(0..<12)
    let specification = Toy.specification()

    private func own(_ person: Int) -> [TrainingPrompt] { prompts.filter { Toy.person(of: $0.id) == person } }

    private func prepared(_ keys: ShardKeys, in store: ShardStore) throws -> InfluencePreparation {
        let executor = Toy.executor()
        let adapter = try executor.train(
            prompts: prompts, specification: specification, progress: { _ in }, isCancelled: { false }
        ).adapter
        let made = try executor.prepare(
            adapter: adapter, prompts: prompts, trial: InfluenceTrial(specification: specification),
            progress: { _ in }, isCancelled: { false })
        try store.keep(made, shard: 2, manifest: Toy.manifest(prompts).digest)
        return made
    }

    @Test("A person's prompts under a replaced key are noise after a restart, and asked for again")
    func replacedPersonKey() throws {
        _ = try shelf.filled(prompts)
        let store = try ShardStore(directory: shelf.directory)
        let keys = Toy.keys(prompts, people: [1: 1])
        #expect(try shelf.bring(prompts, keys: keys, in: store) == .missing(own(1).map(\.digest)))
        // The old box is off the disk: with every key that ever was it does not come back.
        let again = try ShardStore(directory: shelf.directory)
        #expect(again.copy(2)?.prompts == prompts.count - own(1).count)
        #expect(try shelf.bring(prompts, in: again) == .missing(own(1).map(\.digest)))
        #expect(try shelf.bring(prompts, keys: keys, offered: own(1), in: again) == .complete(prompts))
        #expect(try shelf.bring(prompts, keys: keys, in: ShardStore(directory: shelf.directory)) == .complete(prompts))
    }

    @Test("A worker that has the prompts in memory seals them under the new keys and asks for nothing")
    func replacedInMemory() throws {
        let store = try shelf.filled(prompts)
        let keys = Toy.keys(prompts, people: [0: 1, 2: 5])
        let before = try shelf.bytes()
        #expect(try shelf.bring(prompts, keys: keys, in: store) == .complete(prompts))
        #expect(try shelf.bytes() != before)
        // Nothing went, and the shard's key is the same.
        #expect(store.copy(2)?.adapter == shelf.adapterName)
        let old = try ShardStore(directory: shelf.directory)
        #expect(try shelf.bring(prompts, in: old) == .missing((own(0) + own(2)).map(\.digest).inOrder(of: prompts)))
    }

    @Test("The same name with another key opens nothing; what is in memory is sealed under it")
    func sameName() throws {
        let store = try shelf.filled(prompts)
        var keys = Toy.keys(prompts)
        keys.people[2].key[31] ^= 1
        let reopened = try ShardStore(directory: shelf.directory)
        #expect(try shelf.bring(prompts, keys: keys, in: reopened) == .missing(own(2).map(\.digest)))
        #expect(try shelf.bring(prompts, offered: prompts, in: store) == .complete(prompts))
        #expect(try shelf.bring(prompts, keys: keys, in: store) == .complete(prompts))
        #expect(try shelf.bring(prompts, keys: keys, in: ShardStore(directory: shelf.directory)) == .complete(prompts))
    }

    @Test("A preparation that is damaged, of another key or of another name is deleted when the keys come")
    func damagedPreparation() throws {
        let keys = Toy.keys(prompts)
        let made = try prepared(keys, in: shelf.filled(prompts))
        let (whole, name) = (try shelf.files(), "\(made.adapter).letheif6.preparation.sealed")
        var other = keys
        other.shard[0] ^= 1
        let foreign = SealedShelf()
        _ = try prepared(other, in: foreign.filled(prompts, keys: other))
        var changed = try #require(whole[name])
        changed[40] ^= 1
        for file in [changed, Array(changed.prefix(100)), [], try foreign.bytes(name)] {
            try shelf.put(whole.merging([name: file]) { $1 })
            let store = try ShardStore(directory: shelf.directory)
            #expect(store.copy(2)?.prepared == made.adapter)
            #expect(store.preparation(shard: 2, adapter: made.adapter, keys: keys) == nil)
            #expect(try shelf.bring(prompts, keys: keys, in: store) == .complete(prompts))
            #expect(store.copy(2)?.prepared == nil && !shelf.names.contains(name))
        }
        try shelf.put(
            whole.filter { $0.key != name }.merging(["abc.letheif6.preparation.sealed": try #require(whole[name])]) {
                $1
            })
        let renamed = try ShardStore(directory: shelf.directory)
        #expect(renamed.preparation(shard: 2, adapter: "abc", keys: keys) == nil)
    }

    @Test(
        "Under a replaced key of the shard adapter and preparation are deleted, and the prompts stay",
        arguments: [true, false])
    func replacedShardKey(isRestarted: Bool) throws {
        var store = try shelf.filled(prompts)
        let made = try prepared(Toy.keys(prompts), in: store)
        #expect(shelf.names.count == 3)
        if isRestarted { store = try ShardStore(directory: shelf.directory) }
        let keys = Toy.keys(prompts, shard: 1)
        // Only what is in memory still opens it.
        #expect((store.preparation(shard: 2, adapter: made.adapter, keys: keys) == nil) == isRestarted)
        #expect(try shelf.bring(prompts, keys: keys, in: store) == .complete(prompts))
        #expect(shelf.names == ["prompts.sealed"])
        #expect(store.copy(2)?.adapter == nil && store.copy(2)?.prepared == nil)
        #expect(store.training(shard: 2, specification: specification, arithmetic: "x") == nil)
    }

    @Test("With the keys of before, prompts, adapter and preparation are all there after a restart")
    func sameKeys() throws {
        let made = try prepared(Toy.keys(prompts), in: shelf.filled(prompts))
        let files = try shelf.files()
        let store = try ShardStore(directory: shelf.directory)
        let keys = Toy.keys(prompts)
        #expect(
            try store.prompts(shard: 2, manifest: Toy.manifest(prompts).digest, keys: keys.withoutOwners) == prompts)
        #expect(store.preparation(shard: 2, adapter: made.adapter, keys: keys) == made)
        #expect(store.training(shard: 2, specification: specification, arithmetic: "x")?.adapter == shelf.tensors)
        #expect(try shelf.files() == files)
    }

    @Test(
        "A person whom the keys do not name is off the disk, whichever message brought them", arguments: [true, false])
    func missingPerson(isPreparation: Bool) throws {
        for isRestarted in [false, true] {
            var store = try shelf.filled(prompts)
            if isRestarted { store = try ShardStore(directory: shelf.directory) }
            let rest = prompts.filter { Toy.person(of: $0.id) != 1 }
            let keys = Toy.keys(rest)
            if isPreparation {
                let manifest = Toy.manifest(prompts).digest
                #expect(try store.prompts(shard: 2, manifest: manifest, keys: keys.withoutOwners) == nil)
            } else {
                #expect(try shelf.bring(rest, keys: keys, in: store) == .complete(rest))
            }
            #expect(store.copy(2)?.manifest == Toy.manifest(rest).digest && store.copy(2)?.adapter == nil)
            let again = try ShardStore(directory: shelf.directory)
            #expect(try shelf.bring(prompts, in: again) == .missing(own(1).map(\.digest)))
            try again.remove(shard: 2)
        }
    }

    @Test("What an earlier release kept in clear is deleted at the start, and counts as not held")
    func older() throws {
        let clear: [String: [UInt8]] = [
            "prompts.jsonl": Array("{\"format\":\"lethe-shard-1\"}\nsomebody's history\n".utf8),
            "adapter.json": Array("{}".utf8), "adapter.safetensors": [1, 2, 3],
            "abc.preparation": Array("LETHEIF3".utf8), "abc.preparation.part": [1],
        ]
        try shelf.put(clear)
        // Another name of the same bytes shows what becomes of them.
        let kept = shelf.directory + "-kept"
        defer { try? FileManager.default.removeItem(atPath: kept) }
        try FileManager.default.createDirectory(atPath: kept, withIntermediateDirectories: false)
        for name in clear.keys {
            try FileManager.default.linkItem(atPath: "\(shelf.directory)/shards/2/\(name)", toPath: "\(kept)/\(name)")
        }
        let store = try ShardStore(directory: shelf.directory)
        #expect(store.deletedInClear == 1 && store.copies.isEmpty)
        for (name, bytes) in clear {
            #expect(try Data(contentsOf: URL(fileURLWithPath: "\(kept)/\(name)")) == Data(count: bytes.count))
        }
        #expect(!FileManager.default.fileExists(atPath: "\(shelf.directory)/shards/2"))
        #expect(try shelf.bring(prompts, in: store) == .missing(prompts.map(\.digest)))
        // Beside what is sealed, too.
        _ = try shelf.bring(prompts, offered: prompts, in: store)
        for (name, bytes) in clear { try shelf.write(bytes, name) }
        let mixed = try ShardStore(directory: shelf.directory)
        #expect(shelf.names == ["prompts.sealed"] && mixed.deletedInClear == 1)
        #expect(try shelf.bring(prompts, in: mixed) == .complete(prompts))
        #expect(try ShardStore(directory: shelf.directory).deletedInClear == 0)
    }

    @Test("Killed between any two writes, a worker has the old state or the new one, or asks for what it lost")
    func kill() throws {
        let after = Array(prompts[2...]) + [Toy.prompt(40)]
        let (keys, later) = (Toy.keys(prompts), Toy.keys(after, shard: 1))
        let store = try shelf.filled(prompts, keys: keys)
        let old = try shelf.files()
        #expect(try shelf.bring(after, keys: later, in: store) == .missing([after[10].digest]))
        let dropped = try shelf.files()
        _ = try shelf.bring(after, keys: later, offered: [after[10]], in: store)
        let complete = try shelf.files()
        try shelf.save(after, in: store)
        let new = try shelf.files()
        let adapter = "\(shelf.adapterName).adapter.sealed"
        let cases: [[String: [UInt8]]] = [
            old, old.filter { $0.key != adapter }, dropped, complete, new, [:], [adapter: old[adapter] ?? []],
            // Never written in this order, but found on a disk that was copied at two times.
            complete.merging(old) { first, _ in first }, old.merging(new) { first, _ in first },
            dropped.merging(new) { first, _ in first },
        ]
        for files in cases {
            try shelf.put(files)
            for name in ["prompts.sealed", adapter] {
                try shelf.write(Array("half".utf8), name + ".lethe-temporary")
            }
            let reopened = try ShardStore(directory: shelf.directory)
            let update = try shelf.bring(after, keys: later, in: reopened)
            let isNew = files["prompts.sealed"] == new["prompts.sealed"]
            if isNew { #expect(update == .complete(after)) }
            let kept = reopened.training(shard: 2, specification: specification, arithmetic: "x")
            #expect((kept != nil) == (isNew && files[adapter] == new[adapter]))
            if case .missing(let digests) = update {
                let wanted = after.filter { digests.contains($0.digest) }
                #expect(try shelf.bring(after, keys: later, offered: wanted, in: reopened) == .complete(after))
            }
            #expect(!shelf.names.contains { $0.hasSuffix(".lethe-temporary") })
        }
    }
}

extension [String] {
    /// Digests as a manifest lists them.
    fileprivate func inOrder(of prompts: [TrainingPrompt]) -> [String] { prompts.map(\.digest).filter(contains) }
}
