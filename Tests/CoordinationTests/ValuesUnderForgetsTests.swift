import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing

@Suite("Embedding and scoring while data changes")
struct ValuesUnderForgetsTests {
    private struct Given {
        var worker: String
        var task: TaskID
        var digests: [String]
    }

    private func given(_ fixture: CoordinatorFixture) -> [Given] {
        fixture.actions.compactMap { action in
            guard case .dispatch(let peer, .score(let task, _, _, _, let digests)) = action else { return nil }
            return Given(worker: String(decoding: peer.bytes, as: UTF8.self), task: task, digests: digests)
        }
    }

    private func asked(_ fixture: CoordinatorFixture) -> [[String]] {
        fixture.actions.compactMap { if case .findGone(let digests) = $0 { digests } else { nil } }
    }

    private func cancelled(_ fixture: CoordinatorFixture) -> [TaskID] {
        fixture.actions.compactMap { if case .send(_, .cancel(let task)) = $0 { task } else { nil } }
    }

    /// Two workers that score the eight prompts that are missing.
    private func scoring() throws -> (fixture: CoordinatorFixture, given: [Given]) {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true, missingMargins: 8))
        fixture.hello("a", copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: "a0")])
        fixture.hello("b")
        fixture.feed(.missing(.margins(adapter: "a0"), .success((0..<8).map { "v\($0)" })))
        let given = given(fixture)
        try #require(given.count >= 2)
        return (fixture, given)
    }

    @Test("It goes on when data changes: only chunks with a prompt that is gone are dropped, of which the ledger tells")
    func goesOn() throws {
        var (fixture, first) = try scoring()
        let all = Set((0..<8).map { "v\($0)" })
        let snapshot = fixture.coordinator.snapshot
        fixture.feed(.ledgerChanged(snapshot))
        #expect(cancelled(fixture).isEmpty && asked(fixture).map(Set.init) == [all])
        fixture.feed(.ledgerChanged(snapshot))
        #expect(cancelled(fixture).isEmpty && asked(fixture).isEmpty)
        let hit = try #require(first.first { $0.digests.count > 1 })
        let gone = try #require(hit.digests.first)
        fixture.feed(.goneFound(.success([gone])))
        #expect(cancelled(fixture) == [hit.task])
        // The rest of the chunk is given out again, and what changed meanwhile is asked about a moment later.
        #expect(asked(fixture).isEmpty)
        var open = first.filter { $0.task != hit.task } + given(fixture)
        fixture.wait(500, beating: ["a", "b"])
        #expect(asked(fixture).count == 1)
        open += given(fixture)
        fixture.feed(.goneFound(.success([])))
        open += given(fixture)
        var scored: [String] = []
        while !open.isEmpty {
            let chunk = open.removeFirst()
            let margins = [Float](repeating: 0, count: chunk.digests.count)
            fixture.say(.scored(task: chunk.task, tokens: 1, seconds: 1, margins: margins), by: chunk.worker)
            for case .saveMargins(_, let digests, _) in fixture.commands.map(\.command) { scored += digests }
            open += given(fixture)
        }
        #expect(scored.sorted() == all.subtracting([gone]).sorted())
    }

    @Test("Where the ledger cannot say which are gone, everything is dropped and listed anew")
    func unknown() throws {
        var (fixture, first) = try scoring()
        fixture.feed(.ledgerChanged(fixture.coordinator.snapshot))
        fixture.feed(.goneFound(.failure(ClientError(code: .failed, message: "unreadable"))))
        #expect(cancelled(fixture).sorted() == first.map(\.task).sorted())
        let isListed = fixture.actions.contains { if case .loadMissing = $0 { true } else { false } }
        #expect(isListed)
    }

    @Test("Failures count on while data changes: what fails again and again rests, and status can say so")
    func failures() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true, missingMargins: 1))
        fixture.hello("a", copies: [ShardCopy(shard: 0, manifest: "m0", prompts: 10, adapter: "a0")])
        fixture.feed(.missing(.margins(adapter: "a0"), .success(["v0"])))
        var task = try #require(given(fixture).first?.task)
        for attempt in 1...CoordinatorLimits.attempts {
            fixture.say(.failed(task: task, code: .failed, message: "no memory"), by: "a")
            var again = given(fixture)
            fixture.feed(.ledgerChanged(fixture.coordinator.snapshot))
            again += given(fixture)
            if attempt < CoordinatorLimits.attempts {
                task = try #require(again.first?.task)
            } else {
                #expect(again.isEmpty)
            }
        }
    }

    @Test(
        "Where forgets come faster than chunks, embeddings are completed and the partition is made all the same",
        arguments: 0..<2)
    func fasterThanChunks(seed: UInt64) throws {
        var plan = SimulationPlan(seed: seed)
        plan.workers = 2
        plan.shards = 3
        plan.users = Dictionary(uniqueKeysWithValues: (0..<240).map { ($0, 5) })
        plan.partitionNeedsEmbeddings = true
        plan.chaosMilliseconds = 200_000
        (plan.lossy, plan.crashes, plan.forgets, plan.reads) = (0, 0, 0, 0)
        (plan.prepares, plan.hasFalseWorker) = (false, false)
        plan.chunkMilliseconds = 2000...2500
        plan.forgetEveryMilliseconds = 1000
        var simulation = Simulation(plan)
        simulation.run()
        #expect(simulation.violations.isEmpty, "\(simulation.violations.joined(separator: "; "))")
        let status = try #require(simulation.statusBeforeCalm)
        #expect(status.shards.contains { $0.prompts > 0 }, "seed \(seed): the partition waited for the forgets' end")
    }
}
