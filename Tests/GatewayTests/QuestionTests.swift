import Foundation
import Messages
import Testing

@testable import Gateway

@Suite("Questions over HTTP")
struct QuestionTests {
    @Test("A ranking is the coordinator's own reply")
    func rank() async throws {
        let coordinator = FakeCoordinator()
        let answer = try await TestGateway(coordinator).ask(
            .post, "/v1/rank", #"{"user":" ada ","candidates":["i3","i1"],"top":1,"explain":true,"deadline_ms":500}"#)
        #expect(answer.status == 200)
        let query = ClientRequest.QueryRequest(user: "ada", items: ["i3", "i1"], top: 1, explain: true)
        #expect(coordinator.requests == [.query(query)])
        #expect(answer.body == (try ReplyCoding.encode(FakeReplies.answer(query))))
    }

    @Test("Of the catalogue candidates are chosen, as many as one says, unless all of it is asked for or small enough")
    func catalogue() async throws {
        for (said, ranking) in [
            ("", .usual), (#","candidates":50"#, .chosen(50, limit: nil)),
            (#","candidates":50,"limit":70"#, .chosen(50, limit: 70)), (#","limit":70"#, .whole(atMost: 70)),
            (#","candidates":"all""#, .whole(atMost: 10_000)),
        ] as [(String, CatalogueRanking)] {
            let coordinator = FakeCoordinator()
            let answer = try await TestGateway(coordinator).ask(.post, "/v1/rank", #"{"user":"ada","top":3\#(said)}"#)
            #expect(answer.status == 200, "\(said)")
            #expect(coordinator.requests == [.query(.init(user: "ada", ranking: ranking, top: 3))])
            let retrieval = answer.json["retrieval"] as? [String: Int]
            #expect((retrieval?["candidates"] == 50) == said.contains("50"), "\(said)")
        }
        for wrong in [
            #""candidates":0"#, #""candidates":10001"#, #""candidates":"some""#, #""candidates":1.5"#,
            #""candidates":"all","limit":5"#, #""candidates":["i1"],"limit":5"#, #""candidates":null"#,
        ] {
            let answer = try await TestGateway().ask(.post, "/v1/rank", #"{"user":"ada",\#(wrong)}"#)
            #expect(answer.status == 422, "\(wrong)")
        }
    }

    @Test("Several users get an answer each; one who is unknown keeps nobody from one")
    func users() async throws {
        let answer = try await TestGateway().ask(.post, "/v1/rank", #"{"users":["ada","eve","ben"]}"#)
        #expect(answer.status == 200)
        let answers = try #require(answer.json["answers"] as? [[String: Any]])
        #expect(answers.map { $0["user"] as? String } == ["ada", "eve", "ben"])
        #expect(answers.map { $0["reply"] != nil } == [true, false, true])
        #expect((answers[1]["problem"] as? [String: Any])?["status"] as? Int == 404)
        #expect(try await TestGateway().ask(.post, "/v1/rank", #"{"user":"eve"}"#).problem == "unknown-user")
    }

    @Test("Scores come in the order asked")
    func score() async throws {
        let answer = try await TestGateway().ask(.post, "/v1/score", #"{"user":"ben","items":["i9","i2","i9"]}"#)
        let items = try #require(answer.json["items"] as? [[String: Any]])
        #expect(items.map { $0["item"] as? String } == ["i9", "i2", "i9"])
    }

    @Test(
        "Clients of Cohere and Jina get results with the documents' positions, best first",
        arguments: ["/rerank", "/v1/rerank"])
    func documents(path: String) async throws {
        let body =
            #"{"model":"any","query":"ada","documents":["i1",{"id":"i3"},{"text":"i2"},{"id":7}],"top_n":3,"return_documents":true}"#
        let coordinator = FakeCoordinator()
        let answer = try await TestGateway(coordinator).ask(.post, path, body)
        #expect(answer.status == 200)
        #expect(coordinator.requests == [.query(.init(user: "ada", items: ["i1", "i3", "i2", "7"], top: nil))])
        let results = try #require(answer.json["results"] as? [[String: Any]])
        let scores = results.compactMap { $0["relevance_score"] as? Double }
        #expect(scores.count == 3 && scores == scores.sorted(by: >))
        for result in results {
            let index = try #require(result["index"] as? Int)
            #expect((result["document"] as? [String: String])?["id"] == ["i1", "i3", "i2", "7"][index])
        }
    }

    @Test("Clients of TEI get an array; raw scores are margins")
    func texts() async throws {
        let body = #"{"query":"ada","texts":["i1","i3"],"raw_scores":true,"return_text":true,"truncate":true}"#
        let answer = try await TestGateway().ask(.post, "/rerank", body)
        let results = try #require(try JSONSerialization.jsonObject(with: answer.body) as? [[String: Any]])
        #expect(results.count == 2 && results.allSatisfy { $0["text"] is String })
        let margins = FakeReplies.answer(.init(user: "ada", items: ["i1", "i3"], top: nil)).items.map(\.margin)
        #expect(results.compactMap { $0["score"] as? Double } == margins.sorted(by: >))
    }

    @Test("Of equals the one that was named first comes first")
    func ties() async throws {
        let answer = try await TestGateway().ask(.post, "/rerank", #"{"query":"ada","documents":["i1","i1","i1"]}"#)
        let results = try #require(answer.json["results"] as? [[String: Any]])
        #expect(results.compactMap { $0["index"] as? Int } == [0, 1, 2])
    }
}
