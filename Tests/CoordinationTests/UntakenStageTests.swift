import ClusterTestSupport
import Coordination
import Messages
import Testing
import Unlearning

@Suite("Stages that are sent to a worker and not taken")
struct UntakenStageTests {
    private let everybody = ["a", "b", "c"]

    /// "b" trains shard 0; "a" and "c" are paused and have its stages.
    private func training() throws -> (CoordinatorFixture, TaskID) {
        var fixture = CoordinatorFixture.inSlices(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("b")
        let task = try #require(fixture.assignments.first)
        #expect(task.trains)
        for name in ["a", "c"] {
            fixture.hello(name, copies: [.of(0, "m0", stages: ["s1", "s2"])])
            fixture.order(.pause, name)
            #expect(!fixture.isReleased(name))
        }
        fixture.say(.holds(.of(0, "m0")), by: "b")
        fixture.say(.wants(shard: 0, manifest: "m0", stages: ["s2", "s1"]), by: "b")
        return (fixture, task.task)
    }

    /// Whoever is asked hands it on.
    ///
    /// - Returns: who was asked.
    private func handOn(_ name: String, _ fixture: inout CoordinatorFixture) throws -> String {
        let hand = try #require(fixture.hands.first)
        #expect(hand.name == name)
        fixture.say(.handed(task: hand.task, .of(name)), by: hand.worker)
        #expect(fixture.stagesSent(to: "b").first == name)
        return hand.worker
    }

    private func begin(_ task: TaskID, step: Int = 1, _ fixture: inout CoordinatorFixture) {
        fixture.say(
            .progress(.init(task: task, step: step, steps: 9, loss: 0, tokensPerSecond: 1, secondsRemaining: 1)),
            by: "b")
    }

    @Test("A full disk at a worker that trains: another holder is asked once, then nobody, and the training goes on")
    func fullDisk() throws {
        var (fixture, task) = try training()
        // Its disk takes none: it begins at once, and says so of its steps alone.
        let first = try handOn("s2", &fixture)
        begin(task, &fixture)
        fixture.wait(29_000, beating: everybody)
        #expect(fixture.hands.isEmpty && fixture.stagesSent(to: "b").isEmpty)
        fixture.wait(1500, beating: everybody)
        let second = try handOn("s2", &fixture)
        #expect(Set([first, second]) == ["a", "c"])
        begin(task, step: 2, &fixture)
        fixture.wait(31_000, beating: everybody)
        #expect(fixture.hands.isEmpty && fixture.stagesSent(to: "b") == [""])
        // Nobody keeps anything for it any more, and what it trained is taken.
        #expect(fixture.isReleased("a") && fixture.isReleased("c"))
        begin(task, step: 3, &fixture)
        fixture.wait(40_000, beating: everybody)
        #expect(fixture.assignments.isEmpty && fixture.stagesSent(to: "b").isEmpty && fixture.hands.isEmpty)
        var report = StageReportSamples.whole
        report.manifest = "m0"
        fixture.say(.trained(task: task, report, adapter: [1]), by: "b")
        #expect(fixture.commands.contains { if case .publish(0, _, _, "b") = $0.command { true } else { false } })
    }

    @Test("What is taken gives the next one its time")
    func taken() throws {
        var (fixture, task) = try training()
        _ = try handOn("s2", &fixture)
        fixture.wait(29_000, beating: everybody)
        fixture.say(.holds(.of(0, "m0", stages: ["s2"])), by: "b")
        let hand = try #require(fixture.hands.first)
        #expect(hand.name == "s1")
        begin(task, &fixture)
        // It comes more than 45 s after the first was wanted.
        fixture.wait(20_000, beating: everybody)
        #expect(fixture.stagesSent(to: "b").isEmpty)
        fixture.say(.handed(task: hand.task, .of("s1")), by: hand.worker)
        #expect(fixture.stagesSent(to: "b") == ["s1", ""])
    }
}

enum StageReportSamples {
    /// Of a training in four slices from the start.
    static var whole: TrainingReport {
        var training = CoordinatorFixture.specification
        training.slices = 4
        return TrainingReport(
            adapter: "n", manifest: "m", prompts: 10, specification: training, steps: 1, tokens: 1, seconds: 1,
            computeSeconds: 1, epochLosses: [], slices: SlicesReport(count: 4, first: 1, tokens: 1))
    }

    /// Of the stage after slice 2.
    static var stage: TrainingReport {
        var report = whole
        (report.adapter, report.manifest, report.prompts) = ("st", "slices", 5)
        report.slices = SlicesReport(count: 4, first: 3, tokens: 0, stage: 2)
        return report
    }
}
