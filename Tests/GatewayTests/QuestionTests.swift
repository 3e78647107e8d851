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

    @Test("Instead of a user a history may be reranked for; documents that are excluded are not among the results")
    func givenHistory() async throws {
        let history = [GivenRating(item: "i5", rating: 4), GivenRating(item: "i6", rating: 1)]
        let ratings = #"[{"item":"i5","rating":4},{"item":"i6","rating":1}]"#
        for query in ["", #""query":"","#] {
            let coordinator = FakeCoordinator()
            let answer = try await TestGateway(coordinator).ask(
                .post, "/rerank",
                #"{\#(query)"history":\#(ratings),"documents":["i3","i1","i9","i1","i2"],"exclude":["i1","no item"]}"#)
            #expect(answer.status == 200)
            let asked = ClientRequest.QueryRequest(user: "", items: ["i3", "i9", "i2"], top: nil, history: history)
            #expect(coordinator.requests == [.query(asked)])
            let results = try #require(answer.json["results"] as? [[String: Any]])
            let margins = FakeReplies.answer(asked).items.map(\.margin)
            let order = [(0, 0), (2, 1), (4, 2)].sorted { margins[$0.1] > margins[$1.1] }.map(\.0)
            #expect(results.compactMap { $0["index"] as? Int } == order)
        }
        let texts = try await TestGateway().ask(
            .post, "/rerank", #"{"query":"ada","texts":["i1","i2"],"exclude":["i1"]}"#)
        let scores = try #require(try JSONSerialization.jsonObject(with: texts.body) as? [[String: Any]])
        #expect(scores.compactMap { $0["index"] as? Int } == [1])
        for wrong in [
            #""documents":["i1"]"#, #""query":"","documents":["i1"]"#,
            #""query":"ada","history":[],"documents":["i1"]"#,
            #""query":"ada","documents":["i1"],"exclude":["i1"]"#, #""query":"ada","documents":["i1"],"exclude":"i1""#,
            #""history":[{"item":"i1","rating":1,"timestamp":1},{"item":"i2","rating":1}],"documents":["i1"]"#,
        ] {
            let status = try await TestGateway().ask(.post, "/rerank", "{\(wrong)}").status
            #expect(status == 422 || (wrong.contains(#""query":"""#) && status == 404), "\(wrong) \(status)")
        }
    }

    @Test("Of equals the one that was named first comes first")
    func ties() async throws {
        let answer = try await TestGateway().ask(.post, "/rerank", #"{"query":"ada","documents":["i1","i1","i1"]}"#)
        let results = try #require(answer.json["results"] as? [[String: Any]])
        #expect(results.compactMap { $0["index"] as? Int } == [0, 1, 2])
    }
}
