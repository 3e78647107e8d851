import Foundation
import Messages
import Testing

@testable import Gateway

@Suite("Questions over HTTP about somebody who is not in the ledger, and about a part of the catalogue")
struct GivenHistoryTests {
    @Test("A history takes a user's place; times are read as imports read them")
    func history() async throws {
        let coordinator = FakeCoordinator()
        let answer = try await TestGateway(coordinator).ask(
            .post, "/v1/rank",
            #"{"history":[{"item":" i1 ","rating":4.5,"timestamp":"2026-01-02T00:00:00Z"},{"item":"i2","rating":1,"timestamp":1000}],"top":2}"#
        )
        #expect(answer.status == 200 && answer.json["user"] as? String == "")
        let history = [
            GivenRating(item: "i1", rating: 4.5, timestamp: 1_767_312_000),
            GivenRating(item: "i2", rating: 1, timestamp: 1000),
        ]
        #expect(coordinator.requests == [.query(.init(user: "", ranking: .usual, top: 2, history: history))])
    }

    @Test("Filters name items that are left out, and what fields of the others are")
    func filters() async throws {
        let coordinator = FakeCoordinator()
        let gateway = try TestGateway(coordinator)
        let body =
            #"{"history":[],"items":["i1","i2"],"exclude":["i2"],"where":{"year":{"min":1990,"max":1999.5},"genre":"Drama","disc":2}}"#
        #expect(try await gateway.ask(.post, "/v1/score", body).status == 200)
        let filter = ItemFilter(
            exclude: ["i2"],
            conditions: [
                .init(field: "disc", minimum: 2, maximum: 2), .init(field: "genre", text: "Drama"),
                .init(field: "year", minimum: 1990, maximum: 1999.5),
            ])
        #expect(
            coordinator.requests == [
                .query(.init(user: "", items: ["i1", "i2"], top: nil, history: [], filter: filter))
            ])
    }

    @Test("Several users are asked under one filter")
    func users() async throws {
        let coordinator = FakeCoordinator()
        let answer = try await TestGateway(coordinator).ask(
            .post, "/v1/rank", #"{"users":["ada","ben"],"exclude":["i1"]}"#)
        #expect((answer.json["answers"] as? [Any])?.count == 2)
        let filters = coordinator.requests.map { request -> [String]? in
            if case .query(let query) = request { query.filter?.exclude } else { nil }
        }
        #expect(filters == [["i1"], ["i1"]])
    }

    @Test("Longer histories, more excluded items and more fields than may be are refused, and nobody is asked")
    func bounds() async throws {
        let coordinator = FakeCoordinator()
        let gateway = try TestGateway(coordinator)
        let ratings = Array(repeating: #"{"item":"i1","rating":5}"#, count: 10_001).joined(separator: ",")
        let items = Array(repeating: #""i1""#, count: 10_001).joined(separator: ",")
        let fields = (0..<17).map { #""f\#($0)":1"# }.joined(separator: ",")
        for body in [
            #"{"history":[\#(ratings)]}"#, #"{"user":"ada","exclude":[\#(items)]}"#,
            #"{"user":"ada","where":{\#(fields)}}"#,
        ] {
            #expect(try await gateway.ask(.post, "/v1/rank", body).problem == "invalid-request")
        }
        let nobody = try await gateway.ask(.post, "/v1/rank", #"{"history":[{"item":" ","rating":5}]}"#)
        #expect(nobody.problem == "unknown-item")
        #expect(coordinator.requests.isEmpty)
    }
}
