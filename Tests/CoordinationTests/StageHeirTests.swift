import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing
import Unlearning

@Suite("Whoever owns a shard and has its data says which stages it lacks, while somebody else still has them")
struct StageHeirTests {
    private static let training = {
        var training = CoordinatorFixture.specification
        training.slices = 4
        return training
    }()

    private func fixture(shards: Int = 1) -> CoordinatorFixture {
        CoordinatorFixture(CoordinatorFixture.snapshot(shards: shards, adapters: true), training: Self.training)
    }

    private func copy(
        _ stages: [String]? = nil, manifest: String = "m0", hasCheckpoint: Bool? = nil
    ) -> ShardCopy {
        ShardCopy(
            shard: 0, manifest: manifest, prompts: 10, adapter: nil, stages: stages, hasCheckpoint: hasCheckpoint)
    }

    /// "b" owns the only shard and has its data, and "a" has come with the same data and with stages.
    private func met() -> CoordinatorFixture {
        var fixture = fixture()
        fixture.hello("b", copies: [copy()])
        fixture.wait(4000, beating: ["b"])
        #expect(fixture.assignments.isEmpty)
        fixture.hello("a", copies: [copy(["s1", "s2"])])
        return fixture
    }

    @Test("It is given the data again, asks, and the copy with the stages goes when they are there")
    func asked() throws {
        var fixture = met()
        fixture.wait(4000, beating: ["a", "b"])
        let task = try #require(fixture.assignments.first)
        #expect(fixture.assignments.count == 1 && task.worker == "b" && task.shard == 0 && !task.trains)
        #expect(!fixture.isReleased("a"))
        fixture.say(.holds(copy()), by: "b")
        fixture.say(.wants(shard: 0, manifest: "m0", stages: ["s2", "s1"]), by: "b")
        for name in ["s2", "s1"] {
            let hand = try #require(fixture.hands.first)
            #expect(hand.worker == "a" && hand.name == name)
            fixture.say(.handed(task: hand.task, .of(name)), by: "a")
            #expect(fixture.stagesSent(to: "b").first == name)
            if name == "s2" { fixture.say(.holds(copy(["s2"])), by: "b") }
        }
        #expect(!fixture.isReleased("a"))
        fixture.say(.holds(copy(["s1", "s2"])), by: "b")
        #expect(fixture.isReleased("a"))
        fixture.wait(500, beating: ["a", "b"])
        #expect(fixture.assignments.isEmpty)
    }

    @Test("It is asked once: who lacks nothing, as it says, is left alone until somebody greets")
    func once() {
        var fixture = met()
        fixture.wait(4000, beating: ["a", "b"])
        fixture.say(.holds(copy()), by: "b")
        fixture.wait(60_000, beating: ["a", "b"])
        #expect(fixture.assignments.isEmpty)
        // Restarted: it may have lost what it had.
        fixture.hello("b", copies: [copy()])
        fixture.wait(4000, beating: ["a", "b"])
        #expect(fixture.assignments.map(\.worker) == ["b"])
    }

    @Test("Stages that nobody had are asked for again when a worker comes that has them")
    func cameLater() throws {
        var fixture = fixture()
        fixture.hello("b")
        fixture.wait(4000, beating: ["b"])
        #expect(fixture.assignments.map(\.worker) == ["b"])
        fixture.say(.holds(copy()), by: "b")
        fixture.say(.wants(shard: 0, manifest: "m0", stages: ["s1"]), by: "b")
        #expect(fixture.stagesSent(to: "b") == [""])
        fixture.hello("a", copies: [copy(["s1"])])
        #expect(!fixture.isReleased("a"))
        fixture.wait(4000, beating: ["a", "b"])
        #expect(fixture.assignments.map(\.worker) == ["b"] && !fixture.isReleased("a"))
        fixture.say(.holds(copy()), by: "b")
        fixture.say(.wants(shard: 0, manifest: "m0", stages: ["s1"]), by: "b")
        #expect(fixture.hands.map(\.name) == ["s1"])
    }

    @Test("What a drained worker is about to delete is taken over by an heir that trains another shard")
    func busy() throws {
        var fixture = fixture(shards: 2)
        fixture.hello("a", copies: [copy(["s1"])])
        fixture.hello("b", copies: [ShardCopy(shard: 1, manifest: "m1", prompts: 10, adapter: nil)])
        fixture.wait(4000, beating: ["a", "b"])
        var after = fixture.coordinator.snapshot
        (after.shards[1].manifest, after.shards[1].adapter) = ("m1-after", nil)
        fixture.feed(.ledgerChanged(after))
        let training = try #require(fixture.assignments.first)
        #expect(training.worker == "b" && training.shard == 1 && training.trains)
        fixture.order(.drain, "a")
        let given = fixture.assignments
        fixture.wait(1000, beating: ["a", "b"])
        let heir = try #require((given + fixture.assignments).first)
        #expect(heir.worker == "b" && heir.shard == 0 && !heir.trains && !fixture.isReleased("a"))
        fixture.say(.holds(copy()), by: "b")
        fixture.say(.wants(shard: 0, manifest: "m0", stages: ["s1"]), by: "b")
        #expect(fixture.hands.map(\.worker) == ["a"])
    }

    @Test("Whoever has a checkpoint of a shard that somebody else finished is given the data, and deletes it")
    func checkpoint() throws {
        var fixture = fixture()
        fixture.hello("b", copies: [copy(hasCheckpoint: true)])
        fixture.wait(4000, beating: ["b"])
        let task = try #require(fixture.assignments.first)
        #expect(fixture.assignments.count == 1 && task.worker == "b" && !task.trains)
        fixture.say(.holds(copy()), by: "b")
        fixture.wait(10_000, beating: ["b"])
        #expect(fixture.assignments.isEmpty)
        // Of what is still to be trained it is gone on from.
        var snapshot = CoordinatorFixture.snapshot(shards: 1, adapters: true)
        snapshot.shards[0].adapter = nil
        fixture = CoordinatorFixture(snapshot, training: Self.training)
        fixture.hello("b", copies: [copy(hasCheckpoint: true)])
        fixture.wait(4000, beating: ["b"])
        #expect(fixture.assignments.isEmpty || fixture.assignments.allSatisfy(\.trains))
    }

    @Test(
        "Who trained a shard has the stages that it says it has, not all that the training passed",
        arguments: [true, false])
    func unkept(saysSo: Bool) throws {
        var fixture = CoordinatorFixture(
            CoordinatorFixture.snapshot(shards: 1), doubleCheck: .share(0), training: Self.training)
        fixture.hello("b", copies: [copy()])
        let task = try #require(fixture.assignments.first)
        #expect(task.worker == "b" && task.trains)
        fixture.hello("a", copies: [copy(["s1"])])
        #expect(!fixture.isReleased("a"))
        // There was no room on its disk for the stage, nor for the adapter.
        var progress = WorkerMessage.TaskProgress(
            task: task.task, step: 1, steps: 9, loss: 0, tokensPerSecond: 1, secondsRemaining: 1)
        for reason in ["no room for the stage", nil] {
            progress.unkept = reason
            fixture.say(.progress(progress), by: "b")
            #expect(fixture.status.workers.first { $0.id == "b" }?.tasks.map(\.unkept) == [reason])
        }
        var kept = copy(hasCheckpoint: true)
        kept.trained = "n"
        if saysSo { fixture.say(.holds(kept), by: "b") }
        #expect(!fixture.isReleased("a"))
        let stages = [
            StageReport(slice: 1, name: "s1", digest: "d1", bytes: 1),
            StageReport(slice: 4, name: "n", digest: "n", bytes: 1),
        ]
        let report = TrainingReport(
            adapter: "n", manifest: "m0", prompts: 10, specification: Self.training, steps: 1, tokens: 1, seconds: 1,
            computeSeconds: 1, epochLosses: [], slices: SlicesReport(count: 4, first: 1, tokens: 1, stages: stages))
        fixture.say(.trained(task: task.task, report, adapter: [1]), by: "b")
        // A worker of an earlier release is believed to have them.
        #expect(fixture.isReleased("a") == !saysSo)
    }

    @Test("A stage that differs from the record is asked of the next worker that has it")
    func elsewhere() throws {
        for names in [["s2"], ["s2", "s1"]] {
            var fixture = fixture()
            fixture.hello("b", copies: [copy()])
            fixture.wait(4000, beating: ["b"])
            for holder in ["a", "c"] { fixture.hello(holder, copies: [copy(["s1", "s2"])]) }
            fixture.say(.wants(shard: 0, manifest: "m0", stages: names), by: "b")
            let first = try #require(fixture.hands.first)
            fixture.say(.handed(task: first.task, .of("s2")), by: first.worker)
            fixture.feed(
                .undelivered(
                    peer: fixture.peer("b"), task: first.task, ClientError(code: .stageDiffers, message: "another")))
            let second = try #require(fixture.hands.first)
            #expect(second.name == "s2" && Set([first.worker, second.worker]) == ["a", "c"])
            fixture.say(.handed(task: second.task, .of("s2")), by: second.worker)
            #expect(fixture.stagesSent(to: "b").first == "s2")
        }
    }
}
