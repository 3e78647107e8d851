import ClusterTestSupport
import Foundation
import LanguageModels
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("A worker's disk: stages of trainings in slices")
struct WorkerStageTests {
    let fixture: StageShelf
    private var shelf: SealedShelf { fixture.shelf }
    private var prompts: [TrainingPrompt] { fixture.prompts }
    private var training: StagedTraining { fixture.training }
    private var made: [TrainingStage] { fixture.stages }
    private var files: [String] { fixture.files }

    init() throws { fixture = try StageShelf() }

    private func slice(_ prompt: TrainingPrompt) throws -> Int { try fixture.slices.slice(of: prompt) }
    private func file(_ stage: TrainingStage) -> String { fixture.file(stage) }

    private func bring(
        _ prompts: [TrainingPrompt], keys: ShardKeys? = nil, training: StagedTraining? = nil,
        offered: [TrainingPrompt] = [], in store: ShardStore
    ) throws -> ShardStore.Update {
        try fixture.bring(prompts, keys: keys, training: training, offered: offered, in: store)
    }

    @Test("The last stage is handed out, also after a restart, and lies there sealed")
    func kept() throws {
        let store = try fixture.filled()
        #expect(files == made.map(file).sorted())
        #expect(store.stage(shard: 2, of: training) == made[2])
        let reopened = try ShardStore(directory: shelf.directory)
        #expect(reopened.stage(shard: 2, of: training) == nil)
        #expect(try bring(prompts, in: reopened) == .complete(prompts))
        #expect(reopened.stage(shard: 2, of: training) == made[2])
        #expect(files == made.map(file).sorted())
        for stage in made {
            #expect(!Data(try shelf.bytes(file(stage))).contains(Data("lossSums".utf8)))
        }
    }

    @Test("What goes from slice j takes stages j and later along, and the stage before it stays", arguments: 1...4)
    func forgetting(gone: Int) throws {
        let store = try fixture.filled()
        let leaving = try #require(try prompts.first { try slice($0) == gone })
        let retained = prompts.filter { $0.id != leaving.id }
        // Whose prompt it was keeps the others, under another key.
        let keys = Toy.keys(retained, shard: 1, people: [Toy.person(of: leaving.id): 1])
        #expect(try bring(retained, keys: keys, in: store) == .complete(retained))
        let staying = Array(made.prefix(gone - 1))
        #expect(files == staying.map(file).sorted())
        #expect(store.stage(shard: 2, of: training) == staying.last)
        // Of what stays, nothing with a prompt of theirs opens with the key of before.
        let old = try ShardStore(directory: shelf.directory)
        _ = try bring(retained, keys: Toy.keys(retained), in: old)
        let person = Toy.person(of: leaving.id)
        let first = try prompts.filter { Toy.person(of: $0.id) == person }.map(slice).min()
        #expect(files == staying.filter { $0.slice < first ?? 0 }.map(file).sorted())
        // And the training from there is the one from the start.
        let fresh = try fixture.slices.stages(on: retained)
        #expect(try staying + fixture.slices.stages(on: retained, from: staying.last) == fresh)
    }

    @Test("A worker that was away holds noise: after a restart no stage with somebody forgotten opens")
    func away() throws {
        _ = try fixture.filled()
        let leaving = try #require(try prompts.first { try slice($0) == 2 })
        let person = Toy.person(of: leaving.id)
        let retained = prompts.filter { $0.id != leaving.id }
        let reopened = try ShardStore(directory: shelf.directory)
        #expect(files.count == 3)
        let keys = Toy.keys(retained, people: [person: 1])
        guard case .missing = try bring(retained, keys: keys, in: reopened) else {
            Issue.record("what lay under the old key was not asked for")
            return
        }
        #expect(files == [])
        #expect(try bring(retained, keys: keys, offered: retained, in: reopened) == .complete(retained))
        #expect(reopened.stage(shard: 2, of: training) == nil)
    }

    @Test("New prompts in slice j leave the stages before it", arguments: 1...4)
    func importing(slice new: Int) throws {
        let store = try fixture.filled()
        let added = try #require(try (100..<200).map { Toy.prompt($0) }.first { try slice($0) == new })
        let more = prompts + [added]
        #expect(try bring(more, in: store) == .missing([added.digest]))
        #expect(try bring(more, offered: [added], in: store) == .complete(more))
        #expect(files == made.prefix(new - 1).map(file).sorted())
        #expect(store.stage(shard: 2, of: training) == made.prefix(new - 1).last)
    }

    @Test("Stages of another specification or other arithmetic go, and so do all without slices")
    func otherTrainings() throws {
        var others = [training, training, training]
        others[0].arithmetic = "other arithmetic"
        others[1].specification.learningRate = 0.5
        others[2].specification.slices = 1
        for other in others {
            let store = try fixture.filled()
            #expect(store.stage(shard: 2, of: other) == nil)
            #expect(try bring(prompts, training: other, in: store) == .complete(prompts))
            #expect(files == [])
        }
        let store = try fixture.filled()
        #expect(try store.bring(shard: 2, to: Toy.manifest(prompts), keys: Toy.keys(prompts)) == .complete(prompts))
        #expect(files == [])
    }

    @Test("A damaged stage is deleted, and the one before it is taken")
    func damaged() throws {
        _ = try fixture.filled()
        let whole = try shelf.files()
        let name = file(made[2])
        let sealed = try #require(whole[name])
        var flipped = sealed
        flipped[sealed.count / 2] ^= 1
        let foreign = try #require(whole[file(made[1])])
        for bytes in [flipped, Array(sealed.dropLast()), Array(sealed.prefix(20)), [], sealed + [0], foreign] {
            try shelf.put(whole.merging([name: bytes]) { $1 })
            let store = try ShardStore(directory: shelf.directory)
            #expect(try bring(prompts, in: store) == .complete(prompts))
            #expect(store.stage(shard: 2, of: training) == made[1])
            #expect(!files.contains(name))
        }
        try shelf.put(whole.merging(["no name.stage.sealed": sealed]) { $1 })
        let store = try ShardStore(directory: shelf.directory)
        #expect(try bring(prompts, in: store) == .complete(prompts))
        #expect(files == [])
    }

    @Test("A stage of prompts that are no longer held is refused")
    func late() throws {
        let store = try fixture.filled()
        let leaving = try #require(try prompts.first { try slice($0) == 1 })
        let retained = prompts.filter { $0.id != leaving.id }
        #expect(try bring(retained, in: store) == .complete(retained))
        for stage in made {
            #expect(throws: TaskFailure.self) { try store.keep(stage, shard: 2, of: training) }
        }
        #expect(files == [])
    }

    @Test("A full disk leaves the stage out, says so, and keeps everything else")
    func fullDisk() throws {
        let store = try fixture.filled()
        let name = file(made[1])
        try FileManager.default.removeItem(atPath: shelf.path(name))
        #expect(symlink("/dev/full", shelf.path(name) + ".lethe-temporary") == 0)
        do {
            try store.keep(made[1], shard: 2, of: training)
            Issue.record("it was kept on a full disk")
        } catch {
            #expect(error.code == .diskFull && error.message.contains("the training goes on"))
        }
        #expect(files == [made[0], made[2]].map(file).sorted())
        #expect(store.stage(shard: 2, of: training) == made[2])
    }

    @Test("Giving up a shard deletes its stages, and reading it for a preparation leaves them")
    func removal() throws {
        let store = try fixture.filled()
        let manifest = Toy.manifest(prompts).digest
        #expect(
            try store.prompts(shard: 2, manifest: manifest, keys: Toy.keys(prompts).withoutOwners) == prompts)
        #expect(files == made.map(file).sorted())
        let other = Toy.keys(prompts, people: [0: 1]).withoutOwners
        #expect(try store.prompts(shard: 2, manifest: manifest, keys: other) == nil)
        #expect(files == [])

        let again = try fixture.filled()
        #expect(files.count == 3)
        try again.remove(shard: 2)
        #expect(shelf.names == [])
    }
}
