import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing

@Suite("Evaluations while forget requests keep coming")
struct EvaluationUnderForgetsTests {
    private func cluster() -> CoordinatorFixture {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 3, adapters: true))
        fixture.hello(
            "a",
            copies: (0..<3).map { .init(shard: $0, manifest: "m\($0)", prompts: 10, adapter: "a\($0)") })
        return fixture
    }

    /// Another adapter takes the place of the shard's.
    private func change(_ shard: Int, to name: String, in fixture: inout CoordinatorFixture) {
        var snapshot = fixture.coordinator.snapshot
        snapshot.shards[shard].adapter?.name = name
        fixture.feed(.ledgerChanged(snapshot))
    }

    /// Lets the evaluation load its split if it wants to.
    ///
    /// - Returns: what the worker is given then; nil: it did not want to.
    private func load(_ fixture: inout CoordinatorFixture) -> [CoordinatorAction]? {
        fixture.wait(750, beating: ["a"])
        let isAsked = fixture.actions.contains { if case .loadSplit = $0 { true } else { false } }
        guard isAsked else { return nil }
        fixture.feed(
            .splitLoaded(
                operation: "e",
                .success(LoadedSplit(digests: ["p", "q"], missingEmbeddings: [], looksAtQuery: false))))
        return fixture.actions
    }

    /// The worker answers everything that it was and is given.
    private func finish(_ given: [CoordinatorAction], _ fixture: inout CoordinatorFixture) -> EvaluationScores? {
        var waiting = given
        for _ in 0..<100 {
            guard !waiting.isEmpty else {
                fixture.wait(250, beating: ["a"])
                waiting = fixture.actions
                continue
            }
            switch waiting.removeFirst() {
            case .dispatch(_, .score(let task, _, _, _, let digests)):
                fixture.say(.scored(task: task, tokens: 1, seconds: 1, margins: digests.map { _ in 1 }), by: "a")
                waiting += fixture.actions
            case .buildEvaluation(_, let scores): return scores
            default: break
            }
        }
        return nil
    }

    @Test("One that was overtaken again and again stays with its adapters, less those taken away, and says which")
    func pinned() throws {
        var fixture = cluster()
        fixture.ask(.evaluate(.init(split: .test, compare: false)), id: "e")
        fixture.feed(
            .splitLoaded(
                operation: "e",
                .success(LoadedSplit(digests: ["p", "q"], missingEmbeddings: [], looksAtQuery: false))))
        var loads = 0
        var given = fixture.actions
        for number in 0..<40 {
            change(2, to: "a2-\(number)", in: &fixture)
            guard let actions = load(&fixture) else { continue }
            loads += 1
            given += actions
        }
        #expect(loads < 10)
        let scores = try #require(finish(given, &fixture))
        #expect(scores.adapters.map(\.name) == ["a0", "a1"])
        #expect(!scores.series.isEmpty)
        fixture.feed(.evaluation(operation: "e", .success([123, 125])))
        fixture.ask(.operation(id: "e"), id: "poll")
        guard case .operation(let report, .evaluation) = fixture.replies.first else {
            Issue.record("no report")
            return
        }
        #expect(report.state == .done)
    }

    @Test("One that waits for the shards of forget requests takes the adapters that there are after a minute")
    func patience() throws {
        var fixture = cluster()
        var snapshot = fixture.coordinator.snapshot
        snapshot.shards[1].adapter = nil
        snapshot.pendingForgets = [
            LedgerSnapshot.PendingForget(id: "f", received: .distantPast, waitingFor: [1])
        ]
        fixture.feed(.ledgerChanged(snapshot))
        fixture.ask(.evaluate(.init(split: .test, compare: false)), id: "e")
        fixture.wait(50_000, beating: ["a"])
        #expect(!fixture.actions.contains { if case .loadSplit = $0 { true } else { false } })
        fixture.wait(11_000, beating: ["a"])
        #expect(fixture.actions.contains { if case .loadSplit = $0 { true } else { false } })
        fixture.feed(
            .splitLoaded(
                operation: "e",
                .success(LoadedSplit(digests: ["p"], missingEmbeddings: [], looksAtQuery: false))))
        var scores: EvaluationScores?
        var waiting = fixture.actions
        // One for the training that does not go on, and one that scores.
        for name in ["b", "c"] {
            fixture.hello(name)
            waiting += fixture.actions
        }
        for _ in 0..<100 where scores == nil {
            guard !waiting.isEmpty else {
                fixture.wait(250, beating: ["a", "b", "c"])
                waiting = fixture.actions
                continue
            }
            switch waiting.removeFirst() {
            case .dispatch(let peer, .score(let task, _, _, _, let digests)):
                fixture.feed(
                    .worker(peer: peer, .scored(task: task, tokens: 1, seconds: 1, margins: digests.map { _ in 1 })))
                waiting += fixture.actions
            case .buildEvaluation(_, let found): scores = found
            default: break
            }
        }
        #expect(scores?.adapters.map(\.name) == ["a0", "a2"])
    }
}
