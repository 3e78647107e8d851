import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing
import Unlearning

@Suite("The coordinator and workers of the version of the protocol before")
struct OlderWorkerTests {
    private static let older = CoordinatorLimits.acceptedVersions.lowerBound

    @Test("One trains and gives up data like any other, and status says what it speaks")
    func trains() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a", version: Self.older) { $0.knowsLeave = nil }
        let task = try #require(fixture.assignments.first)
        #expect(task.worker == "a" && task.trains)
        #expect(fixture.status.workers.first?.protocolVersion == Self.older)
        // What is forgotten meanwhile calls it back, and it is trained again by the same worker.
        var after = CoordinatorFixture.snapshot(shards: 1)
        after.shards[0].manifest = "m0-after"
        fixture.feed(.ledgerChanged(after))
        let again = try #require(fixture.assignments.first)
        #expect(again.manifest == "m0-after" && fixture.messages(to: "a").contains(.cancel(task: task.task)))
        fixture.say(
            CoordinatorFixture.report(task: again.task, shard: 0, manifest: "m0-after", adapter: "x"), by: "a")
        #expect(fixture.messages(to: "a").contains(.taken(task: again.task)))
        #expect(fixture.commands.contains { if case .publish(0, _, _, _) = $0.command { true } else { false } })
        // After its upgrade.
        fixture.hello("a", peer: "a2")
        #expect(fixture.status.workers.first?.protocolVersion == nil)
    }

    private func comparisons(_ fixture: CoordinatorFixture) -> [String] {
        fixture.actions.compactMap { action in
            guard case .dispatch(let peer, .compare) = action else { return nil }
            return String(decoding: peer.bytes, as: UTF8.self)
        }
    }

    @Test("One that averages otherwise is given no case with sliced rows: it waits, says for what, and goes to others")
    func compares() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        let copies = [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: "a0")]
        fixture.hello("a", version: Self.older, copies: copies) { $0.averagings = nil }
        var options = ComparisonOptions.quick
        options.methods = [.original, .retrain, .retrainSliced]
        fixture.ask(.compare(options), id: "c")
        fixture.feed(
            .comparisonLoaded(
                operation: "c", .success(LoadedComparison(cases: PlannedCase.samples(2), basis: "basis"))))
        #expect(comparisons(fixture).isEmpty)
        fixture.wait(60_000, beating: ["a"])
        #expect(comparisons(fixture).isEmpty)
        #expect(fixture.status.operations.first?.progress.contains("waits for a worker") == true)
        fixture.hello("b", version: Self.older)
        #expect(comparisons(fixture) == ["b"])
        #expect(fixture.status.operations.first?.progress.contains("waits for a worker") == false)
    }

    @Test("One that does not know a method, or computes cases otherwise, is given none: they would be kept as today's")
    func methods() {
        func given(
            _ methods: [ComparisonMethod], _ said: [String]?, comparison: Int? = ComparisonPlan.revision
        ) -> [String] {
            var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true))
            let copies = [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: "a0")]
            fixture.hello("a", copies: copies) { ($0.methods, $0.comparison) = (said, comparison) }
            var options = ComparisonOptions.quick
            options.methods = methods
            fixture.ask(.compare(options), id: "c")
            fixture.feed(
                .comparisonLoaded(
                    operation: "c", .success(LoadedComparison(cases: PlannedCase.samples(1), basis: "basis"))))
            return comparisons(fixture)
        }
        #expect(given([.original, .retrain, .ifru], nil) == [])
        for other in [nil, ComparisonPlan.revision - 1, ComparisonPlan.revision + 1] {
            #expect(given([.original, .retrain, .ifru], ["original", "retrain", "ifru"], comparison: other) == [])
        }
        #expect(given([.original, .retrain, .ifru], ["original", "retrain", "ifru"]) == ["a"])
        #expect(given([.original, .retrain, .negativePreference], ["original", "retrain", "npo", "later"]) == ["a"])
        #expect(given([.original, .retrain, .ifru], ["original", "retrain", "npo"]) == [])
    }

    @Test("One is asked for no stage and given none, and its copy goes as it always went")
    func stages() {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        fixture.hello(
            "a", version: Self.older,
            copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: "a0", stages: ["s1"])])
        fixture.wait(4000, beating: ["a"])
        fixture.hello("b")
        fixture.ask(.order(WorkerOrder(worker: "a", verb: .drain)), id: "o")
        for case (let id, .setDuty) in fixture.commands {
            fixture.feed(.ledger(id, .committed(fixture.coordinator.snapshot)))
        }
        #expect(fixture.messages(to: "a").contains(.release(shard: 0)))
        fixture.say(.wants(shard: 0, manifest: "m0", stages: ["s1"]), by: "a")
        #expect(!fixture.actions.contains { if case .dispatch(_, .hand) = $0 { true } else { false } })
    }

    @Test("Versions beside the two are refused, with both numbers", arguments: [0, 9, 12])
    func others(_ version: Int) {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.hello("a", version: version)
        #expect(fixture.refusals == [.protocolVersion])
        #expect(fixture.status.workers.isEmpty)
    }
}
