import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing
import Unlearning

@Suite("A copy that is kept for its stages, and holds something forgotten")
struct HeldBackCopyTests {
    private func copy(_ manifest: String, _ stages: [String] = ["s1", "s2"]) -> ShardCopy {
        ShardCopy(shard: 0, manifest: manifest, prompts: 10, adapter: nil, stages: stages)
    }

    /// "a" is paused and has the shard as it was before a forget; it was told to drop what is not of now, under this task.
    private func told() throws -> (CoordinatorFixture, TaskID) {
        var training = CoordinatorFixture.specification
        training.slices = 4
        var fixture = CoordinatorFixture(
            CoordinatorFixture.snapshot(shards: 1, adapters: true), training: training)
        fixture.hello("a", copies: [copy("m0")])
        fixture.wait(4000, beating: ["a"])
        fixture.hello("b")
        fixture.order(.pause, "a")
        var after = fixture.coordinator.snapshot
        (after.shards[0].manifest, after.shards[0].adapter) = ("m0-after", nil)
        fixture.feed(.ledgerChanged(after))
        let trim = try #require(fixture.hands.first)
        #expect(trim.worker == "a" && !fixture.isReleased("a"))
        return (fixture, trim.task)
    }

    @Test("What it says before it heard of that is no answer: without one it is deleted after 30 seconds")
    func crossing() throws {
        for crossing in [copy("m0"), copy("a part of before", ["s1"])] {
            var (fixture, _) = try told()
            fixture.say(.holds(crossing), by: "a")
            fixture.wait(28_000, beating: ["a", "b"])
            #expect(!fixture.isReleased("a"))
            fixture.wait(3000, beating: ["a", "b"])
            #expect(fixture.isReleased("a"))
        }
    }

    @Test("Its answer keeps it until the stages are handed on")
    func answered() throws {
        var (fixture, task) = try told()
        fixture.say(.holds(copy("what is left", ["s1"])), by: "a")
        fixture.say(.failed(task: task, code: .notHeld, message: "no such stage"), by: "a")
        fixture.wait(60_000, beating: ["a", "b"])
        #expect(!fixture.isReleased("a"))
        fixture.wait(300_000, beating: ["a", "b"])
        #expect(fixture.isReleased("a"))
    }

    @Test("Where its disk refuses it is deleted at once", arguments: [ErrorCode.diskFull, .storage])
    func refused(code: ErrorCode) throws {
        var (fixture, task) = try told()
        fixture.say(.failed(task: task, code: code, message: "no space"), by: "a")
        #expect(fixture.isReleased("a"))
    }

    @Test("Another worker's failure, or one of another task, says nothing of it")
    func foreign() throws {
        var (fixture, task) = try told()
        fixture.say(.failed(task: task, code: .diskFull, message: ""), by: "b")
        fixture.say(.failed(task: task + 90, code: .diskFull, message: ""), by: "a")
        fixture.wait(250, beating: ["a", "b"])
        #expect(!fixture.isReleased("a"))
    }

    @Test("Data that changed before it was told is told anew")
    func stale() throws {
        var (fixture, task) = try told()
        fixture.feed(.undelivered(peer: fixture.peer("a"), task: task, ClientError(code: .stale, message: "")))
        #expect(!fixture.isReleased("a"))
        var after = fixture.coordinator.snapshot
        after.shards[0].manifest = "m0-later"
        fixture.feed(.ledgerChanged(after))
        #expect(fixture.hands.map(\.worker) == ["a"] && !fixture.isReleased("a"))
    }
}
