import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing
import Unlearning

@Suite("Whoever may have the stage that answers is asked for it, for as long as nothing answers and a request waits")
struct AskedStageTests {
    private static let full = ClientError(code: .diskFull, message: "no space")

    /// "a" trains shard 0 again after a forget, and its copy is up to date.
    private func training() throws -> (CoordinatorFixture, TaskID) {
        let before = CoordinatorFixture.snapshot(shards: 1, adapters: true)
        var fixture = CoordinatorFixture.inSlices(before)
        fixture.hello("a", copies: [.of(0, "m0", stages: ["s1"])])
        fixture.feed(.ledgerChanged(before.forgotten(from: 0, by: "f")))
        let task = try #require(fixture.assignments.first)
        #expect(task.trains)
        fixture.say(.holds(.of(0, "m0-after", stages: ["s1"])), by: "a")
        #expect(fixture.assignments.isEmpty)
        return (fixture, task.task)
    }

    private func offered(_ task: TaskID, _ fixture: inout CoordinatorFixture) throws -> LedgerCommandID {
        fixture.say(.staged(task: task, StageReportSamples.stage, adapter: [1]), by: "a")
        return try #require(fixture.publication)
    }

    /// As the ledger has it once a stage answers for the shard.
    private func serving(_ snapshot: LedgerSnapshot, shard: Int = 0) -> LedgerSnapshot {
        var snapshot = snapshot
        snapshot.shards[shard].adapter = LedgerSnapshot.Adapter(
            name: "st", manifest: "slices", missingMargins: 0, trainer: "a", stage: 2)
        snapshot.shards[shard].quarantinedSince = nil
        return snapshot
    }

    @Test("One that the full disk of the coordinator has no room for is written as soon as there is some")
    func fullDisk() throws {
        var (fixture, task) = try training()
        let publish = try offered(task, &fixture)
        for round in 1...3 {
            fixture.feed(.ledger(publish, .failed(Self.full)))
            // The training goes on meanwhile.
            fixture.say(
                .progress(
                    .init(task: task, step: round, steps: 99, loss: 0, tokensPerSecond: 1, secondsRemaining: 1)),
                by: "a")
            fixture.wait(40_000, beating: ["a"])
            #expect(fixture.publication == publish && !fixture.messages(to: "a").contains(.cancel(task: task)))
        }
        fixture.feed(.ledger(publish, .committed(serving(fixture.coordinator.snapshot))))
        #expect(fixture.coordinator.activeAdapters.map(\.name) == ["st"])
    }

    @Test("It is not tried again once something else answers, or its worker has taken it back")
    func noLongerWanted() throws {
        for isTakenBack in [true, false] {
            var (fixture, task) = try training()
            let publish = try offered(task, &fixture)
            fixture.feed(.ledger(publish, .failed(Self.full)))
            if isTakenBack {
                fixture.say(.withdrawn(task: task, stage: "st"), by: "a")
                for command in fixture.commands { fixture.feed(.ledger(command.id, .failed(Self.full))) }
            } else {
                fixture.feed(.ledgerChanged(fixture.coordinator.snapshot.trained(0, "n", by: "a")))
            }
            fixture.wait(40_000, beating: ["a"])
            #expect(fixture.publication == nil, "taken back: \(isTakenBack)")
        }
    }

    @Test("One that is taken back while it is being written is not tried again, and may be offered anew")
    func takenBackUnderWay() throws {
        var (fixture, task) = try training()
        let publish = try offered(task, &fixture)
        fixture.say(.withdrawn(task: task, stage: "st"), by: "a")
        let withdraw = try #require(fixture.commands.first).id
        fixture.feed(.ledger(publish, .failed(Self.full)))
        fixture.feed(.ledger(withdraw, .committed(fixture.coordinator.snapshot)))
        fixture.wait(40_000, beating: ["a"])
        #expect(fixture.publication == nil)
        #expect(try offered(task, &fixture) != publish)
    }

    @Test("When what answered is damaged, whoever trains the shard is told its task again, once")
    func damaged() throws {
        var (fixture, task) = try training()
        let waiting = fixture.coordinator.snapshot
        let publish = try offered(task, &fixture)
        fixture.feed(.ledger(publish, .committed(serving(waiting))))
        #expect(fixture.assignments.isEmpty)
        fixture.feed(.ledgerChanged(waiting))
        let asked = fixture.assignments
        #expect(asked.map(\.task) == [task] && asked.map(\.trains) == [true] && asked.map(\.worker) == ["a"])
        fixture.wait(20_000, beating: ["a"])
        #expect(fixture.assignments.isEmpty)
        // It answers again, and is lost again.
        let again = try offered(task, &fixture)
        fixture.feed(.ledger(again, .committed(serving(waiting))))
        fixture.feed(.ledgerChanged(waiting))
        #expect(fixture.assignments.map(\.task) == [task])
    }

    @Test("A worker whose answer crosses the task that is said again is told not to begin anew with it")
    func crossing() throws {
        for isAsked in [true, false] {
            var (fixture, task) = try training()
            let waiting = fixture.coordinator.snapshot
            if isAsked {
                let again = try offered(task, &fixture)
                fixture.feed(.ledger(again, .committed(serving(waiting))))
                fixture.feed(.ledgerChanged(waiting))
                #expect(fixture.assignments.map(\.task) == [task])
            }
            fixture.say(.failed(task: task, code: .notFinite, message: "the loss is none"), by: "a")
            #expect(fixture.messages(to: "a").contains(.cancel(task: task)) == isAsked)
        }
    }

    @Test("What is made whole of a task that is said again is not sent once its worker has ended it")
    func endedMeanwhile() throws {
        var (fixture, task) = try training()
        let waiting = fixture.coordinator.snapshot
        let again = try offered(task, &fixture)
        fixture.feed(.ledger(again, .committed(serving(waiting))))
        fixture.feed(.ledgerChanged(waiting))
        let said = try #require(
            fixture.actions.lazy.compactMap { action -> Dispatch? in
                guard case .dispatch(_, let dispatch) = action, dispatch.task == task else { return nil }
                return dispatch
            }.first)
        #expect(fixture.coordinator.isUnderWay(said))
        fixture.say(.failed(task: task, code: .notFinite, message: "the loss is none"), by: "a")
        #expect(!fixture.coordinator.isUnderWay(said))
        // These have ids of their own.
        #expect(fixture.coordinator.isUnderWay(.noStage(task: task + 1000, shard: 0)))
    }

    @Test("What is offered and taken back again and again is written a few times, then asked for once a minute")
    func pace() throws {
        var (fixture, task) = try training()
        let waiting = fixture.coordinator.snapshot
        /// Whether it answered.
        func answers() throws -> Bool {
            fixture.say(.staged(task: task, StageReportSamples.stage, adapter: [1]), by: "a")
            guard let publish = fixture.publication else { return false }
            fixture.feed(.ledger(publish, .committed(serving(waiting))))
            fixture.say(.withdrawn(task: task, stage: "st"), by: "a")
            let withdraw = try #require(fixture.commands.first)
            fixture.feed(.ledger(withdraw.id, .committed(waiting)))
            return true
        }
        let first = try (0..<20).map { _ in try answers() }
        #expect(first == (0..<20).map { $0 < 5 })
        fixture.wait(30_000, beating: ["a"])
        #expect(fixture.assignments.isEmpty)
        fixture.say(
            .progress(.init(task: task, step: 1, steps: 99, loss: 0, tokensPerSecond: 1, secondsRemaining: 1)), by: "a")
        fixture.wait(31_000, beating: ["a"])
        #expect(fixture.assignments.map(\.task) == [task])
        let later = try (0..<3).map { _ in try answers() }
        #expect(later == [true, false, false])
    }

    @Test("What the ledger does not take is not asked for again and again")
    func refused() throws {
        for code in [ErrorCode.invalid, .stale] {
            var (fixture, task) = try training()
            let publish = try offered(task, &fixture)
            fixture.feed(.ledger(publish, .failed(ClientError(code: code, message: "it is none"))))
            #expect(fixture.assignments.isEmpty)
            fixture.wait(20_000, beating: ["a"])
            #expect(fixture.assignments.isEmpty && fixture.publication == nil)
        }
    }

    @Test("A training that nobody waited for when it began is told so, when a request takes the old adapter away")
    func begunForNobody() throws {
        var before = CoordinatorFixture.snapshot(shards: 1, adapters: true)
        // An import has come: the old adapter answers until the new one is there.
        before.shards[0].manifest = "m0-more"
        var fixture = CoordinatorFixture.inSlices(before)
        fixture.hello("a", copies: [.of(0, "m0-more", stages: ["s1"])])
        let task = try #require(fixture.assignments.first)
        #expect(task.trains)
        fixture.say(.staged(task: task.task, StageReportSamples.stage, adapter: [1]), by: "a")
        #expect(fixture.publication == nil)
        var after = before.forgotten(from: 0, by: "f")
        after.shards[0].manifest = "m0-more"
        fixture.feed(.ledgerChanged(after))
        #expect(fixture.assignments.map(\.task) == [task.task])
        _ = try offered(task.task, &fixture)
    }

    @Test("While it still waits for its data a worker is not told the same task again")
    func withoutData() throws {
        var before = CoordinatorFixture.snapshot(shards: 1, adapters: true)
        before.shards[0].manifest = "m0-more"
        var fixture = CoordinatorFixture.inSlices(before)
        fixture.hello("a", copies: [.of(0, "m0")])
        let task = try #require(fixture.assignments.first)
        var after = before.forgotten(from: 0, by: "f")
        after.shards[0].manifest = "m0-more"
        fixture.feed(.ledgerChanged(after))
        #expect(fixture.assignments.isEmpty)
        fixture.say(.holds(.of(0, "m0-more", stages: ["s1"])), by: "a")
        #expect(fixture.assignments.map(\.task) == [task.task])
    }

    /// After a restart "a" goes on training shard 0, and shard 1, of which it has the present data, waits for its turn.
    private func restarted(
        _ policy: ClusterConfiguration.WhileRetraining = .stage, stages: [String]? = ["t1"]
    ) -> CoordinatorFixture {
        let snapshot = CoordinatorFixture.snapshot(shards: 2, adapters: true)
            .forgotten(from: 0, by: "f").forgotten(from: 1, by: "g")
        var fixture = CoordinatorFixture.inSlices(snapshot, whileRetraining: policy)
        fixture.hello(
            "a", copies: [.of(0, "m0-after", stages: ["s1"]), .of(1, "m1-after", stages: stages)])
        return fixture
    }

    @Test("A waiting shard whose copy is up to date already is asked for once after a restart")
    func afterRestart() throws {
        var fixture = restarted()
        #expect(fixture.assignments.filter(\.trains).map(\.shard) == [0])
        let copy = try #require(fixture.assignments.first { !$0.trains })
        #expect(copy.shard == 1 && copy.manifest == "m1-after" && copy.worker == "a")
        fixture.say(.staged(task: copy.task, StageReportSamples.stage, adapter: [1]), by: "a")
        let publish = try #require(fixture.publication)
        fixture.say(.holds(.of(1, "m1-after", stages: ["t1"])), by: "a")
        fixture.feed(.ledger(publish, .committed(serving(fixture.coordinator.snapshot, shard: 1))))
        #expect(fixture.coordinator.activeAdapters.map(\.name) == ["st"])
    }

    @Test("One whose worker has nothing to offer is asked once, and again when that is here anew")
    func nothingToOffer() throws {
        var fixture = restarted()
        let training = try #require(fixture.assignments.first { $0.trains }).task
        #expect(fixture.assignments.filter { !$0.trains }.map(\.shard) == [1])
        fixture.say(.holds(.of(1, "m1-after", stages: ["t1"])), by: "a")
        fixture.wait(20_000, beating: ["a"])
        #expect(fixture.assignments.isEmpty)
        fixture.hello(
            "a", copies: [.of(0, "m0-after", stages: ["s1"]), .of(1, "m1-after", stages: ["t1"])],
            work: [HeldTask(task: training)])
        #expect(fixture.assignments.filter { !$0.trains }.map(\.shard) == [1])
    }

    @Test("Where nothing is to answer, and where the worker has no stage, nobody is asked")
    func notAsked() {
        for fixture in [restarted(.quarantine), restarted(stages: nil)] {
            #expect(fixture.assignments.filter { !$0.trains }.isEmpty)
        }
    }

    @Test("Nobody is asked for more while the ledger cannot keep what comes of it")
    func heldBack() throws {
        var fixture = restarted()
        let copy = try #require(fixture.assignments.first { !$0.trains })
        fixture.say(.staged(task: copy.task, StageReportSamples.stage, adapter: [1]), by: "a")
        let publish = try #require(fixture.publication)
        fixture.feed(.ledger(publish, .failed(Self.full)))
        fixture.hello("a", copies: [.of(0, "m0-after", stages: ["s1"]), .of(1, "m1-after", stages: ["t1"])])
        #expect(fixture.assignments.isEmpty)
        fixture.wait(40_000, beating: ["a"])
        #expect(fixture.publication == publish)
    }
}

extension CoordinatorFixture {
    /// The publication among the last commands.
    fileprivate var publication: LedgerCommandID? {
        commands.last { if case .publish = $0.command { true } else { false } }?.id
    }
}
