import Foundation
import Hummingbird
import Testing

@testable import Gateway

@Suite("Tokens and roles")
struct TokenTests {
    @Test("A file has a role and a hash a line, and comments")
    func parsing() throws {
        let made = NewToken(role: .forget, name: "the shop's back end")
        let text = "# who may\r\n\n  \(made.line)\nquery \(String(repeating: "AB", count: 32))\n"
        let file = try TokenFile(parsing: text)
        #expect(file.entries.map(\.role) == [.forget, .query])
        #expect(file.entries[0].name == "the shop's back end" && file.entries[1].name == nil)
        #expect(file.identity(of: made.token)?.roles == [.forget])
        #expect(!made.line.contains(made.token) && made.token != NewToken(role: .forget, name: nil).token)
        for other in ["", made.token + "x", String(made.token.dropLast()), made.line] {
            #expect(file.identity(of: other) == nil)
        }
    }

    @Test("A token may have several roles")
    func severalRoles() throws {
        let made = NewToken(role: .query, name: nil)
        let other = made.line.replacing("query", with: "audit")
        #expect(try TokenFile(parsing: made.line + "\n" + other).identity(of: made.token)?.roles == [.query, .audit])
    }

    @Test(
        "A file of which a line is not understood is refused, with the line",
        arguments: [
            "reader \(String(repeating: "ab", count: 32))", "query", "query abc",
            "query \(String(repeating: "ab", count: 31))",
            "query \(String(repeating: "zz", count: 32))", "Query \(String(repeating: "ab", count: 32))",
        ])
    func refused(line: String) {
        #expect { try TokenFile(parsing: "# one\n" + line) } throws: { ($0 as? TokenFile.Refusal)?.line == 2 }
    }

    @Test("Without a token 401, with another role 403; admin may do everything")
    func access() async throws {
        let (query, audit, admin) = (
            NewToken(role: .query, name: nil), NewToken(role: .audit, name: nil), NewToken(role: .admin, name: nil)
        )
        let gateway = try TestGateway(tokens: [query, audit, admin].map(\.line).joined(separator: "\n"))
        func status(_ token: String?, _ path: String, _ body: String?) async throws -> Int {
            try await gateway.ask(
                body == nil ? .get : .post, path, body,
                headers: token.map { ["Authorization": "Bearer \($0)"] } ?? [:], host: "shop.example"
            ).status
        }
        let calls: [(String, String?, query: Int, audit: Int)] = [
            ("/v1/rank", #"{"user":"ada"}"#, 200, 403), ("/v1/forget", #"{"user":"ada"}"#, 403, 403),
            ("/v1/requests", nil, 403, 200), ("/v1/status", nil, 200, 200), ("/metrics", nil, 200, 200),
        ]
        for (path, body, ofQuery, ofAudit) in calls {
            #expect(try await status(nil, path, body) == 401, "\(path)")
            #expect(try await status("lethe_wrong", path, body) == 401, "\(path)")
            #expect(try await status(query.token, path, body) == ofQuery, "\(path)")
            #expect(try await status(audit.token, path, body) == ofAudit, "\(path)")
            #expect([200, 202].contains(try await status(admin.token, path, body)), "\(path)")
        }
        for path in ["/healthz", "/openapi.json", "/"] { #expect(try await status(nil, path, nil) == 200) }
        let refused = try await gateway.ask(.get, "/v1/status")
        #expect(refused.headers[.wwwAuthenticate] == "Bearer" && refused.problem == "token-needed")
        // Whoever has shown none has no use of the connection; another role's token has.
        #expect(refused.headers[.connection] == "close")
        let other = try await gateway.ask(
            .get, "/v1/requests", headers: ["Authorization": "Bearer \(query.token)"], host: "shop.example")
        #expect(other.status == 403 && other.headers[.connection] == nil)
        for problem in [Problem.foreignHost, .anotherUser, .unknownUser] {
            #expect(Response(problem).headers[.connection] == "close")
        }
    }

    @Test("Who may neither forget nor audit sees no requests, and no head of the audit log, in the overview")
    func overview() async throws {
        let query = NewToken(role: .query, name: nil)
        let gateway = try TestGateway(tokens: query.line)
        let seen = try await gateway.ask(.get, "/v1/overview", headers: ["Authorization": "Bearer \(query.token)"])
        #expect((seen.json["evidence"] as? [String: Any])?.isEmpty == true)
        let status = try await gateway.ask(.get, "/v1/status", headers: ["Authorization": "Bearer \(query.token)"])
        for body in [seen.body, status.body] { #expect(!String(decoding: body, as: UTF8.self).contains("first")) }
        #expect(status.json["pending_forgets_total"] as? Int == 1)
        let all = try await TestGateway().ask(.get, "/v1/overview")
        #expect(Set((all.json["evidence"] as? [String: Any] ?? [:]).keys) == ["pending", "latest", "audit_head"])
    }

    @Test(
        "Without tokens only names of this machine are answered: a page of somebody else's cannot lead a browser here")
    func hosts() async throws {
        let gateway = try TestGateway()
        for host in ["localhost", "localhost:8080", "127.0.0.1:8080", "127.8.9.1", "[::1]:8080", "LOCALHOST"] {
            #expect(try await gateway.ask(.get, "/v1/status", host: host).status == 200, "\(host)")
        }
        for mark in ["X-Forwarded-For", "Forwarded", "Via"] {
            let passed = try await gateway.ask(.get, "/v1/status", headers: [mark: "10.0.0.9"])
            #expect(passed.problem == "foreign-host")
        }
        for host in ["evil.example", "localhost.evil.example", "10.0.0.1:8080", "[::2]", "127.0.0.1.evil.example"] {
            #expect(try await gateway.ask(.get, "/v1/status", host: host).problem == "foreign-host", "\(host)")
        }
    }

    @Test("What would let anybody in from elsewhere is refused at the start")
    func protection() throws {
        func objection(_ listen: String, _ change: (inout GatewayOptions) -> Void = { _ in }) -> GatewayError? {
            do {
                var options = GatewayOptions(listen: try ListenAddress(parsing: listen))
                change(&options)
                try options.check()
                return nil
            } catch {
                return error
            }
        }
        #expect(objection("http://127.0.0.1:8080") == nil && objection("http://[::1]:0") == nil)
        #expect(objection("http://localhost") == nil)
        for open in ["http://0.0.0.0:8080", "http://[::]:8080", "http://10.1.2.3:1"] {
            #expect(objection(open) != nil)
            #expect(objection(open) { $0.tokens = "t" } != nil)
            #expect(objection(open) { $0.isBehindProxy = true } != nil)
            #expect(objection(open) { ($0.tokens, $0.isBehindProxy) = ("t", true) } == nil)
        }
        #expect(objection("https://0.0.0.0:8443") { ($0.tokens, $0.certificate) = ("t", ("c", "k")) } == nil)
        #expect(objection("https://0.0.0.0:8443") { $0.certificate = ("c", "k") } != nil)
        #expect(objection("https://127.0.0.1:8443") != nil)
        #expect(objection("http://127.0.0.1:8080") { $0.certificate = ("c", "k") } != nil)
        #expect(objection("http://127.0.0.1:8080") { $0.isBehindProxy = true } != nil)
        for wrong in ["127.0.0.1:8080", "ftp://localhost", "http://", "http://localhost:99999", "http://localhost/x"] {
            #expect(objection(wrong) != nil, "\(wrong)")
        }
    }
}
