import Foundation
import FoundationNetworking
import PeerTestSupport
import Testing

@Suite("Who watches a gateway, and what a gateway writes", .waiting)
struct GatewayWatchingTests {
    @Test func `Looking at the cluster leaves nothing in the audit log`() async throws {
        let cluster = try TestCluster()
        let server = try GatewayProcess(cluster)
        func entries() throws -> Int {
            let log = try cluster.succeed("audit")
            return try #require(log["entries"] as? [[String: Any]], "\(log)").count
        }
        #expect(try await server.ask("/readyz").status == 200)
        let before = try entries()
        let address = try #require(URLComponents(string: server.url))
        let page = try HangingClient(port: UInt16(try #require(address.port)))
        try page.send("GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in 0..<3 {
            // What was seen is told again for a second.
            try await Task.sleep(for: .milliseconds(1100))
            for path in ["/readyz", "/metrics", "/v1/overview", "/v1/status", "/v1/requests"] {
                #expect(try await server.ask(path).status == 200, "\(path)")
            }
        }
        page.close()
        _ = try cluster.succeed("requests")
        #expect(try entries() == before)
    }

    @Test func `In JSON every line of its log is an object, and an outage is one line however many ask`() async throws {
        let cluster = try TestCluster()
        cluster.coordinator?.kill()
        let process = try LetheProcess(
            [
                "gateway", "--coordinator", cluster.endpoint, "--listen", "http://127.0.0.1:0", "--log-format", "json",
            ], log: cluster.root.appendingPathComponent("gateway.log"))
        defer { process.stop() }
        var url: String?
        try wait("the gateway to listen: \(process.logText)") {
            url = process.logText.replacing("\\/", with: "/").firstMatch(of: /listens at (http:[^;]*);/).map {
                String($0.1)
            }
            return url != nil
        }
        let server = GatewayProcess(process, url: try #require(url))
        let list = try #require(URL(string: server.url + "/v1/requests"))
        try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<4 {
                group.addTask {
                    let (_, response) = try await URLSession.shared.data(from: list)
                    return (response as? HTTPURLResponse)?.statusCode ?? 0
                }
            }
            for try await status in group { #expect(status == 503) }
        }
        try cluster.startCoordinator()
        var isReady = false
        for _ in 0..<60 where !isReady {
            isReady = try await server.ask("/readyz").status == 200
            if !isReady { try await Task.sleep(for: .milliseconds(500)) }
        }
        #expect(isReady, "\(process.logText)")
        process.process.terminate()
        #expect(process.status(within: 20) == 0)
        let lines = try process.logText.split(separator: "\n").map { line in
            try #require(
                try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any], "\(process.logText)")
        }
        let messages = lines.map { "\($0["level"] ?? "") \($0["message"] ?? "")" }
        #expect(messages.count { $0.hasPrefix("warning") && $0.contains(cluster.endpoint) } == 1, "\(messages)")
        #expect(messages.count { $0 == "info the coordinator answers again" } == 1, "\(messages)")
    }
}
