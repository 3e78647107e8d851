import Foundation
import Messages
import Testing

@testable import Gateway

@Suite("What tells one live view from the next")
struct OverviewTests {
    private static func event(_ change: (String, String)...) async -> (sight: ObservingRoutes.Sight, bytes: Data) {
        let worker = """
            "workers":[{"id":"w","name":"w","state":"live","last_seen_seconds":0.4,"uptime_seconds":7,"away_seconds":3,\
            "threads":1,"shards":[0],"holds":[],"copies":[],"tasks":[]}]
            """
        let status = change.reduce(FakeReplies.status.replacing(#""workers":[]"#, with: worker)) {
            $0.replacing($1.0, with: $1.1)
        }
        let coordinator = FakeCoordinator { request, id in
            if case .status = request { return .success(Data(status.utf8)) }
            return try FakeReplies.any(request, id)
        }
        return await ObservingRoutes.event(ClusterView(coordinator.door), nil, 30, Date(timeIntervalSince1970: 0))
    }

    @Test("Time that passes is nothing new, and told all the same with what is")
    func ages() async {
        let first = await Self.event()
        let later = await Self.event(
            (#""last_seen_seconds":0.4"#, #""last_seen_seconds":0.9"#),
            (#""uptime_seconds":7"#, #""uptime_seconds":8"#),
            (#""away_seconds":3"#, #""away_seconds":4"#))
        #expect(first.sight == later.sight)
        #expect(first.bytes != later.bytes)
        #expect(String(decoding: later.bytes, as: UTF8.self).contains(#""uptime_seconds":8"#))
    }

    @Test(
        "Whatever happens is new",
        arguments: [
            (#""state":"live""#, #""state":"away""#), (#""up to date""#, #""training""#),
            (#""answered":7"#, #""answered":8"#),
            (#""audit_entries":9"#, #""audit_entries":10"#), (#""prompts":4"#, #""prompts":5"#),
        ])
    func news(before: String, after: String) async {
        #expect(await Self.event().sight != Self.event((before, after)).sight)
    }

    @Test("A view that nobody reads any more ends, whether there is news for it or not", .timeLimit(.minutes(1)))
    func leaving() async throws {
        let connection = ClientConnection()
        connection.close()
        let view = try await TestGateway().ask(.get, "/v1/events", bytes: nil, over: connection)
        #expect(view.status == 200 && view.body.isEmpty)
    }

    @Test("What cannot be told is told once, and then what can be is new")
    func problems() async {
        func failing(_ message: String) async -> ObservingRoutes.Sight {
            let coordinator = FakeCoordinator { _, _ in .failure(ClientError(code: .unreachable, message: message)) }
            return await ObservingRoutes.event(ClusterView(coordinator.door), nil, 30, Date()).sight
        }
        #expect(await failing("nobody there") == failing("nobody there"))
        #expect(await failing("nobody there") != failing("it is busy"))
        #expect(await failing("nobody there") != Self.event().sight)
    }
}
