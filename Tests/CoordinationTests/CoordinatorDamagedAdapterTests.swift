import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing

@Suite("The coordinator and damaged adapter files")
struct CoordinatorDamagedAdapterTests {
    private func copy(_ shard: Int) -> ShardCopy {
        ShardCopy(shard: shard, manifest: "m\(shard)", prompts: 10, adapter: "a\(shard)")
    }

    @Test("A damaged adapter is taken away once, said in the status, and asked of the worker that keeps the shard")
    func healed() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 2, adapters: true, requested: false))
        fixture.hello("w", copies: [copy(0), copy(1)])
        fixture.feed(.adapterDamaged("a1"))
        let command = try #require(fixture.commands.first)
        #expect(command.command == .dropDamaged(adapter: "a1"))
        fixture.feed(.adapterDamaged("a1"))
        #expect(fixture.commands.isEmpty)

        var snapshot = CoordinatorFixture.snapshot(shards: 2, adapters: true, requested: false)
        snapshot.shards[1].adapter = nil
        snapshot.shards[1].quarantinedSince = Date(timeIntervalSince1970: 1)
        snapshot.shards[1].damage = DamagedAdapter(shard: 1, adapter: "a1", lost: true, approximate: false)
        fixture.feed(.ledger(command.id, .committed(snapshot)))
        #expect(fixture.coordinator.activeAdapters.map(\.name) == ["a0"])
        #expect(fixture.status.shards.map(\.state) == [.current, .damaged])
        #expect(fixture.status.shards[1].damage?.contains("a1") == true)
        let assignment = try #require(fixture.assignments.first)
        #expect(assignment.worker == "w" && assignment.shard == 1 && assignment.trains)
        fixture.say(
            CoordinatorFixture.report(task: assignment.task, shard: 1, manifest: "m1", adapter: "a1"), by: "w")
        guard case .publish(1, let report, _, "w")? = fixture.commands.first?.command else {
            Issue.record("nothing is published")
            return
        }
        #expect(report.adapter == "a1")
    }

    @Test("An evaluation that needs a damaged adapter ends with the error that says so")
    func evaluation() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1, adapters: true))
        fixture.hello("w", copies: [copy(0)])
        fixture.ask(.evaluate(.init(split: .test, compare: false, attention: nil, aggregatesOnly: false)), id: "e")
        fixture.feed(
            .splitLoaded(
                operation: "e",
                .success(LoadedSplit(digests: ["d1", "d2"], missingEmbeddings: [], looksAtQuery: false))))
        let task = try #require(
            fixture.actions.compactMap { action -> TaskID? in
                guard case .dispatch(_, let dispatch) = action else { return nil }
                return dispatch.task
            }.first)
        let error = ClientError(code: ErrorCode.adapterDamaged, message: "the file is damaged")
        fixture.feed(.undelivered(peer: fixture.peer("w"), task: task, error))
        let operation = try #require(fixture.status.operations.first { $0.id == "e" })
        #expect(operation.state == .failed && operation.error == error)
    }
}
