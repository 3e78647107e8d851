import Messages
import Recommendation
import Testing

@testable import Gateway

@Suite("Imports over HTTP that deal new people to the last slice")
struct ImportDealingTests {
    private static let line = #"{"user":"u1","item":"i1","rating":5,"timestamp":1,"item_title":"Film"}"# + "\n"

    /// - Parameter dealsPeople: nil: an older coordinator.
    private func coordinator(dealsPeople: Bool?) -> FakeCoordinator {
        FakeCoordinator { request, id in
            guard case .configuration = request else { return try FakeReplies.any(request, id) }
            return .success(
                try ReplyCoding.encode(
                    ConfigurationReply(
                        effective: CoordinatorConfiguration(), recorded: CoordinatorConfiguration(), cluster: "c1",
                        dealsPeople: dealsPeople)))
        }
    }

    private func ask(_ coordinator: FakeCoordinator, _ query: String) async throws -> (status: Int, text: String) {
        let answer = try await TestGateway(coordinator).ask(
            .post, "/v1/interactions" + query, Self.line,
            headers: ["Content-Type": "application/x-ndjson", "Idempotency-Key": "day-1"])
        return (answer.status, "\(answer.json)")
    }

    private func finish(_ coordinator: FakeCoordinator) -> ClientRequest.FinishImport? {
        for request in coordinator.requests { if case .finishImport(let finish) = request { return finish } }
        return nil
    }

    @Test("The parameter reaches the coordinator", arguments: [nil, NewPeople.hash, .last])
    func passedOn(people: NewPeople?) async throws {
        let coordinator = coordinator(dealsPeople: true)
        let answer = try await ask(coordinator, people.map { "?new_data=\($0.rawValue)" } ?? "")
        #expect(answer.status == 200, "\(answer.text)")
        #expect(try #require(finish(coordinator)).newPeople == people)
    }

    @Test("Dealt to the last slice it is another import under the same key; by the hash is the same, said or not")
    func names() async throws {
        var names: [String] = []
        for query in ["", "?new_data=hash", "?new_data=last"] {
            let coordinator = coordinator(dealsPeople: true)
            _ = try await ask(coordinator, query)
            names.append(try #require(coordinator.asked.withLock { $0 }.last?.id))
        }
        #expect(names[0] == names[1] && names[0] != names[2])
    }

    @Test("A coordinator that deals nobody, or is too old to know, is sent nothing", arguments: [nil, false])
    func refused(dealsPeople: Bool?) async throws {
        let coordinator = coordinator(dealsPeople: dealsPeople)
        let answer = try await ask(coordinator, "?new_data=last")
        #expect(answer.status == 422, "\(answer.text)")
        #expect(answer.text.contains(dealsPeople == nil ? "older release" : "one slice"), "\(answer.text)")
        let isSent = coordinator.requests.contains { if case .configuration = $0 { false } else { true } }
        #expect(!isSent)
        // What asks for nothing new goes through.
        #expect(try await ask(coordinator, "?new_data=hash").status == 200)
    }
}
