import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing
import Unlearning

@Suite("Whoever asks for stages while two trainings differ")
struct DisputedHeirTests {
    private static let training = {
        var training = CoordinatorFixture.specification
        training.slices = 4
        return training
    }()

    private func copy(_ stages: [String]? = nil, shard: Int = 0, manifest: String) -> ShardCopy {
        ShardCopy(shard: shard, manifest: manifest, prompts: 10, adapter: nil, stages: stages)
    }

    /// Somebody was forgotten from shard 0.
    private func forgotten(_ snapshot: LedgerSnapshot) -> LedgerSnapshot {
        var snapshot = snapshot
        (snapshot.shards[0].manifest, snapshot.shards[0].adapter) = ("m0-after", nil)
        snapshot.shards[0].quarantinedSince = Date(timeIntervalSince1970: 0)
        snapshot.shards[0].awaitsExact = true
        snapshot.pendingForgets = [
            LedgerSnapshot.PendingForget(id: "f", received: Date(timeIntervalSince1970: 0), waitingFor: [0])
        ]
        return snapshot
    }

    private func published(_ snapshot: LedgerSnapshot, by worker: String) -> LedgerSnapshot {
        var snapshot = forgotten(snapshot)
        snapshot.shards[0].adapter = LedgerSnapshot.Adapter(
            name: "n", manifest: "m0-after", missingMargins: 0, trainer: worker)
        snapshot.shards[0].quarantinedSince = nil
        snapshot.shards[0].awaitsExact = false
        (snapshot.pendingForgets[0].waitingFor, snapshot.pendingForgets[0].retrained) = ([], [0])
        return snapshot
    }

    private func trained(_ task: TaskID, shard: Int, _ adapter: String) -> WorkerMessage {
        .trained(
            task: task,
            TrainingReport(
                adapter: adapter, manifest: "m0-after", prompts: 10, specification: Self.training, steps: 1, tokens: 1,
                seconds: 1, computeSeconds: 1, epochLosses: [],
                slices: SlicesReport(count: 4, first: 1, tokens: 1)), adapter: [1])
    }

    private func replays(_ actions: [CoordinatorAction]) -> [(worker: String, task: TaskID)] {
        actions.compactMap { action in
            guard case .dispatch(let peer, .replay(let task, _, _)) = action else { return nil }
            return (String(decoding: peer.bytes, as: UTF8.self), task)
        }
    }

    private let before = CoordinatorFixture.snapshot(shards: 1, adapters: true)
    private let everybody = ["a", "b", "c"]

    /// Who trained shard 0 after the forget and was given its data again, who trains it for comparison, and who has a stage.
    private struct Cast {
        var trainer: String
        var given: TaskID
        var checker: String
        var check: TaskID
        var other: String
    }

    private func checked() throws -> (CoordinatorFixture, Cast) {
        var fixture = CoordinatorFixture(forgotten(before), training: Self.training)
        var actions: [CoordinatorAction] = []
        var training: (worker: String, task: TaskID)?
        for name in everybody {
            fixture.hello(name)
            actions += fixture.actions
            training = training ?? fixture.assignments.first.map { ($0.worker, $0.task) }
        }
        let (trainer, task) = try #require(training)
        let checker = try #require(replays(actions).first)
        let other = try #require(everybody.first { $0 != trainer && $0 != checker.worker })
        fixture.say(.holds(copy(manifest: "m0-after")), by: trainer)
        fixture.say(trained(task, shard: 0, "n"), by: trainer)
        let first = try #require(fixture.commands.first)
        fixture.feed(.ledger(first.id, .committed(published(before, by: trainer))))
        fixture.say(.holds(copy(["s1"], manifest: "m0-after")), by: other)
        fixture.wait(4000, beating: everybody)
        let given = try #require(fixture.assignments.first)
        #expect(fixture.assignments.map(\.worker) == [trainer] && !given.trains)
        return (
            fixture,
            Cast(trainer: trainer, given: given.task, checker: checker.worker, check: checker.task, other: other)
        )
    }

    @Test("It is turned away, and given the data again when the dispute has an end, and not before")
    func disputed() throws {
        var (fixture, cast) = try checked()
        let (trainer, other) = (cast.trainer, cast.other)
        fixture.say(.holds(copy(manifest: "m0-after")), by: trainer)
        fixture.say(trained(cast.check, shard: -1, "x"), by: cast.checker)
        let dispute = try #require(fixture.commands.first)
        let third = replays(fixture.actions)
        fixture.say(.wants(shard: 0, manifest: "m0-after", stages: ["s1"]), by: trainer)
        #expect(fixture.stagesSent(to: trainer) == [""] && fixture.hands.isEmpty)
        fixture.wait(2000, beating: everybody)
        #expect(fixture.assignments.isEmpty)
        fixture.feed(.ledger(dispute.id, .committed(forgotten(before))))
        let decider = try #require((third + replays(fixture.actions)).first { $0.worker == other })
        fixture.say(trained(decider.task, shard: -1, "n"), by: other)
        let second = try #require(fixture.commands.first)
        fixture.feed(.ledger(second.id, .committed(published(before, by: other))))
        var given = fixture.assignments
        fixture.wait(4000, beating: everybody)
        given += fixture.assignments
        #expect(given.map(\.worker) == [trainer] && given.allSatisfy { !$0.trains })
    }

    @Test("Nor does a stage answer meanwhile, whoever offers it")
    func offered() throws {
        var (fixture, cast) = try checked()
        fixture.say(trained(cast.check, shard: -1, "x"), by: cast.checker)
        let dispute = try #require(fixture.commands.first)
        fixture.feed(.ledger(dispute.id, .committed(forgotten(before))))
        fixture.say(.staged(task: cast.given, StageReportSamples.stage, adapter: [1]), by: cast.trainer)
        #expect(!fixture.commands.contains { if case .publish = $0.command { true } else { false } })
    }

    @Test("Whoever has data of it deletes that where the next request comes before the dispute has an end")
    func forgottenMeanwhile() throws {
        var (fixture, cast) = try checked()
        fixture.say(trained(cast.check, shard: -1, "x"), by: cast.checker)
        let dispute = try #require(fixture.commands.first)
        fixture.feed(.ledger(dispute.id, .committed(forgotten(before))))
        #expect(!fixture.isReleased(cast.trainer))
        fixture.feed(.ledgerChanged(again))
        #expect(fixture.isReleased(cast.trainer) && fixture.isReleased(cast.other))
        #expect(!fixture.assignments.contains { $0.worker == cast.trainer || $0.worker == cast.other })
        var given = fixture.assignments
        for name in [cast.trainer, cast.other] {
            fixture.say(.released(shard: 0), by: name)
            given += fixture.assignments
        }
        fixture.wait(4000, beating: everybody)
        given += fixture.assignments
        #expect(given.contains { $0.trains && $0.manifest == "m0-again" })
    }

    /// Somebody else was forgotten from shard 0 after that.
    private var again: LedgerSnapshot {
        var snapshot = forgotten(before)
        snapshot.shards[0].manifest = "m0-again"
        snapshot.pendingForgets.append(
            LedgerSnapshot.PendingForget(id: "g", received: Date(timeIntervalSince1970: 1), waitingFor: [0]))
        return snapshot
    }
}
