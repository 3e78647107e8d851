import Foundation
import HTTPTypes
import Testing

@testable import Gateway

@Suite("Forms of requests that clients get wrong")
struct RequestFormsTests {
    @Test("A parameter that a path does not know is refused, and nobody is asked")
    func parameters() async throws {
        let coordinator = FakeCoordinator()
        let gateway = try TestGateway(coordinator)
        for path in ["/v1/rank", "/v1/score", "/rerank", "/v1/forget"] {
            let answer = try await gateway.ask(.post, path + "?top=3", #"{"user":"ada","items":["i1"]}"#)
            #expect(answer.status == 400 && answer.problem == "malformed-request", "\(path)")
        }
        for path in [
            "/v1/requests/x?state=all", "/v1/certificates/x?format=json", "/v1/status?x", "/v1/adapters?shard=1",
            "/v1/overview?x=1", "/v1/events?x=1",
        ] {
            #expect(try await gateway.ask(.get, path).status == 400, "\(path)")
        }
        #expect(coordinator.requests.isEmpty)
        // Whoever probes or scrapes may add what it likes.
        for path in ["/healthz?now=1", "/readyz?x", "/metrics?collect=all", "/?from=mail", "/dashboard.js?v=2"] {
            #expect(try await gateway.ask(.get, path).status == 200, "\(path)")
        }
    }

    @Test("Whoever may not ask is told so before anything is said of the parameters")
    func strangers() async throws {
        let token = NewToken(role: .query, name: nil)
        let gateway = try TestGateway(tokens: token.line)
        #expect(try await gateway.ask(.get, "/v1/status?x=1").status == 401)
    }

    @Test("Superfluous slashes are no path, and the answer says so; others get no such hint")
    func slashes() async throws {
        let gateway = try TestGateway()
        for path in ["/v1/rank/", "//v1/rank", "/v1//rank", "/v1/requests/x/", "/healthz//"] {
            let answer = try await gateway.ask(.post, path, #"{"user":"ada"}"#)
            #expect(answer.status == 404 && answer.problem == "not-found", "\(path)")
            #expect((answer.json["detail"] as? String)?.contains("slash") == true, "\(path)")
        }
        for path in ["/v1", "/v1/requests/", "/v1/requests/%zz", "/v1/nothing/", "/V1/rank"] {
            let answer = try await gateway.ask(.get, path)
            #expect(answer.status == 404, "\(path)")
            let isHinted = (answer.json["detail"] as? String)?.contains("slash") == true
            // The list of requests is near.
            #expect(isHinted == (path == "/v1/requests/"), "\(path)")
        }
    }

    @Test("Whatever a client would accept, each path answers in its one form, errors as problems")
    func accept() async throws {
        let gateway = try TestGateway()
        for accept in ["text/html", "application/xml;q=1", "*/*;q=0", "application/json"] {
            let headers = ["Accept": accept]
            let well = try await gateway.ask(.post, "/v1/rank", #"{"user":"ada"}"#, headers: headers)
            #expect(well.status == 200 && well.headers[.contentType] == "application/json")
            let ill = try await gateway.ask(.post, "/v1/rank", "{}", headers: headers)
            #expect(ill.status == 422 && ill.headers[.contentType] == "application/problem+json")
        }
    }

    @Test("Who sends another kind of body is told which is read; who uses another method, which are known")
    func told() async throws {
        let gateway = try TestGateway()
        let kind = try await gateway.ask(.post, "/v1/rank", "{}", headers: ["Content-Type": "text/csv"])
        #expect(kind.status == 415 && kind.headers[.accept] == "application/json")
        #expect(kind.headers[.acceptEncoding] == "identity")
        let lines = try await gateway.ask(.post, "/v1/interactions", "{}")
        #expect(lines.status == 415 && lines.headers[.accept]?.contains("application/x-ndjson") == true)
        for (method, path, allowed) in [
            (.get, "/v1/rank", "POST"), (.head, "/v1/rank", "POST"), (.options, "/v2/rerank", "POST"),
            (.delete, "/v1/requests/x", "GET, HEAD"), (.put, "/healthz", "GET, HEAD"),
        ] as [(HTTPRequest.Method, String, String)] {
            let answer = try await gateway.ask(method, path)
            #expect(answer.status == 405 && answer.headers[.allow] == allowed, "\(method) \(path)")
            #expect(answer.body.isEmpty == (method == .head))
        }
    }

    @Test("HEAD is answered as GET, without a body, wherever something can be got")
    func heads() async throws {
        let gateway = try TestGateway()
        for route in gateway.responder.table.routes where route.method == .get && route.path != "/v1/events" {
            let path = route.path.replacing("{id}", with: "x")
            let (got, asked) = (try await gateway.ask(.get, path), try await gateway.ask(.head, path))
            #expect(asked.status == got.status && asked.body.isEmpty, "\(path)")
            #expect(asked.headers[.contentType] == got.headers[.contentType], "\(path)")
        }
    }

    @Test("Names in paths are what their percent-encoding says, also with a slash, and nothing else is decoded")
    func encoded() async throws {
        let gateway = try TestGateway()
        for (path, name) in [("a%2Fb", "a/b"), ("a%20b", "a b"), ("%C3%A9", "é"), ("a+b", "a+b"), ("a%2525", "a%25")] {
            let answer = try await gateway.ask(.get, "/v1/requests/\(path)")
            #expect((answer.json["request"] as? [String: Any])?["request"] as? String == name, "\(path)")
        }
        #expect(try await gateway.ask(.get, "/v1/r%65quests/x").status == 404)
    }

    @Test(
        "Whatever is wrong inside of a body is named by its place",
        arguments: [
            ("/v1/rank", #"{"history":[{"item":"i1","rating":5,"stars":1}]}"#, "history.stars"),
            ("/v1/rank", #"{"user":"ada","where":{"year":{"least":1990}}}"#, "where.year.least"),
            ("/v1/rank", #"{"user":"ada","where":{"year":[1990]}}"#, "where.year must be text, a number, or an object"),
            ("/v1/rank", #"{"user":"ada","where":{"year":null}}"#, "where.year must be text, a number, or an object"),
            ("/v1/rank", #"{"user":"ada","stars":1}"#, "what stars means"),
            ("/v1/forget", #"{"interactions":[{"user":"ada","item":"i1","stars":1}]}"#, "interactions.stars"),
        ])
    func places(path: String, body: String, words: String) async throws {
        let answer = try await TestGateway().ask(.post, path, body)
        #expect(answer.status == 422)
        #expect((answer.json["detail"] as? String)?.contains(words) == true, "\(answer.json)")
    }

    @Test(
        "A deadline is a whole number of milliseconds from 100 to 600,000",
        arguments: ["0", "-1", "99", "600001", "1e9", "1.5", "null", "\"500\"", "true", "NaN", "Infinity"])
    func deadlines(value: String) async throws {
        let coordinator = FakeCoordinator()
        let gateway = try TestGateway(coordinator)
        for (path, rest) in [
            ("/v1/rank", #""user":"ada""#), ("/v1/score", #""user":"ada","items":["i1"]"#),
            ("/rerank", #""query":"ada","documents":["i1"]"#),
        ] {
            let status = try await gateway.ask(.post, path, #"{\#(rest),"deadline_ms":\#(value)}"#).status
            #expect(status == (["NaN", "Infinity"].contains(value) ? 400 : 422), "\(path)")
        }
        #expect(coordinator.requests.isEmpty)
    }
}
