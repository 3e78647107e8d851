import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing

@Suite("Verifications and evaluations while shards change")
struct PinnedVerificationTests {
    private func started(_ snapshot: LedgerSnapshot) -> CoordinatorFixture {
        var fixture = CoordinatorFixture(snapshot, doubleCheck: .share(0))
        fixture.hello(
            "a",
            copies: snapshot.shards.map { .init(shard: $0.index, manifest: $0.manifest, prompts: 10, adapter: "a") })
        return fixture
    }

    private func replays(_ fixture: CoordinatorFixture) -> [(task: TaskID, shard: Int, manifest: String)] {
        fixture.actions.compactMap { action in
            guard case .dispatch(_, .replay(let task, _, .shard(let shard, let manifest))) = action else { return nil }
            return (task, shard, manifest)
        }
    }

    private func outcome(_ fixture: inout CoordinatorFixture) -> VerificationReport? {
        fixture.ask(.operation(id: "v"), id: "v")
        for case .operation(_, .verification(let report)?) in fixture.replies { return report }
        return nil
    }

    @Test("A verification waits for no shard that is being retrained, keeps results, and replays what changed anew")
    func verification() throws {
        var snapshot = CoordinatorFixture.snapshot(shards: 3, adapters: true, requested: false)
        snapshot.shards[2].adapter = nil
        snapshot.shards[2].quarantinedSince = Date(timeIntervalSince1970: 0)
        var fixture = started(snapshot)
        fixture.ask(.verify(.init(request: nil)), id: "v")
        var first = replays(fixture)
        // The retraining of shard 2 comes first.
        if first.isEmpty {
            snapshot.shards[2].adapter = LedgerSnapshot.Adapter(name: "a2", manifest: "m2", missingMargins: 0)
            snapshot.shards[2].quarantinedSince = nil
            fixture.feed(.ledgerChanged(snapshot))
            first = replays(fixture)
        }
        #expect(first.map(\.shard) == [0])
        fixture.say(
            CoordinatorFixture.report(task: try #require(first.first).task, shard: 0, manifest: "m0", adapter: "a0"),
            by: "a")
        let second = try #require(replays(fixture).first)
        #expect(second.shard == 1 && second.manifest == "m1")
        // Shard 0 was replayed already; shard 1 has other data and another adapter now.
        snapshot.shards[0].manifest = "m0-new"
        snapshot.shards[0].adapter = LedgerSnapshot.Adapter(name: "b0", manifest: "m0-new", missingMargins: 0)
        snapshot.shards[1].manifest = "m1-new"
        snapshot.shards[1].adapter = LedgerSnapshot.Adapter(name: "b1", manifest: "m1-new", missingMargins: 0)
        fixture.feed(.ledgerChanged(snapshot))
        var third: (task: TaskID, shard: Int, manifest: String)?
        for _ in 0..<16 where third == nil {
            third = replays(fixture).first
            guard third == nil else { break }
            if let copy = fixture.assignments.first {
                let held = ShardCopy(shard: copy.shard, manifest: copy.manifest, prompts: 10, adapter: nil)
                fixture.say(.holds(held), by: "a")
            } else {
                fixture.wait(250, beating: ["a"])
            }
        }
        #expect(third?.shard == 1 && third?.manifest == "m1-new")
        fixture.say(
            CoordinatorFixture.report(
                task: try #require(third).task, shard: 1, manifest: "m1-new", adapter: "b1"), by: "a")
        let report = try #require(outcome(&fixture))
        #expect(report.shards.map(\.published) == ["a0", "b1"] && report.shards.allSatisfy(\.match))
        #expect(report.notCurrent == [2] && report.changed.isEmpty && !report.allMatch)
    }

    @Test("A shard that is being retrained when everything else was replayed is reported as changed")
    func changed() throws {
        var snapshot = CoordinatorFixture.snapshot(shards: 1, adapters: true, requested: false)
        var fixture = started(snapshot)
        fixture.ask(.verify(.init(request: nil)), id: "v")
        #expect(replays(fixture).map(\.shard) == [0])
        snapshot.shards[0].manifest = "m0-new"
        snapshot.shards[0].adapter = nil
        snapshot.shards[0].quarantinedSince = Date(timeIntervalSince1970: 0)
        fixture.feed(.ledgerChanged(snapshot))
        let report = try #require(outcome(&fixture))
        #expect(report.shards.isEmpty && !report.allMatch)
        #expect(report.changed.map(\.newManifest) == ["m0-new"] && report.changed.map(\.newAdapter) == [nil])
    }

    @Test("An evaluation keeps what it scored under adapters that are still there, and nothing of those that are gone")
    func evaluation() throws {
        var snapshot = CoordinatorFixture.snapshot(shards: 2, adapters: true)
        var fixture = started(snapshot)
        fixture.ask(.evaluate(.init(split: .test, compare: false)), id: "e")
        let split = LoadedSplit(digests: ["p", "q"], missingEmbeddings: [], looksAtQuery: false)
        fixture.feed(.splitLoaded(operation: "e", .success(split)))
        func finish(margin: Float, until end: Int) -> [[String]] {
            var scored: [[String]] = []
            var waiting = fixture.actions
            while !waiting.isEmpty, scored.count < end {
                guard case .dispatch(_, .score(let task, _, let adapters, _, let digests)) = waiting.removeFirst()
                else { continue }
                scored.append(adapters.map(\.name))
                let margins = digests.map { _ in margin }
                fixture.say(.scored(task: task, tokens: 1, seconds: 1, margins: margins), by: "a")
                waiting += fixture.actions
            }
            return scored
        }
        // The base model and both adapters alone, before a forget takes the second away.
        _ = finish(margin: 1, until: 6)
        snapshot.shards[1].manifest = "m1-new"
        snapshot.shards[1].adapter = LedgerSnapshot.Adapter(name: "b1", manifest: "m1-new", missingMargins: 0)
        fixture.feed(.ledgerChanged(snapshot))
        fixture.wait(1000, beating: ["a"])
        fixture.feed(.splitLoaded(operation: "e", .success(split)))
        let again = finish(margin: 2, until: 100)
        #expect(!again.contains([]) && !again.contains(["a0"]) && again.contains(["b1"]))
        #expect(again.allSatisfy { !$0.contains("a1") })
    }
}
