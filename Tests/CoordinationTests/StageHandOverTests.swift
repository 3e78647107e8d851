import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing
import Unlearning

@Suite("Whoever takes a shard over gets its stages")
struct StageHandOverTests {
    private static let training = {
        var training = CoordinatorFixture.specification
        training.slices = 4
        return training
    }()

    private func copy(_ manifest: String = "m0", _ stages: [String]? = ["s1", "s2"]) -> ShardCopy {
        ShardCopy(shard: 0, manifest: manifest, prompts: 10, adapter: nil, stages: stages)
    }

    /// Worker "a" has the only shard, which is trained, and its stages; "b" has nothing.
    private func started(_ snapshot: LedgerSnapshot? = nil) -> CoordinatorFixture {
        var fixture = CoordinatorFixture(
            snapshot ?? CoordinatorFixture.snapshot(shards: 1, adapters: true), training: Self.training)
        fixture.hello("a", copies: [copy()])
        fixture.wait(4000, beating: ["a"])
        fixture.hello("b")
        return fixture
    }

    /// Drained, and "b" has the data and asks for the stages.
    private func drained() throws -> CoordinatorFixture {
        var fixture = started()
        fixture.order(.drain, "a")
        #expect(!fixture.isReleased("a"))
        fixture.wait(4000, beating: ["a", "b"])
        let task = try #require(fixture.assignments.first)
        #expect(task.worker == "b" && !task.trains && !fixture.isReleased("a"))
        fixture.say(.holds(copy("m0", nil)), by: "b")
        #expect(!fixture.isReleased("a"))
        fixture.say(.wants(shard: 0, manifest: "m0", stages: ["s3", "s2", "s1"]), by: "b")
        return fixture
    }

    @Test("A drained worker hands all of its stages on, last slice first, and only then deletes its copy")
    func draining() throws {
        var fixture = try drained()
        for name in ["s2", "s1"] {
            let hand = try #require(fixture.hands.first)
            #expect(hand.worker == "a" && hand.name == name && !fixture.isReleased("a"))
            fixture.say(.handed(task: hand.task, .of(name)), by: "a")
            #expect(fixture.stagesSent(to: "b").first == name && fixture.hands.isEmpty)
            // The next one is asked for when it is there: no more than one waits for a slow worker.
            if name == "s2" { fixture.say(.holds(copy("m0", ["s2"])), by: "b") }
        }
        #expect(fixture.stagesSent(to: "b") == ["s1", ""])
        fixture.wait(250, beating: ["a", "b"])
        let released = fixture.isReleased("a")
        fixture.say(.holds(copy()), by: "b")
        #expect(released || fixture.isReleased("a"))
    }

    @Test("A worker that hands nothing on, fails to, or is gone, is waited for as long as is said")
    func silent() throws {
        var fixture = try drained()
        #expect(fixture.hands.count == 1)
        fixture.wait(290_000, beating: ["a", "b"])
        #expect(fixture.stagesSent(to: "b").isEmpty && !fixture.isReleased("a"))
        fixture.wait(15_000, beating: ["a", "b"])
        #expect(fixture.stagesSent(to: "b") == [""] && fixture.isReleased("a"))

        fixture = try drained()
        for name in ["s2", "s1"] {
            let hand = try #require(fixture.hands.first)
            #expect(hand.name == name)
            fixture.say(.failed(task: hand.task, code: .notHeld, message: "gone"), by: "a")
        }
        #expect(fixture.stagesSent(to: "b") == [""])

        // One that has gone may come again, for as long as its work is kept for it.
        fixture = try drained()
        fixture.feed(.unreachable(peer: fixture.peer("a")))
        #expect(fixture.stagesSent(to: "b").isEmpty)
        fixture.wait(11_000, beating: ["b"])
        #expect(fixture.stagesSent(to: "b") == [""])
    }

    @Test("One that misses its beats is asked anew, on the same connection or another", arguments: [true, false])
    func heardAgain(isConnected: Bool) throws {
        var fixture = try drained()
        let first = try #require(fixture.hands.first)
        if !isConnected { fixture.feed(.unreachable(peer: fixture.peer("a"))) }
        fixture.wait(5000, beating: ["b"])
        #expect(fixture.stagesSent(to: "b").isEmpty && fixture.hands.isEmpty)
        if isConnected { fixture.say(.heartbeat, by: "a") } else { fixture.hello("a", copies: [copy()]) }
        var hands = fixture.hands
        if hands.isEmpty {
            fixture.wait(250, beating: ["a", "b"])
            hands = fixture.hands
        }
        let again = try #require(hands.first)
        #expect(again.worker == "a" && again.name == "s2" && again.task != first.task && !fixture.isReleased("a"))
        fixture.say(.handed(task: again.task, .of("s2")), by: "a")
        #expect(fixture.stagesSent(to: "b") == ["s2"])
    }

    @Test("A stage of which bytes keep coming is waited for longer, and not for ever")
    func slow() throws {
        for (rounds, isInTime) in [(12, true), (18, false)] {
            var fixture = try drained()
            let hand = try #require(fixture.hands.first)
            var told: [String] = []
            for _ in 0..<rounds {
                fixture.wait(20_000, beating: ["a", "b"])
                told += fixture.stagesSent(to: "b")
                fixture.feed(.alive(peer: fixture.peer("a")))
                told += fixture.stagesSent(to: "b")
            }
            fixture.say(.handed(task: hand.task, .of("s2")), by: "a")
            #expect(told + fixture.stagesSent(to: "b") == [isInTime ? "s2" : ""], "\(rounds)")
        }
    }

    @Test("What is handed on too late, by another worker or under another name goes nowhere")
    func foreign() throws {
        var fixture = try drained()
        let hand = try #require(fixture.hands.first)
        fixture.say(.handed(task: hand.task, .of("s2")), by: "b")
        fixture.say(.handed(task: hand.task, .of("s9")), by: "a")
        fixture.say(.handed(task: hand.task + 50, .of("s2")), by: "a")
        #expect(fixture.stagesSent(to: "b").isEmpty)
        // Somebody is forgotten meanwhile: what was asked for is not of the data of now.
        var after = fixture.coordinator.snapshot
        after.shards[0].manifest = "m0-after"
        fixture.feed(.ledgerChanged(after))
        #expect(fixture.stagesSent(to: "b") == [""])
        fixture.say(.handed(task: hand.task, .of("s2")), by: "a")
        #expect(fixture.stagesSent(to: "b").isEmpty)
        fixture.say(.wants(shard: 0, manifest: "m0", stages: ["s2"]), by: "b")
        #expect(fixture.stagesSent(to: "b") == [""] && fixture.hands.isEmpty)
    }

    @Test("A paused worker drops at once what a forget takes, and what is left of its stages goes to whoever trains")
    func forgotten() throws {
        var fixture = started()
        fixture.order(.pause, "a")
        var after = fixture.coordinator.snapshot
        after.shards[0].manifest = "m0-after"
        after.shards[0].adapter = nil
        after.shards[0].quarantinedSince = Date(timeIntervalSince1970: 0)
        fixture.feed(.ledgerChanged(after))
        let trim = try #require(fixture.hands.first)
        #expect(trim.worker == "a" && trim.name == "none" && !fixture.isReleased("a"))
        var task = fixture.assignments.first
        if task == nil {
            fixture.wait(1000, beating: ["a", "b"])
            task = fixture.assignments.first
        }
        #expect(task?.worker == "b" && task?.trains == true)
        fixture.say(.holds(copy("m0-after", ["s1"])), by: "a")
        fixture.say(.failed(task: trim.task, code: .notHeld, message: ""), by: "a")
        fixture.say(.holds(copy("m0-after", nil)), by: "b")
        fixture.say(.wants(shard: 0, manifest: "m0-after", stages: ["n2", "s1"]), by: "b")
        let hand = try #require(fixture.hands.first)
        #expect(hand.worker == "a" && hand.name == "s1")
        fixture.say(.handed(task: hand.task, .of("s1")), by: "a")
        #expect(fixture.stagesSent(to: "b") == ["s1", ""])
        // It stays until it is known to be there.
        fixture.wait(250, beating: ["a", "b"])
        #expect(!fixture.isReleased("a"))
        fixture.say(.holds(copy("m0-after", ["s1"])), by: "b")
        #expect(fixture.isReleased("a"))
    }

    @Test("A worker that does not say what it dropped is told to delete everything")
    func unanswered() {
        var fixture = started()
        fixture.order(.pause, "a")
        var after = fixture.coordinator.snapshot
        after.shards[0].manifest = "m0-after"
        fixture.feed(.ledgerChanged(after))
        #expect(fixture.hands.count == 1)
        fixture.wait(29_000, beating: ["a", "b"])
        #expect(!fixture.isReleased("a"))
        fixture.wait(2000, beating: ["a", "b"])
        #expect(fixture.isReleased("a"))
    }

    @Test("A copy without stages, or that nobody can take them from, goes as it always did")
    func nothingToHand() {
        var fixture = CoordinatorFixture(
            CoordinatorFixture.snapshot(shards: 1, adapters: true), training: Self.training)
        fixture.hello("a", copies: [copy("m0", nil)])
        fixture.wait(4000, beating: ["a"])
        fixture.hello("b")
        fixture.order(.drain, "a")
        #expect(fixture.isReleased("a"))
        fixture = CoordinatorFixture(
            CoordinatorFixture.snapshot(shards: 1, adapters: true), training: Self.training)
        fixture.hello("a", copies: [copy()])
        fixture.order(.drain, "a")
        #expect(fixture.isReleased("a"))
    }

    @Test("Who trains for comparison takes nothing from anybody: an answer that began in the middle is refused")
    func independent() throws {
        var fixture = CoordinatorFixture(
            CoordinatorFixture.snapshot(shards: 1, adapters: true), doubleCheck: .share(0), training: Self.training)
        fixture.hello("a", copies: [copy()])
        fixture.ask(.verify(.init(request: nil)), id: "v")
        var report = TrainingReport(
            adapter: "a0", manifest: "m0", prompts: 10, specification: Self.training, steps: 1, tokens: 1, seconds: 1,
            computeSeconds: 1, epochLosses: [], slices: SlicesReport(count: 4, first: 3, tokens: 1))
        for (first, isTaken) in [(3, false), (1, true)] {
            let replay = fixture.actions.compactMap { action -> TaskID? in
                guard case .dispatch(_, .replay(let task, _, _)) = action else { return nil }
                return task
            }
            report.slices?.first = first
            fixture.say(.trained(task: try #require(replay.first), report, adapter: [1]), by: "a")
            let again = fixture.actions
            fixture.ask(.operation(id: "v"), id: "v")
            let hasEnded = fixture.replies.contains {
                if case .operation(_, .verification?) = $0 { true } else { false }
            }
            #expect(hasEnded == isTaken)
            fixture.actions = again
        }
    }
}
