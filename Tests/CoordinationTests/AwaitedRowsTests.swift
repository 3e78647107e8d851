import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing

@Suite("What a forget request waits for besides its shards")
struct AwaitedRowsTests {
    /// Two shards, each with its adapter, and a request that retrained the first; rows of all adapters are missing.
    private func snapshot(weighsByRows: Bool) -> LedgerSnapshot {
        var snapshot = CoordinatorFixture.snapshot(shards: 2, adapters: true, missingMargins: 8)
        snapshot.weighsByRows = weighsByRows
        snapshot.pendingForgets = [
            LedgerSnapshot.PendingForget(
                id: "f", received: Date(timeIntervalSince1970: 0), waitingFor: [], retrained: [0])
        ]
        return snapshot
    }

    private func started(_ snapshot: LedgerSnapshot) -> CoordinatorFixture {
        var fixture = CoordinatorFixture(snapshot, doubleCheck: .share(0))
        fixture.hello(
            "a", copies: (0..<2).map { .init(shard: $0, manifest: "m\($0)", prompts: 10, adapter: "a\($0)") })
        return fixture
    }

    @Test("With equal weights a request waits for no row and no tuning, and every adapter carries weight")
    func equalWeights() {
        let fixture = started(snapshot(weighsByRows: false))
        #expect(fixture.finishes == ["f"])
        #expect(fixture.coordinator.activeAdapters.map(\.carriesWeight) == [true, true])
    }

    @Test("Where weights rest on rows a request waits for those of its own shards, which come first")
    func ownRows() {
        var snapshot = snapshot(weighsByRows: true)
        snapshot.pendingForgets[0].retrained = [1]
        var fixture = started(snapshot)
        #expect(fixture.finishes.isEmpty)
        for kind in [MissingValues.margins(adapter: "a0"), .margins(adapter: "a1")] {
            fixture.feed(.missing(kind, .success((0..<8).map { "v\($0)" })))
        }
        let scored = fixture.actions.compactMap { action -> String? in
            guard case .dispatch(_, .score(_, _, let adapters, _, _)) = action else { return nil }
            return adapters.first?.name
        }
        #expect(scored.first == "a1" || scored.isEmpty)
        snapshot.shards[1].adapter?.missingMargins = 0
        fixture.feed(.ledgerChanged(snapshot))
        #expect(fixture.finishes == ["f"])
        #expect(fixture.coordinator.activeAdapters.map(\.carriesWeight) == [false, true])
    }

    @Test("Between two trainings a worker scores a bounded number of rows, although a shard waits")
    func rowsBetweenTrainings() throws {
        var snapshot = CoordinatorFixture.snapshot(shards: 3)
        snapshot.shards[0].adapter = LedgerSnapshot.Adapter(name: "a0", manifest: "m0", missingMargins: 100)
        var fixture = CoordinatorFixture(snapshot)
        fixture.hello("a", copies: [.init(shard: 0, manifest: "m0", prompts: 10, adapter: "a0")])
        let first = try #require(fixture.assignments.first)
        fixture.feed(.missing(.margins(adapter: "a0"), .success((0..<100).map { "v\($0)" })))
        fixture.say(
            CoordinatorFixture.report(task: first.task, shard: 1, manifest: "m1", adapter: "a1"), by: "a")
        var chunks = 0
        var waiting = fixture.actions
        while !waiting.isEmpty {
            switch waiting.removeFirst() {
            case .dispatch(_, .score(let task, _, _, _, let digests)):
                chunks += 1
                let margins = [Float](repeating: 0, count: digests.count)
                fixture.say(.scored(task: task, tokens: 1, seconds: 1, margins: margins), by: "a")
                waiting += fixture.actions
            case .dispatch(_, .assign(_, let shard, _, _, nil, _)):
                #expect(shard == 2 && chunks == CoordinatorLimits.chunksBetweenTrainings)
                return
            default: break
            }
        }
        Issue.record("the next training never began")
    }
}
