import Foundation
import Messages
import Testing
import ZeroMQ

@testable import Gateway

@Suite("Reranking as clients of other services ask for it")
struct RerankFormsTests {
    private static func results(_ answer: TestGateway.Answer) throws -> [[String: Any]] {
        try #require(answer.json["results"] as? [[String: Any]])
    }

    @Test("Every service's path is there", arguments: ["/rerank", "/v1/rerank", "/v2/rerank"])
    func paths(path: String) async throws {
        let answer = try await TestGateway().ask(.post, path, #"{"query":"ada","documents":["i1","i3"]}"#)
        #expect(answer.status == 200)
        #expect(try Self.results(answer).count == 2)
    }

    @Test("What a client leaves open with null is left open; the model's name comes back, and nothing is billed")
    func open() async throws {
        let body =
            #"{"model":"jina-reranker-v2","query":"ada","documents":["i1","i3"],"top_n":null,"return_documents":null,"rank_fields":null}"#
        let answer = try await TestGateway().ask(.post, "/v1/rerank", body)
        #expect(answer.status == 200)
        let results = try Self.results(answer)
        #expect(results.count == 2 && results.allSatisfy { $0["document"] == nil })
        #expect(answer.json["model"] as? String == "jina-reranker-v2")
        #expect(answer.json["usage"] as? [String: Int] == ["total_tokens": 0, "prompt_tokens": 0])
        #expect((answer.json["id"] as? String).flatMap(UUID.init(uuidString:)) != nil)
        let texts = try await TestGateway().ask(
            .post, "/rerank", #"{"query":"ada","texts":["i1"],"raw_scores":null,"return_text":null}"#)
        #expect(texts.status == 200)
        for wrong in [#""documents":null"#, #""documents":["i1"],"exclude":null"#, #""documents":["i1"],"top_n":0"#] {
            #expect(try await TestGateway().ask(.post, "/rerank", #"{"query":"ada",\#(wrong)}"#).status == 422)
        }
        let unnamed = try await TestGateway().ask(.post, "/rerank", #"{"query":"ada","documents":["i1"],"model":7}"#)
        #expect(unnamed.status == 200 && unnamed.json["model"] == nil)
    }

    @Test(
        "Flags are flags also where they mean nothing",
        arguments: [
            #""documents":["i1"],"return_text":{}"#, #""documents":["i1"],"raw_scores":"yes""#,
            #""texts":["i1"],"return_documents":1"#,
        ])
    func flags(members: String) async throws {
        let coordinator = FakeCoordinator()
        let gateway = try TestGateway(coordinator)
        for path in ["/rerank", "/v1/rerank", "/v2/rerank"] {
            #expect(try await gateway.ask(.post, path, #"{"query":"ada",\#(members)}"#).status == 422)
        }
        #expect(coordinator.requests.isEmpty)
        // Both forms' flags at once are well, whichever is asked in.
        let both = #"{"query":"ada","documents":["i1"],"return_documents":true,"return_text":false}"#
        let answer = try await gateway.ask(.post, "/rerank", both)
        #expect(answer.status == 200)
        #expect(try Self.results(answer).first?["document"] != nil)
    }

    @Test("Conditions leave documents out, and each result keeps the position of its own document")
    func conditions() async throws {
        let coordinator = FakeCoordinator { request, id in
            guard case .query(var query) = request else { return try FakeReplies.any(request, id) }
            query.items.removeAll { ["i1", "i9"].contains($0) }
            return .success(try ReplyCoding.encode(FakeReplies.answer(query)))
        }
        let answer = try await TestGateway(coordinator).ask(
            .post, "/rerank",
            #"{"query":"ada","documents":["i1","i3","i9","i3","i2"],"exclude":["i2"],"where":{"year":{"min":1990}}}"#)
        #expect(answer.status == 200)
        let filter = ItemFilter(conditions: [.init(field: "year", minimum: 1990)])
        #expect(
            coordinator.requests == [
                .query(.init(user: "ada", items: ["i1", "i3", "i9", "i3"], top: nil, filter: filter))
            ])
        #expect(try Self.results(answer).compactMap { $0["index"] as? Int } == [1, 3])
    }

    @Test("A reply about other documents than were asked is no answer")
    func foreign() async throws {
        let coordinator = FakeCoordinator { request, id in
            guard case .query(var query) = request else { return try FakeReplies.any(request, id) }
            query.items.removeFirst()
            return .success(try ReplyCoding.encode(FakeReplies.answer(query)))
        }
        let answer = try await TestGateway(coordinator).ask(
            .post, "/rerank", #"{"query":"ada","documents":["i1","i3"]}"#)
        #expect(answer.status == 502 && answer.problem == "failed")
    }

    @Test(
        "What means something to a ranking only is refused, not left aside",
        arguments: [
            #""users":["ada"]"#, #""items":["i1"]"#, #""candidates":["i1"]"#, #""top":1"#, #""limit":1"#,
            #""explain":true"#, #""where":{}"#, #""deadline_ms":0"#,
        ])
    func elsewhere(member: String) async throws {
        let coordinator = FakeCoordinator()
        let answer = try await TestGateway(coordinator).ask(
            .post, "/rerank", #"{"query":"ada","documents":["i1"],\#(member)}"#)
        #expect(answer.status == 422 && answer.problem == "invalid-request", "\(member)")
        #expect(coordinator.requests.isEmpty)
    }

    @Test("A reranking waits as long as it says, not longer")
    func deadline() async throws {
        let coordinator = FakeCoordinator()
        let asked = Locked<[Duration]>([])
        var door = coordinator.door
        let ask = door.askQuestions
        door.askQuestions = { asking in
            asked.withLock { $0.append(asking.deadline) }
            return try await ask(asking)
        }
        let routes = QuestionRoutes(door: door, limits: GatewayLimits()).routes
        let route = try #require(routes.first { $0.path == "/v2/rerank" })
        for extra in ["", #","deadline_ms":700"#] {
            _ = try await route.handle(
                TestGateway.call(.post, route.path, #"{"query":"ada","documents":["i1"]\#(extra)}"#))
        }
        #expect(asked.withLock { $0 } == [.seconds(60), .milliseconds(700)])
    }
}
