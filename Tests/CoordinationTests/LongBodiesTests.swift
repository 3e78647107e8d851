import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Testing

@Suite("Bodies of requests that are kept")
struct LongBodiesTests {
    private func forget(_ letter: Character) -> ClientRequest {
        let name = String(repeating: letter, count: CoordinatorLimits.requestBytes / 3 * 2)
        return .forget(ClientRequest.ForgetRequest(users: [name], interactions: []))
    }

    private func outcome(_ request: String) -> ForgetOutcome {
        ForgetOutcome(
            request: request, received: Date(timeIntervalSince1970: 0), counts: ForgetCounts(), shards: [],
            waitingFor: [], droppedAdapters: [], alreadyForgotten: 0)
    }

    private func commit(_ fixture: inout CoordinatorFixture, _ id: String) throws {
        let (command, _) = try #require(fixture.commands.first)
        fixture.feed(.ledger(command, .forgotten(outcome(id), fixture.coordinator.snapshot)))
        guard case .forgetAccepted = fixture.replies.first else {
            Issue.record("\(id) is not accepted")
            return
        }
    }

    @Test("As many bytes are kept as a limit says; of the others the ledger tells whether it is the same request")
    func bounded() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        fixture.ask(forget("a"), id: "f1")
        try commit(&fixture, "f1")
        fixture.ask(forget("b"), id: "f2")
        // While it is being written it is told from another one all the same.
        fixture.ask(forget("c"), id: "f2")
        #expect(fixture.errors.map(\.code) == [.requestConflict])
        fixture.ask(forget("b"), id: "f2")
        #expect(fixture.replies.isEmpty && fixture.commands.isEmpty)
    }

    @Test("A repetition of a request whose body is not kept is answered once the ledger knows it")
    func asked() throws {
        var fixture = CoordinatorFixture(CoordinatorFixture.snapshot(shards: 1))
        for (letter, id) in [("a", "f1"), ("b", "f2")] as [(Character, String)] {
            fixture.ask(forget(letter), id: id)
            try commit(&fixture, id)
        }
        fixture.ask(forget("a"), id: "f1")
        #expect(fixture.replies.count == 1 && fixture.commands.isEmpty)
        fixture.ask(forget("b"), id: "f2")
        #expect(fixture.replies.isEmpty)
        try commit(&fixture, "f2")
        fixture.ask(forget("c"), id: "f2")
        let (command, _) = try #require(fixture.commands.first)
        fixture.feed(.ledger(command, .failed(ClientError(code: .requestConflict, message: "another"))))
        #expect(fixture.errors.map(\.code) == [.requestConflict])
    }
}
