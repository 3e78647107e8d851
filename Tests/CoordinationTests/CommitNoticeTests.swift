import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing

@Suite("What clients hear while the ledger writes their requests down")
struct CommitNoticeTests {
    private func outcome(_ request: String) -> ForgetOutcome {
        ForgetOutcome(
            request: request, received: Date(timeIntervalSince1970: 0), counts: ForgetCounts(), shards: [],
            waitingFor: [], droppedAdapters: [], alreadyForgotten: 0)
    }

    private func forget(_ user: String) -> ClientRequest {
        .forget(ClientRequest.ForgetRequest(users: [user], interactions: []))
    }

    /// Requests of which clients were told that they are worked on, by the last actions.
    private func told(_ fixture: CoordinatorFixture) -> [String] {
        fixture.actions.compactMap { if case .working(let ticket) = $0 { ticket.request } else { nil } }
    }

    @Test("Every second until it is written, and never after that")
    func untilCommitted() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.ask(forget("u1"), id: "f1")
        let (command, _) = try #require(fixture.commands.first)
        #expect(told(fixture).isEmpty)
        fixture.wait(750)
        #expect(told(fixture).isEmpty)
        fixture.wait(250)
        #expect(told(fixture) == ["f1"])
        fixture.wait(10_000)
        #expect(told(fixture) == Array(repeating: "f1", count: 10))
        fixture.feed(.ledger(command, .forgotten(outcome("f1"), fixture.coordinator.snapshot)))
        #expect(fixture.replies.count == 1)
        fixture.wait(5000)
        #expect(told(fixture).isEmpty)
    }

    @Test("Whoever joins hears it too; one that the ledger refuses is told of no more")
    func joinedAndRefused() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.ask(forget("u1"), id: "f1")
        let (command, _) = try #require(fixture.commands.first)
        let other = ClientTicket(peer: fixture.peer("another client"), request: "f1")
        fixture.feed(.client(other, forget("u1")))
        fixture.wait(1000)
        #expect(told(fixture) == ["f1", "f1"])
        fixture.feed(.ledger(command, .failed(ClientError(code: .unknownUser, message: "nobody"))))
        fixture.wait(5000)
        #expect(told(fixture).isEmpty)
    }

    @Test("A request that is asked again after a restart, and one to train, are told of as well")
    func others() throws {
        var snapshot = CoordinatorFixture.snapshot(shards: 1, requested: false)
        snapshot.pendingForgets = [
            LedgerSnapshot.PendingForget(
                id: "f1", received: Date(timeIntervalSince1970: 0), waitingFor: [0], retrained: [0])
        ]
        var fixture = CoordinatorFixture(snapshot)
        fixture.ask(forget("u1"), id: "f1")
        fixture.ask(.train, id: "t1")
        fixture.wait(1000)
        #expect(told(fixture) == ["f1", "t1"])
    }
}
