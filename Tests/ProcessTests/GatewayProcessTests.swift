import Foundation
import PeerTestSupport
import Testing

@Suite("A gateway before a real coordinator", .waiting)
struct GatewayProcessTests {
    private static func ratings(users: Int) -> String {
        Ratings.csv(users: users).split(separator: "\n").dropFirst().map { line in
            let fields = line.split(separator: ",").map(String.init)
            return
                #"{"user":"\#(fields[0])","item":"\#(fields[1])","rating":\#(fields[2]),"timestamp":\#(fields[3]),"item_title":"\#(fields[4])"}"#
                + "\n"
        }.joined()
    }

    @Test("From an import to a certificate, all over HTTP; the answers are the command line's own")
    func everything() async throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(2)
        let server = try GatewayProcess(cluster)
        #expect(try await server.ask("/readyz").status == 200)

        let kind = ["Content-Type": "application/x-ndjson", "Idempotency-Key": "first-import"]
        let rows = Self.ratings(users: 12)
        let imported = try await server.ask("/v1/interactions", body: rows, headers: kind)
        #expect(imported.status == 200 && imported.json["rows_new"] as? Int == 180, "\(imported.json)")
        let again = try await server.ask("/v1/interactions", body: rows, headers: kind)
        #expect(again.json["rows_new"] as? Int == 180 && again.json["rows_read"] as? Int == 180)
        let unnamed = try await server.ask(
            "/v1/interactions", body: rows, headers: ["Content-Type": "application/x-ndjson"])
        #expect(unnamed.json["rows_new"] as? Int == 0 && unnamed.json["rows_already_there"] as? Int == 180)
        _ = try cluster.succeed("train", "--wait")

        let user = Ratings.name(3)
        let ranked = try await server.ask(
            "/v1/rank", body: #"{"user":"\#(user)","candidates":["i1","i2","i3"],"top":2}"#)
        #expect(ranked.status == 200, "\(ranked.json)")
        var told = try cluster.succeed("query", "--user", user, "--item", "i1", "i2", "i3", "--top", "2")
        var answer = ranked.json
        for key in ["seconds", "schema_version"] { (told[key], answer[key]) = (nil, nil) }
        #expect(NSDictionary(dictionary: told) == NSDictionary(dictionary: answer))
        #expect(try await server.ask("/v1/rank", body: #"{"user":"nobody"}"#).status == 404)
        #expect(try await server.ask("/v1/score", body: #"{"user":"\#(user)","items":["none"]}"#).status == 404)

        let body = #"{"user":"\#(user)"}"#
        let forgotten = try await server.ask("/v1/forget", body: body, headers: ["Idempotency-Key": "r1"])
        #expect(forgotten.status == 202, "\(forgotten.json)")
        #expect(try await server.ask("/v1/rank", body: body).status == 404)
        var state: String?
        for _ in 0..<600 where state != "finished" {
            try await Task.sleep(for: .milliseconds(100))
            state = (try await server.ask("/v1/requests/r1").json["request"] as? [String: Any])?["state"] as? String
        }
        #expect(state == "finished")
        let certificate = try await server.ask("/v1/certificates/r1")
        let repeated = try cluster.succeed("forget", "--user", user, "--request-id", "r1")
        let jws = (repeated["certificate"] as? [String: Any])?["jws"] as? String
        #expect(certificate.status == 200 && String(decoding: certificate.body, as: UTF8.self) == jws)
        #expect(try await server.ask("/v1/forget", body: body, headers: ["Idempotency-Key": "r1"]).status == 200)
        let other = try await server.ask(
            "/v1/forget", body: #"{"user":"\#(Ratings.name(4))"}"#, headers: ["Idempotency-Key": "r1"])
        #expect(other.status == 409)
        let listed = try await server.ask("/v1/requests")
        #expect((listed.json["requests"] as? [[String: Any]])?.map { $0["request"] as? String } == ["r1"])

        let metrics = String(decoding: try await server.ask("/metrics").body, as: UTF8.self)
        #expect(metrics.contains("lethe_coordinator_reachable 1\n") && !metrics.contains(user))
        server.process.process.terminate()
        #expect(server.process.status(within: 20) == 0)
        #expect(!server.process.logText.contains(user))
    }

    @Test(
        "The example in Python goes from a question to a certificate",
        .enabled(if: GatewayProcessTests.path(of: "python3") != nil, "there is no python3"))
    func python() async throws { try await run(example: "gateway.py", with: "python3", lines: 5) }

    @Test(
        "The example in JavaScript goes from a question to a certificate",
        .enabled(if: GatewayProcessTests.path(of: "node") != nil, "there is no node"))
    func javaScript() async throws { try await run(example: "gateway.mjs", with: "node", lines: 5) }

    @Test(
        "The example in TypeScript goes from a question, and one with a history, to a certificate",
        .enabled(if: GatewayProcessTests.nodeTakesTypesOut, "there is no node of 22.18 or later, which runs TypeScript")
    )
    func typeScript() async throws { try await run(example: "gateway.ts", with: "node", lines: 6) }

    @Test(
        "The example in TypeScript has no error of types",
        .enabled(if: GatewayProcessTests.path(of: "tsc") != nil, "there is no tsc"))
    func types() throws {
        let (status, printed) = try Self.output(
            of: #require(Self.path(of: "tsc")),
            [
                "--noEmit", "--strict", "--target", "es2022", "--module", "esnext", "--lib",
                "es2022,dom", Self.path(ofExample: "gateway.ts"),
            ])
        #expect(status == 0, "\(printed)")
    }

    private func run(example: String, with name: String, lines count: Int) async throws {
        let program = try #require(Self.path(of: name))
        let cluster = try TestCluster()
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 8))
        _ = try cluster.succeed("train", "--wait")
        let made = try lethe(["gateway", "token", "--role", "admin", "--json"])
        let tokens = cluster.root.appendingPathComponent("tokens")
        try Data("\(made.json["line"] as? String ?? "")\n".utf8).write(to: tokens)
        let server = try GatewayProcess(cluster, arguments: ["--tokens", tokens.path])
        #expect(try await server.ask("/v1/status").status == 401)

        let (status, printed) = try Self.output(
            of: program, [Self.path(ofExample: example), server.url, Ratings.name(2), "i1", "i2", "i3"],
            ["LETHE_TOKEN": made.json["token"] as? String ?? "", "PYTHONDONTWRITEBYTECODE": "1"])
        #expect(status == 0, "\(printed)")
        let lines = printed.split(separator: "\n")
        #expect(lines.count == count && lines.first?.contains("Film") == true, "\(printed)")
        #expect(lines.last?.split(separator: ".").count == 3, "\(printed)")
    }

    private static func path(ofExample name: String) -> String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("cluster/examples/\(name)").path
    }

    private static func output(
        of program: String, _ arguments: [String], _ environment: [String: String] = [:]
    ) throws -> (status: Int32, printed: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: program)
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        try process.run()
        let printed = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        process.waitUntilExit()
        return (process.terminationStatus, printed)
    }

    /// Whether TypeScript runs without a flag.
    private static var nodeTakesTypesOut: Bool {
        guard let node = path(of: "node"), let printed = try? output(of: node, ["--version"]).printed,
            let version = printed.firstMatch(of: /v(\d+)\.(\d+)/), let major = Int(version.1),
            let minor = Int(version.2)
        else { return false }
        // And 23.6, of a line that is no longer maintained.
        return major >= 24 || (major == 23 && minor >= 6) || (major == 22 && minor >= 18)
    }

    private static func path(of program: String) -> String? {
        (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/\(program)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
    }

    @Test("SIGHUP has the tokens read again; a file that cannot be read leaves them as they are")
    func reloading() async throws {
        let cluster = try TestCluster()
        let tokens = cluster.root.appendingPathComponent("tokens")
        let made = try ["query", "query"].map {
            try lethe(["gateway", "token", "--role", $0, "--json"]).json
        }
        let (lines, shown) = (made.map { $0["line"] as? String ?? "" }, made.map { $0["token"] as? String ?? "" })
        try Data(lines[0].utf8).write(to: tokens)
        let server = try GatewayProcess(cluster, arguments: ["--tokens", tokens.path])
        func admitted() async throws -> [Bool] {
            var admitted: [Bool] = []
            for token in shown {
                admitted.append(
                    try await server.ask("/v1/status", headers: ["Authorization": "Bearer \(token)"]).status == 200)
            }
            return admitted
        }
        #expect(try await admitted() == [true, false])
        try Data("\(lines[1])\n# the other one left\n".utf8).write(to: tokens)
        kill(server.process.process.processIdentifier, SIGHUP)
        for _ in 0..<200 where try await admitted() != [false, true] { try await Task.sleep(for: .milliseconds(50)) }
        #expect(try await admitted() == [false, true])
        try Data("no role at all".utf8).write(to: tokens)
        kill(server.process.process.processIdentifier, SIGHUP)
        try wait("the file to be refused") { server.process.logText.contains("tokens stay as they are") }
        #expect(try await admitted() == [false, true])
    }

    @Test("A coordinator serves HTTP from its own process, on loopback and without keys only")
    func embedded() async throws {
        let cluster = try TestCluster()
        _ = try cluster.importRatings(Ratings.csv(users: 8))
        cluster.stop()
        try cluster.startCoordinator(arguments: ["--http", "127.0.0.1:0"])
        let process = try #require(cluster.coordinator)
        var url: String?
        try wait("the gateway to listen: \(process.logText)") {
            url = process.logText.firstMatch(of: /listens at (http:[^;]*);/).map { String($0.1) }
            return url != nil
        }
        let server = GatewayProcess(process, url: try #require(url))
        let ranked = try await server.ask("/v1/rank", body: #"{"user":"\#(Ratings.name(2))","candidates":["i1"]}"#)
        #expect(ranked.status == 200, "\(ranked.json)")
        process.process.terminate()
        #expect(process.status(within: 30) == 0)
        for address in ["0.0.0.0:0", "nothing at all"] {
            let refused = try lethe([
                "coordinator", "--data", cluster.root.appendingPathComponent("other").path, "--model",
                cluster.model.path, "--http", address,
            ])
            #expect(refused.status == 64, "\(refused.errors)")
        }
    }

    @Test("What would let anybody in is refused with a line that says what to do")
    func unprotected() throws {
        for (arguments, word, status) in [
            (["--listen", "http://0.0.0.0:0"], "--tls-cert", 64),
            (["--listen", "http://0.0.0.0:0", "--behind-proxy"], "--tokens", 64),
            (["--listen", "here"], "http://", 64), (["--tokens", "/nowhere"], "/nowhere", 65),
            (["--listen", "https://127.0.0.1:0"], "--tls-cert", 64),
            (["--listen", "https://127.0.0.1:0", "--tls-cert", "/nowhere", "--tls-key", "/nowhere"], "PEM", 65),
        ] as [([String], String, Int32)] {
            let result = try lethe(["gateway", "--listen", "http://127.0.0.1:0"] + arguments)
            #expect(result.status == status, "\(arguments)")
            #expect(result.errors.contains(word), "\(result.errors)")
        }
    }

    @Test("A question whose client hangs up is left by the gateway, and by the coordinator")
    func hangingUp() async throws {
        let cluster = try TestCluster()
        let items = (0..<9000).map { "collector,c\($0),5,\($0),\($0) \(String(repeating: "long title ", count: 12))\n" }
        _ = try cluster.importRatings(Ratings.csv(users: 10) + items.joined())
        let server = try GatewayProcess(cluster)
        let address = try #require(URLComponents(string: server.url))
        let body = #"{"user":"\#(Ratings.name(2))","top":5,"limit":10000}"#
        let socket = try HangingClient(port: UInt16(try #require(address.port)))
        try socket.send(
            "POST /v1/rank HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                + "Content-Length: \(body.utf8.count)\r\n\r\n\(body)")
        func computing() throws -> Int {
            (try cluster.succeed("status")["questions"] as? [String: Int])?["computing"] ?? -1
        }
        try wait("the question to be computed: \(server.process.logText)") { try computing() == 1 }
        socket.close()
        // The coordinator notices when it says that it works on it, about once a second.
        try wait("the question to be left", seconds: 20) { try computing() == 0 }
        #expect(try await server.ask("/healthz").status == 200)
    }
}
