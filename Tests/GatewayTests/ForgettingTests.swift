import Foundation
import Messages
import Testing
import ZeroMQ

@testable import Gateway

@Suite("Forget requests over HTTP")
struct ForgettingTests {
    private static let now = Date(iso8601: FakeReplies.received) ?? .distantPast

    @Test("A request is accepted under its key, and the answer says where it stands and when it is due")
    func accepted() async throws {
        let coordinator = FakeCoordinator()
        let gateway = try TestGateway(coordinator, now: { Self.now })
        let answer = try await gateway.ask(
            .post, "/v1/forget",
            #"{"user":"ada","interactions":[{"user":"ben","item":"i1"},{"user":"ben","item":"i2","timestamp":1000}],"bridge":"ifru"}"#,
            headers: ["Idempotency-Key": "ticket/7"])
        #expect(answer.status == 202)
        #expect(answer.headers[.location] == "/v1/requests/ticket%2F7")
        let view = try #require(answer.json["request"] as? [String: Any])
        #expect(view["request"] as? String == "ticket/7" && view["state"] as? String == "pending")
        #expect(view["due"] as? String == "2026-02-01T03:04:05.000Z" && view["overdue"] as? Bool == false)
        let first = try #require(coordinator.asked.withLock { $0 }.first)
        #expect(first.id == "ticket/7")
        let targets: [ClientRequest.ForgetRequest.Target] = [
            .init(user: "ben", item: "i1", timestamp: nil), .init(user: "ben", item: "i2", timestamp: 1000),
        ]
        #expect(first.request == .forget(.init(users: ["ada"], interactions: targets, bridge: "ifru")))
    }

    @Test("A key that is no name is refused; without one the gateway makes one")
    func keys() async throws {
        let coordinator = FakeCoordinator()
        let gateway = try TestGateway(coordinator)
        for key in [String(repeating: "k", count: 129), "", "a b", "clé"] {
            let answer = try await gateway.ask(
                .post, "/v1/forget", #"{"user":"ada"}"#, headers: ["Idempotency-Key": key])
            #expect(answer.status == 400, "\(key.count)")
        }
        #expect(coordinator.requests.isEmpty)
        let answer = try await gateway.ask(.post, "/v1/forget", #"{"user":"ada"}"#)
        let name = (answer.json["request"] as? [String: Any])?["request"] as? String
        #expect(name.flatMap { UUID(uuidString: $0) } != nil)
    }

    @Test("A dry run says what would happen")
    func dryRun() async throws {
        let answer = try await TestGateway().ask(.post, "/v1/forget", #"{"users":["ada"],"dry_run":true}"#)
        #expect(answer.status == 200 && answer.json["counts"] != nil)
    }

    @Test("A request that is late says so")
    func overdue() async throws {
        let later = Self.now.addingTimeInterval(31 * 86_400)
        let answer = try await TestGateway(now: { later }).ask(.get, "/v1/requests?state=pending&limit=1")
        let listed = try #require(answer.json["requests"] as? [[String: Any]])
        #expect(listed.map { $0["overdue"] as? Bool } == [true])
        #expect(answer.json["next"] as? Int == 1)
        #expect(try await TestGateway().ask(.get, "/v1/requests?after=1").json["next"] == nil)
    }

    @Test("A pending request shows its progress, and has no certificate yet")
    func pending() async throws {
        let gateway = try TestGateway()
        let one = try await gateway.ask(.get, "/v1/requests/a%20b")
        #expect(one.json["progress"] as? String == "training" && one.json["fraction"] as? Double == 0.5)
        #expect((one.json["request"] as? [String: Any])?["request"] as? String == "a b")
        #expect(try await gateway.ask(.get, "/v1/certificates/x").problem == "request-pending")
    }
}
