import ClusterTestSupport
import Coordination
import Messages
import Testing
import Unlearning

@Suite("A shard whose training has to wait is answered by its stage meanwhile")
struct WaitingShardStageTests {
    /// "a" has two shards, and both have been forgotten from: it trains one of them, and brings its copy of the other one up to
    /// date.
    private func waiting() throws -> (CoordinatorFixture, training: TaskID, copy: TaskID) {
        let before = CoordinatorFixture.snapshot(shards: 2, adapters: true)
        var fixture = CoordinatorFixture.inSlices(before)
        fixture.hello("a", copies: [.of(0, "m0", stages: ["s1"]), .of(1, "m1", stages: ["t1"])])
        fixture.feed(.ledgerChanged(before.forgotten(from: 0, by: "f").forgotten(from: 1, by: "g")))
        let training = try #require(fixture.assignments.first { $0.trains })
        let copy = try #require(fixture.assignments.first { !$0.trains })
        #expect(training.shard == 0 && copy.shard == 1 && copy.manifest == "m1-after")
        return (fixture, training.task, copy.task)
    }

    @Test("It is handed in with the copy, and answers while the other shard is trained")
    func answers() throws {
        var (fixture, _, copy) = try waiting()
        fixture.say(.staged(task: copy, StageReportSamples.stage, adapter: [1]), by: "a")
        let command = try #require(fixture.commands.first)
        guard case .publish(1, let report, _, "a") = command.command else {
            Issue.record("\(command.command)")
            return
        }
        #expect(report.isStage)
        fixture.say(.holds(.of(1, "m1-after", stages: ["t1"])), by: "a")
        var snapshot = fixture.coordinator.snapshot
        snapshot.shards[1].adapter = LedgerSnapshot.Adapter(
            name: "st", manifest: "slices", missingMargins: 0, trainer: "a", stage: 2)
        snapshot.shards[1].quarantinedSince = nil
        fixture.feed(.ledger(command.id, .committed(snapshot)))
        #expect(fixture.coordinator.activeAdapters.map(\.name) == ["st"])
        // It is to be trained all the same.
        fixture.feed(.ledgerChanged(snapshot.trained(0, "n0", by: "a")))
        #expect(fixture.assignments.contains { $0.shard == 1 && $0.trains })
    }

    @Test("Not of other data, of no task, or by another worker")
    func foreign() throws {
        var (fixture, training, copy) = try waiting()
        fixture.hello("b")
        let stage = WorkerMessage.staged(task: copy, StageReportSamples.stage, adapter: [1])
        fixture.say(stage, by: "b")
        fixture.say(.staged(task: copy + 90, StageReportSamples.stage, adapter: [1]), by: "a")
        fixture.say(.staged(task: copy, StageReportSamples.whole, adapter: [1]), by: "a")
        #expect(fixture.commands.isEmpty)
        // Somebody else of it is forgotten meanwhile: what was brought up to date is of before.
        var snapshot = fixture.coordinator.snapshot
        snapshot.shards[1].manifest = "m1-later"
        fixture.feed(.ledgerChanged(snapshot))
        fixture.say(stage, by: "a")
        #expect(!fixture.commands.contains { if case .publish = $0.command { true } else { false } })
        #expect(training != copy)
    }
}
