import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing

@Suite("Work that outlives the coordinator")
struct RestartedWorkTests {
    private let digests = (0..<8).map { "d\($0)" }

    private func welcome(_ fixture: CoordinatorFixture, _ name: String) -> [TaskID]? {
        fixture.messages(to: name).compactMap { if case .welcome(let welcome) = $0 { welcome.work } else { nil } }.first
    }

    /// A coordinator that was started, and told which rows are missing.
    private func restarted() -> CoordinatorFixture {
        var fixture = CoordinatorFixture(
            CoordinatorFixture.snapshot(shards: 1, adapters: true, missingMargins: 8), firstTask: 1000)
        fixture.feed(.tick)
        fixture.feed(.missing(.margins(adapter: "a0"), .success(digests)))
        return fixture
    }

    private func margins(_ digests: [String], rule: AggregationRule = .nonDecomposed) -> HeldTask {
        HeldTask(task: 7, content: .margins(adapter: "a0", rule: rule, digests: digests), share: 0.5)
    }

    @Test("Rows that are missing still are taken back from whoever computes them, and kept when they come")
    func rows() throws {
        var fixture = restarted()
        fixture.hello("a", work: [margins(["d2", "d5"])])
        #expect(welcome(fixture, "a") == [7])
        let given = fixture.actions.compactMap { action -> [String]? in
            guard case .dispatch(_, .score(_, _, _, _, let digests)) = action else { return nil }
            return digests
        }
        #expect(given.allSatisfy { !$0.contains("d2") && !$0.contains("d5") })
        fixture.say(.scored(task: 7, tokens: 1, seconds: 1, margins: [0.5, 1]), by: "a")
        #expect(
            fixture.commands.map(\.command) == [
                .saveMargins(adapter: "a0", digests: ["d2", "d5"], margins: [0.5, 1])
            ])
    }

    @Test("Rows that are there, that another worker has, or of another rule are not")
    func otherRows() {
        var fixture = restarted()
        fixture.hello("a", work: [margins(["d2", "other"])])
        #expect(welcome(fixture, "a") == [])
        fixture = restarted()
        fixture.hello("a", work: [margins(["d2"], rule: .decomposed)])
        #expect(welcome(fixture, "a") == [])
        fixture = restarted()
        fixture.hello("a", work: [margins(["d2"])])
        fixture.hello("b", work: [HeldTask(task: 8, content: margins(["d2"]).content)])
        #expect(welcome(fixture, "b") == [])
        // An id of this start is nobody's from before it.
        fixture = restarted()
        fixture.hello("a", work: [HeldTask(task: 1000, content: margins(["d2"]).content)])
        #expect(welcome(fixture, "a") == [])
    }

    /// Workers whose disks have something, as the ledger has it on record.
    private let copies = ["a", "b"].map { HandedCopy(worker: $0, name: $0, shard: 0, manifest: "m0") }

    private func pending() -> LedgerSnapshot {
        var snapshot = CoordinatorFixture.snapshot(shards: 1, adapters: true)
        snapshot.shards[0].adapter?.trainer = "a"
        snapshot.pendingForgets = [
            LedgerSnapshot.PendingForget(
                id: "f", received: Date(timeIntervalSince1970: 0), waitingFor: [], retrained: [0])
        ]
        return snapshot
    }

    private func replay(_ task: TaskID, of manifest: String = "m0") -> HeldTask {
        HeldTask(task: task, content: .replay(manifest: manifest, specification: CoordinatorFixture.specification))
    }

    @Test("The second training of a request that is pending still is taken back, but for the trainer's own")
    func check() {
        var fixture = CoordinatorFixture(pending(), copies: copies, firstTask: 1000)
        fixture.feed(.tick)
        // Whoever is to check it is about to come.
        #expect(fixture.finishes.isEmpty)
        fixture.hello(
            "a", copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: "a0")], work: [replay(5)])
        #expect(welcome(fixture, "a") == [])
        fixture = CoordinatorFixture(pending(), copies: copies, firstTask: 1000)
        fixture.feed(.tick)
        fixture.hello("b", work: [replay(6, of: "another"), replay(7), replay(8)])
        #expect(welcome(fixture, "b") == [7])
        fixture.say(CoordinatorFixture.report(task: 7, shard: 0, manifest: "m0", adapter: "a0"), by: "b")
        #expect(fixture.finishes == ["f"])
    }

    @Test("Where nobody comes who could check it, the certificate is signed without, ten seconds after the start")
    func nobodyComes() {
        var fixture = CoordinatorFixture(pending(), copies: copies, firstTask: 1000)
        fixture.wait(9750)
        #expect(fixture.finishes.isEmpty)
        fixture.wait(500)
        #expect(fixture.finishes == ["f"])
    }

    @Test("A replay of a verification that was asked for again is taken back; of one that was not it is dropped")
    func verification() {
        var snapshot = pending()
        snapshot.pendingForgets = []
        var fixture = CoordinatorFixture(snapshot, firstTask: 1000)
        fixture.feed(.tick)
        fixture.hello("b", work: [replay(7)])
        #expect(welcome(fixture, "b") == [])
        fixture = CoordinatorFixture(snapshot, firstTask: 1000)
        fixture.ask(.verify(ClientRequest.VerifyRequest(request: nil)), id: "v")
        fixture.hello("b", work: [replay(7)])
        #expect(welcome(fixture, "b") == [7])
        fixture.say(CoordinatorFixture.report(task: 7, shard: 0, manifest: "m0", adapter: "a0"), by: "b")
        fixture.ask(.operation(id: "v"), id: "ask")
        guard case .operation(let report, .verification(let verification)) = fixture.replies.first else {
            Issue.record("no report")
            return
        }
        #expect(report.state == .done && verification.shards.map(\.match) == [true])
    }
}
