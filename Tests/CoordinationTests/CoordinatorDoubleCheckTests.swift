import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing

@Suite("The coordinator's double checks")
struct CoordinatorDoubleCheckTests {
    /// Shard 0 of two was forgotten from.
    private func quarantined() -> LedgerSnapshot {
        var snapshot = CoordinatorFixture.snapshot(shards: 2, adapters: true)
        snapshot.shards[0].manifest = "m0-after"
        snapshot.shards[0].adapter = nil
        snapshot.shards[0].quarantinedSince = Date(timeIntervalSince1970: 0)
        snapshot.shards[0].awaitsExact = true
        snapshot.isTuned = true
        snapshot.pendingForgets = [
            LedgerSnapshot.PendingForget(id: "f", received: Date(timeIntervalSince1970: 0), waitingFor: [0])
        ]
        return snapshot
    }

    private func published(_ name: String, by worker: String) -> LedgerSnapshot {
        var snapshot = quarantined()
        snapshot.shards[0].adapter = LedgerSnapshot.Adapter(
            name: name, manifest: "m0-after", missingMargins: 0, trainer: worker)
        snapshot.shards[0].quarantinedSince = nil
        snapshot.shards[0].awaitsExact = false
        snapshot.pendingForgets[0].waitingFor = []
        snapshot.pendingForgets[0].retrained = [0]
        return snapshot
    }

    private func replays(_ fixture: CoordinatorFixture) -> [(worker: String, task: TaskID)] {
        fixture.actions.compactMap { action in
            guard case .dispatch(let peer, .replay(let task, _, .shard(0, manifest: "m0-after"))) = action else {
                return nil
            }
            return (String(decoding: peer.bytes, as: UTF8.self), task)
        }
    }

    private func report(_ task: TaskID, shard: Int, _ name: String) -> WorkerMessage {
        CoordinatorFixture.report(task: task, shard: shard, manifest: "m0-after", adapter: name)
    }

    /// Workers a, b and c; the trainer has published `first`, another has replayed to `second`.
    private func run(
        _ first: String, _ second: String, workers: [String] = ["a", "b", "c"]
    ) throws -> (CoordinatorFixture, trainer: String, checker: String) {
        var fixture = CoordinatorFixture(quarantined())
        var training: (worker: String, task: TaskID)?
        var replay: (worker: String, task: TaskID)?
        for worker in workers {
            fixture.hello(worker, copies: worker == "a" ? [copy] : [])
            training = training ?? fixture.assignments.first { $0.trains }.map { ($0.worker, $0.task) }
            replay = replay ?? replays(fixture).first
        }
        let (trainer, task) = try #require(training)
        let (checker, second_) = try #require(replay)
        #expect(trainer != checker)
        fixture.say(report(second_, shard: -1, second), by: checker)
        fixture.say(report(task, shard: 0, first), by: trainer)
        let publish = try #require(fixture.commands.first)
        #expect(fixture.finishes.isEmpty)
        fixture.feed(.ledger(publish.id, .committed(published(first, by: trainer))))
        return (fixture, trainer, checker)
    }

    private let copy = ShardCopy(shard: 1, manifest: "m1", prompts: 10, adapter: "a1")

    @Test("Another worker trains at the same time; with the same bytes the certificate is signed and names both")
    func agree() throws {
        let (fixture, trainer, checker) = try run("n", "n")
        guard case .finishForget("f", let checks)? = fixture.commands.first?.command else {
            Issue.record("not finished")
            return
        }
        let workers = [trainer, checker].sorted()
        #expect(checks == [DoubleCheck(shard: 0, adapter: "n", outcome: .sameBytes, workers: workers)])
    }

    @Test("With other bytes the adapter is quarantined, a third worker decides, and the majority's is published")
    func disagree() throws {
        for (first, second, winner) in [("n", "x", "n"), ("x", "n", "n")] {
            var (fixture, trainer, checker) = try run(first, second)
            #expect(fixture.finishes.isEmpty)
            let command = try #require(fixture.commands.first)
            guard case .quarantine(let dispute) = command.command else {
                Issue.record("no quarantine")
                return
            }
            #expect(dispute == AdapterDispute(shard: 0, published: first, other: second, workers: [trainer, checker]))
            #expect(fixture.status.disputes.count == 1)
            let third = try #require(replays(fixture).first)
            #expect(third.worker != trainer && third.worker != checker)
            fixture.feed(.ledger(command.id, .committed(quarantined())))
            // Nobody trains it to publish it at once.
            #expect(!fixture.assignments.contains { $0.shard == 0 && $0.trains })
            fixture.say(report(third.task, shard: -1, winner), by: third.worker)
            let publish = try #require(fixture.commands.first)
            guard case .publish(0, let report, _, let worker) = publish.command else {
                Issue.record("nothing published")
                return
            }
            #expect(report.adapter == winner && worker == third.worker)
            fixture.feed(.ledger(publish.id, .committed(published(winner, by: worker))))
            #expect(fixture.finishes == ["f"] && fixture.status.disputes.isEmpty)
        }
    }

    @Test("Two workers who disagree publish nothing until a third comes")
    func twoDisagree() throws {
        var (fixture, trainer, checker) = try run("n", "x", workers: ["a", "b"])
        let command = try #require(fixture.commands.first)
        fixture.feed(.ledger(command.id, .committed(quarantined())))
        fixture.wait(30_000, beating: [trainer, checker])
        #expect(fixture.finishes.isEmpty && !fixture.assignments.contains { $0.shard == 0 && $0.trains })
        #expect(fixture.status.disputes.count == 1)
        fixture.hello("z")
        if let asked = replays(fixture).first { #expect(asked.worker == "z") }
    }

    @Test("Alone, a worker is not asked twice: the certificate says that there was no other")
    func alone() throws {
        var fixture = CoordinatorFixture(quarantined())
        fixture.hello("a", copies: [copy])
        let task = try #require(fixture.assignments.first { $0.trains }?.task)
        fixture.say(report(task, shard: 0, "n"), by: "a")
        let publish = try #require(fixture.commands.first)
        fixture.feed(.ledger(publish.id, .committed(published("n", by: "a"))))
        #expect(replays(fixture).isEmpty)
        guard case .finishForget("f", let checks)? = fixture.commands.first?.command else {
            Issue.record("not finished")
            return
        }
        #expect(checks.map(\.outcome) == [.noOtherWorker])
    }

    @Test("The rule chooses one shard, none, all, or a share of them, and the same ones every time")
    func rule() {
        #expect(DoubleCheckRule("one") == .one && DoubleCheckRule("0.5") == .share(0.5))
        for text in ["", "two", "-1", "1.5", "nan", "inf"] { #expect(DoubleCheckRule(text) == nil) }
        var fixture = CoordinatorFixture(quarantined(), doubleCheck: .share(0))
        fixture.hello("a", copies: [copy])
        fixture.hello("b")
        #expect(replays(fixture).isEmpty)
    }

    @Test("A replay for verify never runs on the worker that trained the adapter while another is there")
    func verifyElsewhere() throws {
        var snapshot = CoordinatorFixture.snapshot(shards: 1, adapters: true)
        snapshot.shards[0].adapter?.trainer = "a"
        var fixture = CoordinatorFixture(snapshot)
        let held = ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: "a0")
        fixture.hello("a", copies: [held])
        fixture.hello("b")
        fixture.ask(.verify(.init(request: nil)), id: "v")
        let asked = fixture.actions.compactMap { action -> (String, TaskID)? in
            guard case .dispatch(let peer, .replay(let task, _, _)) = action else { return nil }
            return (String(decoding: peer.bytes, as: UTF8.self), task)
        }
        #expect(asked.map(\.0) == ["b"])
        fixture.say(
            CoordinatorFixture.report(
                task: try #require(asked.first).1, shard: -1, manifest: "m0", adapter: "a0"), by: "b")
        fixture.wait(250, beating: ["a", "b"])
        fixture.ask(.operation(id: "v"), id: "poll")
        guard case .operation(_, .verification(let report)) = fixture.replies.first else {
            Issue.record("no verification")
            return
        }
        #expect(report.allMatch && report.shards.map(\.isIndependent) == [true])
    }

    @Test("Nothing replayed is nothing verified: empty shards are named, and shards without their adapter too")
    func nothingToReplay() throws {
        var snapshot = CoordinatorFixture.snapshot(shards: 2, adapters: true)
        snapshot.shards[0].prompts = 0
        snapshot.shards[0].adapter = nil
        snapshot.shards[1].prompts = 0
        snapshot.shards[1].adapter = nil
        var fixture = CoordinatorFixture(snapshot)
        fixture.hello("a")
        fixture.ask(.verify(.init(request: nil)), id: "v")
        fixture.wait(250, beating: ["a"])
        fixture.ask(.operation(id: "v"), id: "poll")
        guard case .operation(_, .verification(let report)) = fixture.replies.first else {
            Issue.record("no verification")
            return
        }
        #expect(!report.allMatch && report.empty == [0, 1] && report.shards.isEmpty)
    }

    @Test("A snapshot that cannot be read after a commit never tells a client that its request failed")
    func unread() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2, adapters: true))
        let forget = ClientRequest.forget(ClientRequest.ForgetRequest(users: ["u"], interactions: []))
        fixture.ask(forget, id: "f")
        let command = try #require(fixture.commands.first)
        fixture.feed(.ledger(command.id, .failed(ClientError(code: ErrorCode.unread, message: "i/o"))))
        #expect(fixture.replies.isEmpty)
        fixture.wait(1500)
        let again = try #require(fixture.commands.first)
        #expect(again.command == command.command)
        let outcome = ForgetOutcome(
            request: "f", received: Date(timeIntervalSince1970: 0), counts: ForgetCounts(), shards: [0],
            waitingFor: [0], droppedAdapters: [], alreadyForgotten: 0)
        fixture.feed(.ledger(again.id, .forgotten(outcome, quarantined())))
        guard case .forgetAccepted = fixture.replies.first else {
            Issue.record("not accepted")
            return
        }
    }
}
