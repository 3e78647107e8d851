import ClusterTestSupport
import Foundation
import Messages
import Testing
import Unlearning
import Worker

@Suite("A worker's disk: stages and checkpoints that are not to be gone on from")
struct DiscardedStagesTests {
    let fixture: StageShelf

    init() throws { fixture = try StageShelf() }

    @Test("Those that a diverging training passed stay, and everything else of it goes")
    func discarded() throws {
        let store = try fixture.filled()
        let checkpoint = try #require(try fixture.slices.withCheckpoints().last { $0.isCheckpoint })
        try store.keep(checkpoint, shard: 2, of: fixture.training)
        let names = fixture.stages.map(\.name)
        try store.discardStages(2, but: Set(names + [checkpoint.name]))
        #expect(fixture.files.count == 3 && store.copy(2)?.hasCheckpoint == true)
        try store.discardStages(2, but: [names[0], names[1], "another"])
        #expect(fixture.files == fixture.stages.prefix(2).map(fixture.file).sorted())
        #expect(store.copy(2)?.hasCheckpoint == nil && store.copy(2)?.stages?.count == 2)
        #expect(store.stage(shard: 2, of: fixture.training) == fixture.stages[1])
        // The data stays, and what else lies there.
        #expect(fixture.shelf.names.contains("prompts.sealed"))
        try store.discardStages(2, but: [])
        #expect(fixture.files == [] && store.stage(shard: 2, of: fixture.training) == nil)
    }

    @Test("One that is made again takes the place of the one before; a doubted one does not stay on a full disk either")
    func replaced() throws {
        let store = try fixture.filled()
        let (good, name) = (fixture.stages[1], fixture.file(fixture.stages[1]))
        let bad = try good.flooded(.firstMoments)
        #expect(bad.name == good.name && bad != good)
        try store.keep(bad, shard: 2, of: fixture.training)
        try store.discardStages(2, but: [bad.name])
        #expect(store.stage(shard: 2, of: fixture.training) == bad)
        try store.keep(good, shard: 2, of: fixture.training)
        #expect(store.stage(shard: 2, of: fixture.training) == good)

        try store.keep(bad, shard: 2, of: fixture.training)
        for isDoubted in [false, true] {
            #expect(symlink("/dev/full", fixture.shelf.path(name) + ".lethe-temporary") == 0)
            #expect(throws: TaskFailure.self) {
                try store.keep(good, shard: 2, of: fixture.training, isDoubted: isDoubted)
            }
            #expect(fixture.files.contains(name) == !isDoubted)
            #expect(store.stage(shard: 2, of: fixture.training) == (isDoubted ? nil : bad))
        }
    }

    @Test("Where nothing can be written the stage is left out, that is said, and what lies there is as good as before")
    func unwritable() throws {
        let store = try fixture.filled()
        let last = fixture.stages[2]
        store.discard(last.name, shard: 2)
        // Also for whoever may write everywhere: a folder is in the way.
        let way = fixture.shelf.path(fixture.file(last)) + ".lethe-temporary"
        try FileManager.default.createDirectory(atPath: way, withIntermediateDirectories: false)
        do {
            try store.keep(last, shard: 2, of: fixture.training)
            Issue.record("it was kept")
        } catch {
            #expect(error.code == .storage && error.message.contains("the training goes on"), "\(error)")
        }
        #expect(store.stage(shard: 2, of: fixture.training) == fixture.stages[1])
        #expect(store.lacking(shard: 2).map(\.slice) == [3])
        try FileManager.default.removeItem(atPath: way)
        try store.keep(last, shard: 2, of: fixture.training)
        #expect(store.stage(shard: 2, of: fixture.training) == last)
    }
}
