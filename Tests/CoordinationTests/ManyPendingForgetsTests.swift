import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing

@Suite("A hundred thousand pending forget requests")
struct ManyPendingForgetsTests {
    private let requests = 100_000

    private func cluster() -> CoordinatorFixture {
        var snapshot = CoordinatorFixture.snapshot(shards: 100)
        for index in snapshot.shards.indices {
            snapshot.shards[index].quarantinedSince = Date(timeIntervalSince1970: 1)
        }
        for request in 0..<requests {
            snapshot.pendingForgets.append(
                LedgerSnapshot.PendingForget(
                    id: "r\(request)", received: Date(timeIntervalSince1970: 1), waitingFor: [request % 100]))
        }
        return CoordinatorFixture(snapshot)
    }

    @Test("Another one is taken; status lists the oldest, says how many there are, and stays small")
    func taken() throws {
        var fixture = cluster()
        fixture.hello("a")
        fixture.ask(.forget(ClientRequest.ForgetRequest(users: ["u"], interactions: [])), id: "another")
        #expect(fixture.errors.isEmpty)
        #expect(fixture.commands.contains { if case .forget("another", _) = $0.command { true } else { false } })
        let status = fixture.status
        #expect(status.pendingForgets.map(\.request) == (0..<CoordinatorLimits.listed).map { "r\($0)" })
        #expect(status.pendingForgetsTotal == requests)
        #expect(status.operations.count == CoordinatorLimits.listed)
        #expect(status.operationsTotal == requests + 1)
        #expect(try JSONEncoder().encode(status).count < 1 << 20)
    }

    @Test("One training ends all requests that wait for its shard, and touches no others")
    func coalesced() throws {
        var fixture = cluster()
        fixture.hello("a")
        let task = try #require(fixture.assignments.first)
        fixture.say(
            CoordinatorFixture.report(task: task.task, shard: task.shard, manifest: task.manifest, adapter: "x"),
            by: "a")
        let publish = try #require(
            fixture.commands.first { if case .publish = $0.command { true } else { false } })
        var snapshot = fixture.coordinator.snapshot
        snapshot.shards[task.shard].adapter = LedgerSnapshot.Adapter(
            name: "x", manifest: task.manifest, missingMargins: 0, trainer: "a")
        for index in snapshot.pendingForgets.indices where snapshot.pendingForgets[index].waitingFor == [task.shard] {
            snapshot.pendingForgets[index].waitingFor = []
        }
        fixture.feed(.ledger(publish.id, .committed(snapshot)))
        let finished = fixture.finishes
        #expect(finished.count == requests / 100)
        let others = fixture.coordinator.snapshot.pendingForgets.filter { !$0.waitingFor.isEmpty }.map(\.id)
        #expect(Set(others).isDisjoint(with: finished))
    }

    @Test("More than the coordinator takes are told to come again")
    func full() {
        #expect(CoordinatorLimits.runningForgets >= requests)
    }
}
