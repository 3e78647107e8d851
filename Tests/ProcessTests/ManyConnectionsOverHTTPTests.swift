import Foundation
import PeerTestSupport
import Testing

@Suite("Very many connections over HTTP", .serialized, .waiting)
struct ManyConnectionsOverHTTPTests {
    /// Of a coordinator with `--http`.
    private func embedded(_ cluster: TestCluster) throws -> GatewayProcess {
        cluster.coordinator?.kill()
        try cluster.startCoordinator(arguments: ["--http", "127.0.0.1:0"])
        let process = try #require(cluster.coordinator)
        var url: String?
        try wait("the coordinator to serve HTTP: \(process.logText)") {
            url = process.logText.firstMatch(of: /listens at (http:\S+);/).map { String($0.1) }
            return url != nil
        }
        return GatewayProcess(process, url: url ?? "")
    }

    @Test func `A coordinator that serves HTTP keeps its own connections free of those, and whoever comes gets in`()
        async throws
    {
        let cluster = try TestCluster(limits: "-n 512")
        defer { cluster.stop() }
        let gateway = try embedded(cluster)
        let held = try (0..<300).map { _ in try RawPeer(gateway.url, greets: false) }
        for _ in 0..<3 {
            #expect(try await gateway.ask("/healthz").status == 200)
            _ = try cluster.succeed("status")
        }
        // The oldest ones gave way.
        #expect(held.prefix(100).allSatisfy { $0.isClosed(within: 30) })
        let displaced = try gateway.metric("lethe_gateway_connections_displaced_total") ?? 0
        #expect(displaced >= 100)
        #expect(gateway.process.logText.contains("all connections are taken"))
        withExtendedLifetime(held) {}
    }

    @Test func `A gateway raises a small soft limit at its start`() throws {
        let cluster = try TestCluster()
        defer { cluster.stop() }
        let gateway = try GatewayProcess(cluster, limits: "-Sn 128")
        let number = gateway.process.process.processIdentifier
        let limits = try String(contentsOfFile: "/proc/\(number)/limits", encoding: .utf8)
        let row = try #require(limits.split(separator: "\n").first { $0.hasPrefix("Max open files") })
        let values = row.split(separator: " ").compactMap { Int($0) }
        #expect(values.count == 2 && values[0] == values[1] && values[0] > 128, "\(row)")
    }
}
