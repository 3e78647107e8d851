import ClusterTestSupport
import Coordination
import Messages
import Testing

@Suite("A training that diverges")
struct DivergingTrainingTests {
    private let advice = "the training diverges: a cluster with a lower --learning-rate is needed"

    private typealias Given = [(worker: String, task: TaskID, shard: Int, manifest: String, trains: Bool)]

    /// Attempts in so many minutes, each of which fails.
    ///
    /// - Parameter first: what was given out by then.
    private func attempts(
        _ fixture: inout CoordinatorFixture, after first: Given? = nil, minutes: Int, by workers: [String],
        _ code: ErrorCode = .notFinite
    ) -> [String] {
        var tried: [String] = []
        var given = first ?? fixture.assignments
        for _ in 0..<(6 * minutes) {
            var next: Given = []
            for task in given where task.trains {
                tried.append(task.worker)
                fixture.say(.failed(task: task.task, code: code, message: advice), by: task.worker)
                next += settled(&fixture, workers)
            }
            fixture.wait(10_000, beating: workers)
            given = next + settled(&fixture, workers)
        }
        return tried
    }

    /// What was given out, once whoever is told to delete its copy has done so.
    private func settled(_ fixture: inout CoordinatorFixture, _ workers: [String]) -> Given {
        var given = fixture.assignments
        for worker in workers.filter(fixture.isReleased) {
            fixture.say(.released(shard: 0), by: worker)
            given += fixture.assignments
        }
        return given
    }

    @Test("It is tried a bounded number of times, on more than one worker, and status names it and what to do")
    func bounded() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("b")
        let first = fixture.assignments
        fixture.hello("a")
        let tried = attempts(&fixture, after: first, minutes: 50, by: ["a", "b"])
        #expect(tried.count == CoordinatorLimits.attempts && Set(tried) == ["a", "b"])
        let stuck = try #require(fixture.status.stuck.first)
        #expect(fixture.status.stuck.count == 1 && stuck.kind == "train" && stuck.shard == 0)
        #expect(stuck.reason == advice && stuck.attempts == CoordinatorLimits.attempts && stuck.code == "not-finite")
        // An hour later once more; and at once for whoever asks.
        fixture.ask(.train, id: "again")
        let again = try #require(fixture.assignments.first)
        fixture.say(
            CoordinatorFixture.report(task: again.task, shard: 0, manifest: "m0", adapter: "a0"), by: again.worker)
        let publish = try #require(fixture.commands.first)
        fixture.feed(.ledger(publish.id, .committed(CoordinatorFixture.snapshot(shards: 1, adapters: true))))
        #expect(fixture.status.stuck.isEmpty)
    }

    @Test("It goes on resting while people of other shards are forgotten")
    func forgetsElsewhere() throws {
        let trained = LedgerSnapshot.Adapter(name: "a1", manifest: "m1", missingMargins: 0)
        var snapshot = CoordinatorFixture.snapshot(shards: 2)
        snapshot.shards[1].adapter = trained
        var fixture = CoordinatorFixture(snapshot)
        fixture.hello("a", copies: [.of(1, "m1")])
        let tried = attempts(&fixture, minutes: 5, by: ["a"])
        #expect(tried.count == CoordinatorLimits.attempts)
        for round in 0..<5 {
            snapshot.shards[1].manifest = "m1-\(round)"
            snapshot.shards[1].adapter = LedgerSnapshot.Adapter(
                name: "b\(round)", manifest: "m1-\(round)", missingMargins: 0)
            fixture.feed(.ledgerChanged(snapshot))
            #expect(!fixture.assignments.contains { $0.shard == 0 }, "round \(round)")
            #expect(fixture.status.stuck.contains { $0.shard == 0 && $0.kind == "train" })
        }
    }

    @Test("Other failures rest for a minute, as ever; other data is another training")
    func others() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        let ordinary = attempts(&fixture, minutes: 20, by: ["a"], .model)
        #expect(ordinary.count > 2 * CoordinatorLimits.attempts)

        fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a")
        let before = attempts(&fixture, minutes: 20, by: ["a"])
        var other = CoordinatorFixture.snapshot(shards: 1)
        other.shards[0].manifest = "m0-after"
        fixture.feed(.ledgerChanged(other))
        #expect(fixture.assignments.map(\.manifest) == ["m0-after"])
        let after = attempts(&fixture, minutes: 20, by: ["a"])
        #expect(before.count == CoordinatorLimits.attempts && after.count == CoordinatorLimits.attempts)
    }
}
