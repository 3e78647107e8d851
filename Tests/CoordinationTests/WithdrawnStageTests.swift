import ClusterTestSupport
import Coordination
import Messages
import Testing
import Unlearning

@Suite("A stage that answers, and that its worker takes back")
struct WithdrawnStageTests {
    /// "a" trains shard 0 again after a forget.
    private func training() throws -> (CoordinatorFixture, TaskID) {
        var fixture = CoordinatorFixture.inSlices(
            CoordinatorFixture.snapshot(shards: 1, adapters: true).forgotten(from: 0, by: "f"))
        fixture.hello("a")
        let task = try #require(fixture.assignments.first)
        #expect(task.trains)
        return (fixture, task.task)
    }

    private func offer(_ task: TaskID, _ fixture: inout CoordinatorFixture) throws -> LedgerCommandID {
        fixture.say(.staged(task: task, StageReportSamples.stage, adapter: [1]), by: "a")
        let command = try #require(fixture.commands.first)
        guard case .publish(0, _, _, "a") = command.command else {
            Issue.record("\(command.command)")
            return 0
        }
        return command.id
    }

    /// As the ledger has it once the stage answers.
    private func serving(_ snapshot: LedgerSnapshot) -> LedgerSnapshot {
        var snapshot = snapshot
        snapshot.shards[0].adapter = LedgerSnapshot.Adapter(
            name: "st", manifest: "slices", missingMargins: 0, trainer: "a", stage: 2)
        snapshot.shards[0].quarantinedSince = nil
        return snapshot
    }

    private let withdraw = LedgerCommand.withdrawStage(shard: 0, adapter: "st")

    @Test("It is taken away once, whether or not the ledger has it by then, and may be handed in again")
    func takenAway() throws {
        for isThere in [true, false] {
            var (fixture, task) = try training()
            let before = fixture.coordinator.snapshot
            let publish = try offer(task, &fixture)
            if isThere { fixture.feed(.ledger(publish, .committed(serving(before)))) }
            fixture.say(.withdrawn(task: task), by: "a")
            let command = try #require(fixture.commands.first)
            #expect(command.command == withdraw)
            fixture.say(.withdrawn(task: task), by: "a")
            #expect(fixture.commands.isEmpty)
            if !isThere { fixture.feed(.ledger(publish, .committed(serving(before)))) }
            fixture.feed(.ledger(command.id, .committed(before)))
            #expect(fixture.coordinator.activeAdapters.isEmpty)
            // The training goes on, and its stage comes again.
            #expect(fixture.status.shards.first?.adapter == nil)
            _ = try offer(task, &fixture)
        }
    }

    @Test("Where nobody trains the shard it is not called quarantined while the stage answers: queries use it")
    func state() {
        let before = CoordinatorFixture.snapshot(shards: 1, adapters: true).forgotten(from: 0, by: "f")
        var fixture = CoordinatorFixture.inSlices(serving(before))
        var shard: StatusReport.Shard? { fixture.status.shards.first }
        #expect(shard?.state == .outdated && shard?.stage == 2 && shard?.slices == 4 && shard?.exact == true)
        fixture.feed(.ledgerChanged(before))
        #expect(shard?.state == .quarantined && shard?.stage == nil)
        fixture.feed(.ledgerChanged(serving(before)))
        #expect(shard?.state == .outdated)
        fixture.hello("a")
        #expect(shard?.state == .training && shard?.stage == 2)
    }

    @Test("Who does not train the shard takes nothing back, and nothing but a stage is taken away")
    func foreign() throws {
        var (fixture, task) = try training()
        fixture.hello("b")
        let publish = try offer(task, &fixture)
        fixture.feed(.ledger(publish, .committed(serving(fixture.coordinator.snapshot))))
        fixture.say(.withdrawn(task: task), by: "b")
        fixture.say(.withdrawn(task: task + 90), by: "a")
        #expect(!fixture.commands.contains { $0.command == withdraw })
        fixture.feed(.ledgerChanged(fixture.coordinator.snapshot.trained(0, "n", by: "a")))
        fixture.say(.withdrawn(task: task), by: "a")
        #expect(!fixture.commands.contains { if case .withdrawStage = $0.command { true } else { false } })
    }

    @Test("Who offered it takes it back by name, also when the training has gone elsewhere", arguments: [true, false])
    func named(isThere: Bool) throws {
        var (fixture, task) = try training()
        fixture.hello("b")
        let publish = try offer(task, &fixture)
        if isThere { fixture.feed(.ledger(publish, .committed(serving(fixture.coordinator.snapshot)))) }
        for (worker, task, name) in [("b", task, "st"), ("a", task + 90, "other"), ("a", task, "other")] {
            fixture.say(.withdrawn(task: task, stage: name), by: worker)
            #expect(!fixture.commands.contains { $0.command == withdraw }, "\(worker), \(task), \(name)")
        }
        fixture.say(.withdrawn(task: task + 90, stage: "st"), by: "a")
        #expect(fixture.commands.map(\.command) == [withdraw])
        fixture.say(.withdrawn(task: task, stage: "st"), by: "a")
        #expect(!fixture.commands.contains { $0.command == withdraw })
    }

    @Test("Whoever has the shard's data, and so may have gone on from it, takes it back by name as well")
    func heir() throws {
        var (fixture, task) = try training()
        let publish = try offer(task, &fixture)
        fixture.feed(.ledger(publish, .committed(serving(fixture.coordinator.snapshot))))
        fixture.hello("b", copies: [.of(0, "m0-after", stages: ["s1"])])
        fixture.say(.withdrawn(task: task + 90, stage: "other"), by: "b")
        #expect(!fixture.commands.contains { $0.command == withdraw })
        fixture.say(.withdrawn(task: task + 90, stage: "st"), by: "b")
        #expect(fixture.commands.map(\.command) == [withdraw])
    }

    @Test("One that is offered anew while the ledger is yet to take it away is taken back once more")
    func twice() throws {
        var (fixture, task) = try training()
        _ = try offer(task, &fixture)
        fixture.say(.withdrawn(task: task), by: "a")
        #expect(fixture.commands.map(\.command) == [withdraw])
        _ = try offer(task, &fixture)
        fixture.say(.withdrawn(task: task), by: "a")
        #expect(fixture.commands.map(\.command) == [withdraw])
        fixture.say(.withdrawn(task: task), by: "a")
        #expect(fixture.commands.isEmpty)
    }

    @Test("It answers no more from when its worker says so, however long the ledger takes to write that")
    func atOnce() throws {
        var (fixture, task) = try training()
        let before = fixture.coordinator.snapshot
        let publish = try offer(task, &fixture)
        fixture.feed(.ledger(publish, .committed(serving(before))))
        #expect(fixture.coordinator.activeAdapters.map(\.name) == ["st"] && !fixture.isWithdrawn)
        fixture.say(.withdrawn(task: task), by: "a")
        let command = try #require(fixture.commands.first)
        for _ in 0..<3 {
            #expect(fixture.coordinator.activeAdapters.isEmpty && fixture.isWithdrawn)
            let shard = try #require(fixture.status.shards.first)
            #expect(shard.adapter == nil && shard.stage == nil && shard.exact == nil)
            fixture.feed(.ledger(command.id, .failed(ClientError(code: .diskFull, message: "no space"))))
            fixture.wait(8000, beating: ["a"])
        }
        fixture.feed(.ledger(command.id, .committed(before)))
        #expect(fixture.coordinator.activeAdapters.isEmpty && !fixture.isWithdrawn)
        let again = try offer(task, &fixture)
        fixture.feed(.ledger(again, .committed(serving(before))))
        #expect(fixture.coordinator.activeAdapters.map(\.name) == ["st"])
    }

    @Test("A ledger that cannot do it yet is asked again, as long as the stage answers, and status says so")
    func again() throws {
        var (fixture, task) = try training()
        let publish = try offer(task, &fixture)
        fixture.feed(.ledger(publish, .committed(serving(fixture.coordinator.snapshot))))
        fixture.say(.withdrawn(task: task), by: "a")
        let command = try #require(fixture.commands.first)
        fixture.feed(.ledger(command.id, .failed(ClientError(code: .diskFull, message: "no space"))))
        #expect(fixture.status.stuck.map(\.kind) == ["withdraw"])
        fixture.wait(2000, beating: ["a"])
        #expect(fixture.commands.map(\.command) == [withdraw])
        fixture.feed(.ledger(command.id, .failed(ClientError(code: .diskFull, message: "no space"))))
        fixture.feed(.ledgerChanged(fixture.coordinator.snapshot.trained(0, "n", by: "a")))
        fixture.wait(8000, beating: ["a"])
        #expect(!fixture.commands.contains { $0.command == withdraw } && fixture.status.stuck.isEmpty)
    }

    @Test(
        "One that was committed and could not be read is taken away all the same, and not put back",
        arguments: [true, false])
    func unread(isTakenBackFirst: Bool) throws {
        var (fixture, task) = try training()
        let before = fixture.coordinator.snapshot
        let publish = try offer(task, &fixture)
        let unread = LedgerOutcome.failed(ClientError(code: .unread, message: "i/o"))
        let full = LedgerOutcome.failed(ClientError(code: .diskFull, message: "no space"))
        if !isTakenBackFirst { fixture.feed(.ledger(publish, unread)) }
        fixture.say(.withdrawn(task: task), by: "a")
        let command = try #require(fixture.commands.first)
        #expect(command.command == withdraw)
        if isTakenBackFirst { fixture.feed(.ledger(publish, unread)) }
        for _ in 0..<3 {
            fixture.feed(.ledger(command.id, full))
            fixture.wait(8000, beating: ["a"])
            #expect(fixture.commands.map(\.command) == [withdraw])
        }
        fixture.feed(.ledger(command.id, .committed(before)))
        fixture.wait(8000, beating: ["a"])
        #expect(fixture.commands.isEmpty && fixture.coordinator.activeAdapters.isEmpty)
    }

    @Test("It is taken away no more once the ledger is seen to have something else", arguments: [true, false])
    func seen(isServing: Bool) throws {
        var (fixture, task) = try training()
        let before = fixture.coordinator.snapshot
        let publish = try offer(task, &fixture)
        fixture.say(.withdrawn(task: task), by: "a")
        let command = try #require(fixture.commands.first)
        fixture.feed(.ledger(publish, .failed(ClientError(code: .unread, message: "i/o"))))
        fixture.feed(.ledger(command.id, .failed(ClientError(code: .diskFull, message: "no space"))))
        fixture.feed(.ledgerChanged(isServing ? serving(before) : before))
        #expect(fixture.coordinator.activeAdapters.isEmpty)
        fixture.wait(8000, beating: ["a"])
        #expect(fixture.commands.contains { $0.command == withdraw } == isServing)
    }
}

extension CoordinatorFixture {
    fileprivate var isWithdrawn: Bool { coordinator.isWithdrawn("st", stage: 2, of: 0) }
}
