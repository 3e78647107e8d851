import Foundation
import HTTPTypes
import Messages
import Testing

@testable import Gateway

@Suite("The description of the interface")
struct OpenAPITests {
    private static func document() async throws -> [String: Any] {
        try await TestGateway().ask(.get, "/openapi.json").json
    }

    private static func routes() throws -> [Route] { try TestGateway().responder.table.routes }

    @Test("Every route is described and every description has its route, with the roles that it takes")
    func routes() async throws {
        let document = try await Self.document()
        #expect(document["openapi"] as? String == "3.1.0")
        let paths = try #require(document["paths"] as? [String: [String: Any]])
        var described: [String: [String]?] = [:]
        for (path, operations) in paths {
            for (method, operation) in operations {
                described["\(method.uppercased()) \(path)"] = .some(
                    (operation as? [String: Any])?["x-roles"] as? [String])
            }
        }
        var served: [String: [String]?] = [:]
        for route in try Self.routes() {
            let roles: [String]? =
                switch route.access {
                case .open: nil
                case .roles(let roles): roles.map(\.rawValue).filter { $0 != "admin" }
                }
            #expect(served.updateValue(roles, forKey: "\(route.method.rawValue) \(route.path)") == nil)
        }
        #expect(described == served)
    }

    @Test("Each path knows the parameters that are described, no others")
    func parameters() async throws {
        let paths = try await Self.document()["paths"] as? [String: [String: Any]] ?? [:]
        for route in try Self.routes() {
            let operation = paths[route.path]?[route.method.rawValue.lowercased()] as? [String: Any]
            let described = (operation?["parameters"] as? [[String: Any]] ?? []).filter {
                $0["in"] as? String == "query"
            }
            #expect(Set(described.compactMap { $0["name"] as? String }) == route.query ?? [], "\(route.path)")
        }
    }

    @Test("Names of operations are used once, every reference leads somewhere, and errors are problems everywhere")
    func references() async throws {
        let document = try await Self.document()
        let schema = Schema(document)
        var names: [String] = []
        for (path, operations) in document["paths"] as? [String: [String: Any]] ?? [:] {
            for case let operation as [String: Any] in operations.values {
                names.append(operation["operationId"] as? String ?? "")
                let responses = operation["responses"] as? [String: Any] ?? [:]
                let content = schema.resolve(responses["default"] ?? [:])["content"] as? [String: Any]
                #expect(content?["application/problem+json"] != nil, "\(path)")
            }
        }
        #expect(Set(names).count == names.count && !names.contains(""))
        func check(_ value: Any) {
            if let object = value as? [String: Any] {
                if object["$ref"] != nil { #expect(!schema.resolve(object).isEmpty, "\(object)") }
                object.values.forEach(check)
            }
            (value as? [Any])?.forEach(check)
        }
        check(document)
    }

    @Test("Whatever takes a body says that it may come too slowly, and what is unavailable for which reasons")
    func refusals() async throws {
        let document = try await Self.document()
        let schema = Schema(document)
        let paths = document["paths"] as? [String: [String: Any]] ?? [:]
        func description(_ route: Route, _ problem: Problem) -> String {
            let operation = paths[route.path]?[route.method.rawValue.lowercased()] as? [String: Any]
            let responses = operation?["responses"] as? [String: Any] ?? [:]
            return schema.resolve(responses["\(problem.status)"] ?? [:])["description"] as? String ?? ""
        }
        for route in try Self.routes() where route.method == .post {
            for problem in [Problem.slowBody, .draining, .noLease, .revoked] {
                #expect(description(route, problem).contains(problem.name), "\(route.path)")
            }
        }
    }

    @Test("What the gateway says, well or ill, is as it is described")
    func replies() async throws {
        let document = try await Self.document()
        let schema = Schema(document)
        let gateway = try TestGateway()
        let calls: [(HTTPRequest.Method, String, String, String?)] = [
            (.post, "/v1/rank", "/v1/rank", #"{"user":"ada"}"#),
            (.post, "/v1/rank", "/v1/rank", #"{"users":["ada","eve"]}"#),
            (.post, "/v1/rank", "/v1/rank", #"{"user":"ada","candidates":50}"#),
            (.post, "/rerank", "/rerank", #"{"history":[],"documents":["i1","i2"],"exclude":["i1"]}"#),
            (.post, "/v1/rank", "/v1/rank", #"{"user":"eve"}"#), (.post, "/v1/rank", "/v1/rank", "{"),
            (.post, "/v1/rank", "/v1/rank", #"{"history":[{"item":"i1","rating":5}],"exclude":["i2"]}"#),
            (.post, "/v1/score", "/v1/score", #"{"user":"ada","items":["i1"]}"#),
            (.post, "/v1/score", "/v1/score", #"{"history":[],"items":["i1"],"where":{"year":{"min":1990}}}"#),
            (.post, "/rerank", "/rerank", #"{"query":"ada","texts":["i1"]}"#),
            (.post, "/v1/rerank", "/v1/rerank", #"{"query":"ada","documents":["i1"],"return_documents":true}"#),
            (.post, "/v2/rerank", "/v2/rerank", #"{"model":"any","query":"ada","documents":["i1"],"top_n":null}"#),
            (.post, "/v2/rerank", "/v2/rerank", #"{"query":"ada","documents":["i1"],"top":1}"#),
            (.get, "/v1/status", "/v1/status?x=1", nil),
            (.post, "/v1/forget", "/v1/forget", #"{"user":"ada"}"#),
            (.post, "/v1/forget", "/v1/forget", #"{"user":"ada","dry_run":true}"#),
            (.get, "/v1/requests", "/v1/requests?limit=1", nil), (.get, "/v1/requests/{id}", "/v1/requests/x", nil),
            (.get, "/v1/requests/{id}", "/v1/requests/unknown", nil),
            (.get, "/v1/certificates/{id}", "/v1/certificates/x", nil), (.get, "/v1/status", "/v1/status", nil),
            (.get, "/v1/adapters", "/v1/adapters", nil), (.get, "/v1/overview", "/v1/overview", nil),
            (.get, "/v2/health/live", "/v2/health/live", nil), (.get, "/v2/health/ready", "/v2/health/ready", nil),
            (.get, "/metrics", "/metrics", nil), (.get, "/healthz", "/healthz", nil), (.get, "/", "/", nil),
        ]
        var times: [(place: String, value: Any)] = []
        for (method, template, path, body) in calls {
            let answer = try await gateway.ask(method, path, body)
            let paths = document["paths"] as? [String: [String: Any]] ?? [:]
            let operation = paths[template]?[method.rawValue.lowercased()] as? [String: Any] ?? [:]
            let responses = operation["responses"] as? [String: Any] ?? [:]
            let response = schema.resolve(responses["\(answer.status)"] ?? responses["default"] ?? [:])
            let content = response["content"] as? [String: Any] ?? [:]
            let kind = String((answer.headers[.contentType] ?? "").prefix { $0 != ";" })
            let described = try #require(content[kind] as? [String: Any], "\(path): \(answer.status) \(kind)")
            guard kind.hasSuffix("json"), let wanted = described["schema"] else { continue }
            let value = try JSONSerialization.jsonObject(with: answer.body)
            #expect(schema.objection(to: value, wanted) == nil, "\(path) \(body ?? "")")
            times += Self.times(in: value, at: path)
        }
        // Nobody reads a number as a time who does not know from when on it counts.
        #expect(times.count > 5 && times.contains { $0.place == "/v1/forget.outcome.received" })
        for (place, value) in times {
            #expect((value as? String).flatMap(Date.init(iso8601:)) != nil, "\(place): \(value)")
        }
    }

    /// What the keys that times have everywhere hold.
    private static func times(in value: Any, at place: String) -> [(place: String, value: Any)] {
        if let array = value as? [Any] { return array.flatMap { times(in: $0, at: place) } }
        guard let object = value as? [String: Any] else { return [] }
        return object.keys.sorted().flatMap { key -> [(place: String, value: Any)] in
            guard let found = object[key] else { return [] }
            if ["received", "due", "finished", "created", "time", "since"].contains(key), !(found is [String: Any]) {
                return [("\(place).\(key)", found)]
            }
            return times(in: found, at: "\(place).\(key)")
        }
    }
}
