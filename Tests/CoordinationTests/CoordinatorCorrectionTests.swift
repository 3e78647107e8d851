import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing
import Unlearning

@Suite("The coordinator and corrections")
struct CoordinatorCorrectionTests {
    /// Shard 0 of two was forgotten from by ifru, or by apa with ifru as a bridge.
    private func quarantined(bridge: Bool = false) -> LedgerSnapshot {
        var snapshot = CoordinatorFixture.snapshot(shards: 2, adapters: true)
        snapshot.shards[0].manifest = "m0-after"
        snapshot.shards[0].adapter = nil
        snapshot.shards[0].quarantinedSince = Date(timeIntervalSince1970: 0)
        snapshot.shards[0].correction = .ifru
        snapshot.shards[0].awaitsExact = bridge
        snapshot.isTuned = false
        snapshot.pendingForgets = [
            LedgerSnapshot.PendingForget(
                id: "f", received: Date(timeIntervalSince1970: 0), waitingFor: [0], method: bridge ? .apa : .ifru,
                bridge: bridge ? .ifru : nil)
        ]
        return snapshot
    }

    private func corrected(_ snapshot: LedgerSnapshot, missingMargins: Int = 0) -> LedgerSnapshot {
        var after = snapshot
        after.shards[0].correction = nil
        after.shards[0].quarantinedSince = nil
        after.shards[0].adapter = LedgerSnapshot.Adapter(
            name: "corrected", manifest: "m0-after", missingMargins: missingMargins,
            corrected: LedgerSnapshot.Corrected(
                method: .ifru, corrections: 1, since: Date(timeIntervalSince1970: 7)))
        if !snapshot.shards[0].awaitsExact { after.pendingForgets[0].waitingFor = [] }
        return after
    }

    private func corrections(_ fixture: CoordinatorFixture) -> [(worker: String, task: TaskID, manifest: String)] {
        fixture.actions.compactMap { action in
            guard case .dispatch(let peer, .correct(let task, 0, let manifest, _, _)) = action else { return nil }
            return (String(decoding: peer.bytes, as: UTF8.self), task, manifest)
        }
    }

    private func preparations(_ fixture: CoordinatorFixture) -> [(task: TaskID, shard: Int, adapter: String)] {
        fixture.actions.compactMap { action in
            guard case .dispatch(_, .prepare(let task, let shard, _, let adapter)) = action else { return nil }
            return (task, shard, adapter)
        }
    }

    private func report(_ task: TaskID) -> WorkerMessage {
        .trained(
            task: task,
            TrainingReport(
                adapter: "corrected", manifest: "m0-after", prompts: 10,
                specification: CoordinatorFixture.specification, steps: 1, tokens: 1, seconds: 1, computeSeconds: 1,
                epochLosses: [],
                correction: CorrectionReport(
                    provenance: ApproximateProvenance(
                        method: .ifru, original: "a0", result: "corrected", forgotten: 1, corrections: 1),
                    method: .ifru(IFRUConfiguration()))), adapter: [1])
    }

    @Test("Whoever prepared it corrects it, also beside a faster worker, unless it failed at it or takes nothing new")
    func preparer() throws {
        func corrector(prepared: String?, _ change: (inout CoordinatorFixture) -> Void = { _ in }) -> [String] {
            var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2, adapters: true))
            let copies = (0..<2).map { shard in
                ShardCopy(
                    shard: shard, manifest: "m\(shard)", prompts: 10, adapter: "a\(shard)",
                    prepared: shard == 0 ? prepared : nil)
            }
            fixture.hello("a", copies: [copies[0]], threads: 8)
            fixture.hello("b", copies: [copies[1]], threads: 16)
            #expect(fixture.status.workers.map(\.shards) == [[0], [1]])
            change(&fixture)
            fixture.feed(.ledgerChanged(quarantined()))
            return corrections(fixture).map(\.worker)
        }
        #expect(corrector(prepared: "a0") == ["a"])
        #expect(corrector(prepared: nil) == ["b"])
        #expect(corrector(prepared: "a0") { $0.order(.pause, "a") } == ["b"])

        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2, adapters: true))
        fixture.hello(
            "a", copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: "a0", prepared: "a0")], threads: 8)
        fixture.hello("b", copies: [ShardCopy(shard: 1, manifest: "m1", prompts: 10, adapter: "a1")], threads: 16)
        fixture.feed(.ledgerChanged(quarantined()))
        let task = try #require(corrections(fixture).first)
        fixture.say(.failed(task: task.task, code: .storage, message: "no disk"), by: "a")
        #expect(task.worker == "a" && corrections(fixture).map(\.worker) == ["b"])
    }

    @Test("A quarantined adapter is corrected, published as approximate, and called so")
    func corrects() throws {
        var fixture = CoordinatorFixture(quarantined())
        fixture.hello("a")
        let task = try #require(corrections(fixture).first?.task)
        #expect(fixture.assignments.isEmpty && fixture.status.shards[0].state == .correcting)
        #expect(fixture.coordinator.activeAdapters.map(\.name) == ["a1"])
        // A trained adapter is no answer to it.
        fixture.say(CoordinatorFixture.report(task: task, shard: 0, manifest: "m0-after", adapter: "n"), by: "a")
        #expect(fixture.commands.isEmpty)
        let again = try #require(corrections(fixture).first?.task)
        fixture.say(report(again), by: "a")
        let publish = try #require(fixture.commands.first)
        fixture.feed(.ledger(publish.id, .committed(corrected(quarantined()))))
        let shard = fixture.status.shards[0]
        #expect(shard.state == .approximate && shard.exact == false && shard.method == "ifru")
        #expect(shard.approximateSince == 7 && shard.corrections == 1)
        fixture.wait(5000, beating: ["a"])
        #expect(fixture.assignments.allSatisfy { !$0.trains })
    }

    @Test(
        "A bridge: after its rows, where these carry weight, the approximate adapter serves while the shard is trained, then it is replaced"
    )
    func bridges() throws {
        var fixture = CoordinatorFixture(quarantined(bridge: true))
        fixture.hello("a")
        fixture.say(report(try #require(corrections(fixture).first?.task)), by: "a")
        let publish = try #require(fixture.commands.first)
        var published = corrected(quarantined(bridge: true), missingMargins: 8)
        published.weighsByRows = true
        fixture.feed(.ledger(publish.id, .committed(published)))
        #expect(fixture.assignments.isEmpty && fixture.status.shards[0].state == .bridged)
        let scored = corrected(quarantined(bridge: true))
        fixture.feed(.ledgerChanged(scored))
        let training = try #require(fixture.assignments.first)
        #expect(training.trains && training.manifest == "m0-after")
        #expect(fixture.coordinator.activeAdapters.map(\.name) == ["corrected", "a1"])
        fixture.say(
            CoordinatorFixture.report(task: training.task, shard: 0, manifest: "m0-after", adapter: "exact"), by: "a")
        var done = scored
        done.shards[0].adapter = LedgerSnapshot.Adapter(name: "exact", manifest: "m0-after", missingMargins: 0)
        done.shards[0].awaitsExact = false
        done.pendingForgets[0].waitingFor = []
        done.isTuned = true
        fixture.feed(.ledger(try #require(fixture.commands.first).id, .committed(done)))
        #expect(fixture.finishes == ["f"])
        #expect(fixture.status.shards[0].state == .current && fixture.status.shards[0].exact == true)
    }

    @Test("A correction that can never succeed is given up at once, and the shard is trained")
    func givesUp() throws {
        var fixture = CoordinatorFixture(quarantined())
        fixture.hello("a")
        let task = try #require(corrections(fixture).first?.task)
        fixture.say(
            .failed(task: task, code: CorrectionFallback.forgetSetTooLarge.code, message: "prompt 17 of person 4"),
            by: "a")
        let command = try #require(fixture.commands.first)
        #expect(
            command.command
                == .abandonCorrection(shard: 0, manifest: "m0-after", reason: .forgetSetTooLarge))
        // Nothing is begun until the ledger has dropped it.
        fixture.wait(2000, beating: ["a"])
        #expect(corrections(fixture).isEmpty && fixture.assignments.isEmpty)
        var after = quarantined()
        after.shards[0].correction = nil
        after.shards[0].fallback = .forgetSetTooLarge
        fixture.feed(.ledger(command.id, .committed(after)))
        #expect(fixture.assignments.map(\.trains) == [true])
        #expect(fixture.status.shards[0].fallback == CorrectionFallback.forgetSetTooLarge.description)
    }

    @Test("Other failures are tried again a bounded number of times")
    func triesAgain() throws {
        var fixture = CoordinatorFixture(quarantined())
        fixture.hello("a")
        var tries = 0
        while let task = corrections(fixture).first?.task {
            tries += 1
            fixture.say(.failed(task: task, code: ErrorCode(rawValue: "out-of-memory"), message: ""), by: "a")
        }
        #expect(tries == CoordinatorLimits.attempts)
        #expect(
            fixture.commands.map(\.command)
                == [.abandonCorrection(shard: 0, manifest: "m0-after", reason: .failed)])
    }

    @Test("A forget meanwhile calls the correction back, and it begins again towards the new data")
    func callsBack() throws {
        var fixture = CoordinatorFixture(quarantined())
        fixture.hello("a")
        let task = try #require(corrections(fixture).first?.task)
        var next = quarantined()
        next.shards[0].manifest = "m0-later"
        fixture.feed(.ledgerChanged(next))
        #expect(fixture.messages(to: "a").contains(.cancel(task: task)))
        #expect(corrections(fixture).map(\.manifest) == ["m0-later"])
        fixture.say(report(task), by: "a")
        #expect(fixture.commands.isEmpty)
    }

    @Test("Verification replays exact shards, names approximate ones, and is no success with them")
    func verifies() throws {
        var snapshot = corrected(quarantined())
        snapshot.pendingForgets = []
        snapshot.isTuned = true
        var fixture = CoordinatorFixture(snapshot)
        fixture.hello(
            "a",
            copies: [
                ShardCopy(shard: 0, manifest: "m0-after", prompts: 10, adapter: nil),
                ShardCopy(shard: 1, manifest: "m1", prompts: 10, adapter: "a1"),
            ])
        fixture.ask(.verify(.init(request: nil)), id: "v")
        let replays = fixture.actions.compactMap { action -> TaskID? in
            guard case .dispatch(_, .replay(let task, _, .shard(1, manifest: "m1"))) = action else { return nil }
            return task
        }
        #expect(replays.count == 1)
        fixture.say(
            CoordinatorFixture.report(task: try #require(replays.first), shard: -1, manifest: "m1", adapter: "a1"),
            by: "a")
        fixture.wait(250, beating: ["a"])
        fixture.ask(.operation(id: "v"), id: "poll")
        guard case .operation(_, .verification(let report)) = fixture.replies.first else {
            Issue.record("no verification")
            return
        }
        #expect(report.shards.map(\.match) == [true] && report.approximate.map(\.shard) == [0] && !report.allMatch)
    }

    @Test("Preparations are made when nothing else is to be done, one after another, and yield to a forget")
    func prepares() throws {
        let snapshot = CoordinatorFixture.snapshot(shards: 2, adapters: true)
        var fixture = CoordinatorFixture(snapshot, method: .ifru)
        fixture.hello(
            "a",
            copies: [0, 1].map {
                ShardCopy(shard: $0, manifest: "m\($0)", prompts: 10, adapter: "a\($0)")
            })
        let first = try #require(preparations(fixture).first)
        #expect(preparations(fixture).count == 1 && first.adapter == "a0")
        fixture.say(.prepared(task: first.task, shard: 0, adapter: "a0", seconds: 1), by: "a")
        let second = try #require(preparations(fixture).first)
        #expect(second.adapter == "a1")
        #expect(fixture.status.shards.map(\.prepared) == [true, false])
        var forgotten = quarantined()
        forgotten.shards[1] = snapshot.shards[1]
        fixture.feed(.ledgerChanged(forgotten))
        #expect(fixture.messages(to: "a").contains(.cancel(task: second.task)))
        #expect(corrections(fixture).count == 1)
        #expect(fixture.status.shards.map(\.prepared) == [false, false])
        // Nobody asked for preparations here.
        var plain = CoordinatorFixture(snapshot)
        plain.hello("a", copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: "a0")])
        plain.wait(2000, beating: ["a"])
        #expect(preparations(plain).isEmpty)
    }
}
