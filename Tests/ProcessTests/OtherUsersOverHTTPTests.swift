import Foundation
import PeerTestSupport
import Testing

@Suite(
    "HTTP on loopback without tokens, and another user of the machine", .waiting,
    .enabled(if: OtherUser.isAvailable, "it takes root and setpriv(1) to be another user"))
struct OtherUsersOverHTTPTests {
    private func gateways(_ arguments: [String]) throws -> (TestCluster, [GatewayProcess]) {
        let cluster = try TestCluster()
        cluster.coordinator?.kill()
        try cluster.startCoordinator(arguments: ["--http", "127.0.0.1:0"] + arguments)
        let process = try #require(cluster.coordinator)
        var url: String?
        try wait("the coordinator to serve HTTP: \(process.logText)") {
            url = process.logText.firstMatch(of: /listens at (http:\S+);/).map { String($0.1) }
            return url != nil
        }
        return (cluster, [GatewayProcess(process, url: url ?? ""), try GatewayProcess(cluster, arguments: arguments)])
    }

    @Test func `It gets nothing of a gateway and of a coordinator's own; this user and root get everything`()
        async throws
    {
        let (cluster, gateways) = try gateways([])
        defer { cluster.stop() }
        _ = try cluster.importRatings(Ratings.csv(users: 6))
        for gateway in gateways {
            #expect(try await gateway.ask("/v1/status").status == 200)
            for path in ["/v1/status", "/healthz", "/"] {
                let told = try OtherUser.ask(gateway, "GET \(path)")
                #expect(told.hasPrefix("HTTP/1.1 403") && told.contains("another-user"), "\(path): \(told)")
                #expect(told.contains("--open-loopback"))
            }
            #expect(gateway.process.logText.contains("refused a connection of user 65534"))
            #expect(try await gateway.ask("/v1/status").status == 200)
        }
    }

    @Test func `Whoever sends a request and is gone at once is not taken for root`() async throws {
        let (cluster, gateways) = try gateways([])
        defer { cluster.stop() }
        _ = try cluster.importRatings(Ratings.csv(users: 6))
        let body = #"{"user":"\#(Ratings.name(3))"}"#
        for gateway in gateways {
            for _ in 0..<20 { try OtherUser.send(gateway, "POST /v1/forget", body) }
            #expect(try await gateway.ask("/v1/status").status == 200)
        }
        #expect((try cluster.succeed("requests")["requests"] as? [Any])?.isEmpty == true)
        // The same by this user is one.
        #expect([200, 202].contains(try await gateways[1].ask("/v1/forget", body: body).status))
    }

    @Test func `Opened, a gateway and a coordinator's own answer it`() throws {
        let (cluster, gateways) = try gateways(["--open-loopback"])
        defer { cluster.stop() }
        for gateway in gateways {
            #expect(try OtherUser.ask(gateway, "GET /v1/status").hasPrefix("HTTP/1.1 200"))
        }
    }
}

/// The user `nobody`, with a shell for a client.
private enum OtherUser {
    static let isAvailable = geteuid() == 0 && FileManager.default.isExecutableFile(atPath: "/usr/bin/setpriv")

    /// - Returns: the whole answer.
    static func ask(_ gateway: GatewayProcess, _ line: String) throws -> String {
        try run(gateway, request(line, ""), then: "cat <&3")
    }

    /// Closes the connection as soon as the request is on its way.
    static func send(_ gateway: GatewayProcess, _ line: String, _ body: String) throws {
        _ = try run(gateway, request(line, body), then: "exec 3>&-")
    }

    private static func request(_ line: String, _ body: String) -> String {
        let head =
            "\(line) HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: \(body.utf8.count)\r\n\r\n"
        return head + body
    }

    private static func run(_ gateway: GatewayProcess, _ request: String, then: String) throws -> String {
        let port = try #require(URL(string: gateway.url)?.port)
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/setpriv")
        process.arguments = [
            "--reuid=65534", "--regid=65534", "--clear-groups", "bash", "-c",
            "cd /; exec 3<>/dev/tcp/127.0.0.1/\(port) && printf %s \"$REQUEST\" >&3 && \(then)",
        ]
        process.environment = ["REQUEST": request, "PATH": "/usr/bin:/bin"]
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let told = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return String(decoding: told, as: UTF8.self)
    }
}
