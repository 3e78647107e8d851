import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Recommendation
import Testing

@Suite("The coordinator and its clients")
struct CoordinatorOperationTests {
    private let forget = ClientRequest.forget(ClientRequest.ForgetRequest(users: ["u"], interactions: []))

    private func outcome(_ request: String, shards: [Int]) -> ForgetOutcome {
        ForgetOutcome(
            request: request, received: Date(timeIntervalSince1970: 0), counts: ForgetCounts(), shards: shards,
            waitingFor: shards, droppedAdapters: [], alreadyForgotten: 0)
    }

    /// The snapshot after a forget that touched shard 0.
    private func quarantined(_ request: String) -> LedgerSnapshot {
        var snapshot = CoordinatorFixture.snapshot(shards: 2, adapters: true)
        snapshot.shards[0].manifest = "m0-after"
        snapshot.shards[0].adapter = nil
        snapshot.shards[0].quarantinedSince = Date(timeIntervalSince1970: 0)
        snapshot.isTuned = false
        snapshot.pendingForgets = [
            LedgerSnapshot.PendingForget(id: request, received: Date(timeIntervalSince1970: 0), waitingFor: [0])
        ]
        return snapshot
    }

    @Test("A forget is answered only after its commit, and from then on the adapter does not answer")
    func forgetIsDurableFirst() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2, adapters: true))
        fixture.hello("a")
        fixture.ask(forget, id: "f")
        #expect(fixture.replies.isEmpty)
        let command = try #require(fixture.commands.first)
        // The same request again while it is being written: one command, both are answered.
        fixture.ask(forget, id: "f")
        #expect(fixture.commands.isEmpty)
        #expect(fixture.replies.isEmpty)
        fixture.feed(.ledger(command.id, .forgotten(outcome("f", shards: [0]), quarantined("f"))))
        #expect(fixture.coordinator.activeAdapters.map(\.name) == ["a1"])
        guard case .forgetAccepted(.running, let accepted) = fixture.replies.first else {
            Issue.record("no acceptance")
            return
        }
        #expect(accepted.request == "f")
        #expect(fixture.assignments.map(\.manifest) == ["m0-after"])
    }

    @Test("A forget that the ledger cannot write is refused, and may be asked again")
    func fullDisk() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2, adapters: true))
        fixture.ask(forget, id: "f")
        let command = try #require(fixture.commands.first)
        fixture.feed(.ledger(command.id, .failed(ClientError(code: .diskFull, message: "full"))))
        #expect(fixture.errors.map(\.code) == [.diskFull])
        fixture.ask(forget, id: "f")
        #expect(fixture.commands.count == 1)
    }

    @Test("A trained adapter waits for a full disk to have room")
    func publishIsRetried() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        let task = try #require(fixture.assignments.first?.task)
        fixture.say(CoordinatorFixture.report(task: task, shard: 0, manifest: "m0", adapter: "a0"), by: "a")
        let command = try #require(fixture.commands.first)
        fixture.feed(.ledger(command.id, .failed(ClientError(code: .diskFull, message: "full"))))
        fixture.wait(1500, beating: ["a"])
        #expect(fixture.assignments.isEmpty)
        #expect(fixture.commands.map(\.command) == [command.command])
    }

    @Test("A forget cancels the training of the old manifest and starts with the new one")
    func forgetDuringTraining() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        let old = try #require(fixture.assignments.first?.task)
        fixture.ask(forget, id: "f")
        let command = try #require(fixture.commands.first)
        var after = CoordinatorFixture.snapshot(shards: 1)
        after.shards[0].manifest = "m0-after"
        fixture.feed(.ledger(command.id, .forgotten(outcome("f", shards: [0]), after)))
        #expect(fixture.messages(to: "a").contains(.cancel(task: old)))
        #expect(fixture.assignments.map(\.manifest) == ["m0-after"])
        fixture.say(CoordinatorFixture.report(task: old, shard: 0, manifest: "m0", adapter: "a0"), by: "a")
        #expect(fixture.commands.isEmpty)
    }

    @Test("After a restart a pending forget goes on by itself and ends with evidence")
    func resume() throws {
        var fixture = CoordinatorFixture(quarantined("f"))
        fixture.hello("a")
        let assignment = try #require(fixture.assignments.first)
        #expect(assignment.trains)
        #expect(fixture.status.shards.map(\.state) == [.training, .current])
        fixture.ask(.operation(id: "f"), id: "poll")
        guard case .operation(let report, _) = fixture.replies.first else {
            Issue.record("the operation is not known")
            return
        }
        #expect(report.kind == "forget")
        #expect(report.state == .running)
    }

    @Test("The forget ends when workers at hand have deleted what they held")
    func waitsForCopies() throws {
        var fixture = CoordinatorFixture(quarantined("f"), doubleCheck: .share(0))
        fixture.hello("a")
        let task = try #require(fixture.assignments.first?.task)
        fixture.hello(
            "b", copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: nil)])
        #expect(fixture.messages(to: "b").contains(.release(shard: 0)))
        fixture.say(CoordinatorFixture.report(task: task, shard: 0, manifest: "m0-after", adapter: "n0"), by: "a")
        let publish = try #require(fixture.commands.first)
        var trained = quarantined("f")
        trained.shards[0].adapter = LedgerSnapshot.Adapter(name: "n0", manifest: "m0-after", missingMargins: 0)
        trained.shards[0].quarantinedSince = nil
        trained.pendingForgets[0].waitingFor = []
        trained.isTuned = true
        fixture.feed(.ledger(publish.id, .committed(trained)))
        #expect(fixture.finishes.isEmpty)
        #expect(fixture.status.pendingForgets.first?.unconfirmed.map(\.worker) == ["b"])
        fixture.say(.released(shard: 0), by: "b")
        #expect(fixture.finishes == ["f"])
    }

    @Test("Requests that make no sense now get clear errors")
    func clearErrors() {
        var empty = CoordinatorFixture.snapshot(shards: 2, requested: false)
        empty.trainingPrompts = 0
        empty.testPrompts = 0
        empty.hasData = false
        var fixture = CoordinatorFixture(empty)
        fixture.ask(.train, id: "1")
        #expect(fixture.errors.map(\.code) == [.noData])
        fixture.ask(.evaluate(.init(split: .test, compare: false)), id: "2")
        #expect(fixture.errors.map(\.code) == [.noData])
        fixture.ask(.verify(.init(request: nil)), id: "3")
        #expect(fixture.errors.map(\.code) == [.notTrained])
        fixture.ask(.operation(id: "nothing"), id: "4")
        guard case .unknownOperation("nothing") = fixture.replies.first else {
            Issue.record("the ledger is not asked")
            return
        }
        fixture.ask(.forget(.init(users: ["u"], interactions: [], method: "magic")), id: "5")
        #expect(fixture.errors.map(\.code) == [.methodNotAvailable])
        fixture.ask(.train, id: "")
        #expect(fixture.errors.map(\.code) == [.invalidRequest])
    }

    @Test("An id that was used for another request is refused")
    func conflict() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.ask(.train, id: "x")
        fixture.ask(.verify(.init(request: nil)), id: "x")
        #expect(fixture.errors.map(\.code) == [.requestConflict])
    }

    @Test("Requests wait for workers and say so")
    func waiting() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.ask(.train, id: "x")
        #expect(fixture.status.operations.map(\.progress) == ["waiting for a worker"])
        #expect(fixture.status.operations.map(\.state) == [.running])
    }

    @Test("Operations under way are bounded")
    func bounded() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        for index in 0...CoordinatorLimits.runningOperations { fixture.ask(.train, id: "\(index)") }
        #expect(fixture.errors.map(\.code) == [.busy])
    }

    @Test("A replay that gives other bytes is reported as a mismatch")
    func mismatch() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        fixture.hello("a", copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: "a0")])
        fixture.ask(.verify(.init(request: nil)), id: "v")
        let task = try #require(
            fixture.actions.compactMap { action -> TaskID? in
                guard case .dispatch(_, .replay(let task, _, .shard(0, manifest: "m0"))) = action else { return nil }
                return task
            }.first)
        fixture.say(CoordinatorFixture.report(task: task, shard: -1, manifest: "m0", adapter: "other"), by: "a")
        fixture.wait(250, beating: ["a"])
        fixture.ask(.operation(id: "v"), id: "poll")
        guard case .operation(_, .verification(let report)) = fixture.replies.first else {
            Issue.record("no verification")
            return
        }
        #expect(!report.allMatch)
        #expect(report.shards.map(\.replayed) == ["other"])
    }
}
