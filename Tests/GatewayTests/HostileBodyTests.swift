import Foundation
import Testing

@testable import Gateway

@Suite("Bodies that are not what they should be")
struct HostileBodyTests {
    static let noRequests: [String] = [
        "", "{", "null", "[]", "7", #""ada""#, #"{"user":"ada""#, #"{"user":"ada"} x"#, #"{user:"ada"}"#,
        #"{"user":7}"#, #"{"user":null}"#, #"{"user":["ada"]}"#, #"{"user":"ada","users":["ben"]}"#, "{}",
        #"{"user":"ada","top":0}"#, #"{"user":"ada","top":1.5}"#, #"{"user":"ada","top":"3"}"#,
        #"{"user":"ada","top":1e99}"#, #"{"user":"ada","top":9223372036854775808}"#, #"{"user":"ada","top":true}"#,
        #"{"user":"ada","limit":0}"#, #"{"user":"ada","candidates":[]}"#, #"{"user":"ada","candidates":[1]}"#,
        #"{"user":"ada","candidates":"i1"}"#, #"{"user":"ada","candidates":["i1"],"limit":3}"#,
        #"{"user":"ada","deadline_ms":0}"#, #"{"user":"ada","tpo":3}"#, #"{"users":[]}"#,
        #"{"user":"ada","user":"ben"}"#, #"{"user":"ada","us\u0065r":"ben"}"#, #"{"user":"\ud800"}"#,
        String(repeating: "[", count: 100_000), #"{"user":"# + String(repeating: #"{"a":"#, count: 50_000),
        "\u{FEFF}" + #"{"user":7}"#, #"{"user":"ada","history":[]}"#, #"{"users":["ada"],"history":[]}"#,
        #"{"history":{}}"#, #"{"history":["i1"]}"#, #"{"history":[{"item":"i1"}]}"#, #"{"history":[{"rating":3}]}"#,
        #"{"history":[{"item":"i1","rating":"5"}]}"#, #"{"history":[{"item":"i1","rating":1e999}]}"#,
        #"{"history":[{"item":"i1","rating":5,"user":"ada"}]}"#,
        #"{"history":[{"item":"i1","rating":5,"timestamp":1},{"item":"i2","rating":5}]}"#,
        #"{"history":[{"item":"i1","rating":5,"timestamp":"yesterday"}]}"#, #"{"user":"ada","exclude":[]}"#,
        #"{"user":"ada","exclude":"i1"}"#, #"{"user":"ada","where":{}}"#, #"{"user":"ada","where":["year"]}"#,
        #"{"user":"ada","where":{"year":{}}}"#, #"{"user":"ada","where":{"year":{"min":2,"max":1}}}"#,
        #"{"user":"ada","where":{"year":{"from":1}}}"#, #"{"user":"ada","where":{"year":[1990]}}"#,
        #"{"user":"ada","where":{"year":true}}"#, #"{"user":"ada","where":{"year":null}}"#,
    ]

    @Test("A ranking's body that makes no sense is refused with a problem, and nobody is asked", arguments: noRequests)
    func rank(body: String) async throws {
        let coordinator = FakeCoordinator()
        let answer = try await TestGateway(coordinator).ask(.post, "/v1/rank", body)
        #expect([400, 422].contains(answer.status), "\(body.prefix(60)): \(answer.status)")
        #expect(answer.headers[.contentType] == "application/problem+json")
        #expect(["malformed-request", "invalid-request"].contains(answer.problem ?? ""))
        #expect(coordinator.requests.isEmpty)
    }

    @Test(
        "Nothing is forgotten by a body of which a part is not understood",
        arguments: [
            "{}", #"{"user":"ada","dryrun":true}"#, #"{"user":"ada","dry_run":"true"}"#,
            #"{"user":"ada","user":"ben"}"#,
            #"{"users":["ada"],"interactions":[{"user":"ada"}]}"#,
            #"{"interactions":[{"user":"a","item":"i","time":1}]}"#,
            #"{"interactions":[{"user":"a","item":"i","timestamp":"yesterday"}]}"#,
            #"{"interactions":[{"user":"a","item":"i","timestamp":null}]}"#, #"{"user":"ada","method":"none"}"#,
            #"{"user":"ada","method":"ifru","bridge":"ifru"}"#,
        ])
    func forget(body: String) async throws {
        let coordinator = FakeCoordinator()
        let answer = try await TestGateway(coordinator).ask(.post, "/v1/forget", body)
        #expect([400, 422].contains(answer.status))
        #expect(coordinator.requests.isEmpty)
    }

    @Test("Bytes that are no UTF-8, UTF-16 and a NUL are no JSON")
    func encodings() async throws {
        let gateway = try TestGateway()
        let utf16 = Array(#"{"user":"ada"}"#.utf16.flatMap { [UInt8($0 & 0xff), UInt8($0 >> 8)] })
        for bytes in [[0xff, 0xfe] + utf16, utf16, Array("{\"user\":\"a".utf8) + [0xc3, 0x28] + Array("\"}".utf8)] {
            #expect(try await gateway.ask(.post, "/v1/rank", bytes: bytes).status == 400)
        }
    }

    @Test("A body over the limit is not read to its end; one of another kind, or packed, is not read at all")
    func kinds() async throws {
        var limits = GatewayLimits()
        limits.body = 64
        let gateway = try TestGateway(limits: limits)
        let long = #"{"user":"\#(String(repeating: "a", count: 100))"}"#
        #expect(try await gateway.ask(.post, "/v1/rank", long).problem == "body-too-large")
        #expect(
            try await gateway.ask(.post, "/v1/rank", "{}", headers: ["Content-Length": "1000000"]).status == 413)
        for headers in [
            ["Content-Type": "text/plain"], ["Content-Type": "application/x-www-form-urlencoded"],
            ["Content-Encoding": "gzip"],
        ] {
            let answer = try await gateway.ask(.post, "/v1/rank", #"{"user":"ada"}"#, headers: headers)
            #expect(answer.status == 415)
        }
        let charset = ["Content-Type": "Application/JSON; charset=utf-8"]
        #expect(try await gateway.ask(.post, "/v1/rank", #"{"user":"ada"}"#, headers: charset).status == 200)
    }

    @Test("Names that nobody can have are unknown, wherever they stand")
    func names() async throws {
        let gateway = try TestGateway()
        for name in [" ", "a\\u0000b", "\\ufeff", String(repeating: "x", count: 1025)] {
            let answer = try await gateway.ask(.post, "/v1/rank", #"{"user":"\#(name)"}"#)
            #expect(answer.status == 404 && answer.problem == "unknown-user", "\(name.prefix(9))")
            let item = try await gateway.ask(.post, "/v1/score", #"{"user":"ada","items":["\#(name)"]}"#)
            #expect(item.status == 404 && item.problem == "unknown-item")
        }
        for path in ["/v1/requests/%00", "/v1/requests/\(String(repeating: "x", count: 129))", "/v1/requests/unknown"] {
            #expect(try await gateway.ask(.get, path).problem == "unknown-request")
        }
    }

    @Test(
        "Queries of unknown or doubled parameters, or of values out of bounds, are refused",
        arguments: [
            "limit=0", "limit=1001", "limit=x", "after=-1", "state=maybe", "page=2", "limit=1&limit=2", "limit=%ff",
        ])
    func queries(query: String) async throws {
        #expect(try await TestGateway().ask(.get, "/v1/requests?" + query).status == 400)
    }
}
