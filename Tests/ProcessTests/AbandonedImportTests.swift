import Foundation
import FoundationNetworking
import PeerTestSupport
import Testing

@Suite("Imports whose client goes away", .waiting)
struct AbandonedImportTests {
    /// Files of batches that the coordinator keeps aside.
    private func staged(_ cluster: TestCluster) -> [String] {
        (FileManager.default.enumerator(atPath: cluster.coordinatorDirectory.path)?.compactMap { $0 as? String } ?? [])
            .filter { $0.hasSuffix(".batch") }
    }

    private func line(_ number: Int) -> String {
        #"{"user":"u\#(number % 97)","item":"i\#(number % 31)","rating":5,"timestamp":\#(number),"item_title":"Film"}"#
            + "\n"
    }

    @Test("An upload over HTTP that breaks off leaves nothing staged at the coordinator, and the next one works")
    func upload() async throws {
        let cluster = try TestCluster()
        let server = try GatewayProcess(cluster)
        let address = try #require(URLComponents(string: server.url))
        let client = try HangingClient(port: UInt16(try #require(address.port)))
        let rows = (0..<12_000).map(line).joined()
        try client.send(
            "POST /v1/interactions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\n"
                + "Content-Length: 100000000\r\n\r\n")
        try client.send(rows)
        try wait("rows to be staged: \(server.process.logText)") { !staged(cluster).isEmpty }
        client.close()
        try wait("what was staged to be dropped", seconds: 20) { staged(cluster).isEmpty }
        let log = String(decoding: try cluster.command("audit").output, as: UTF8.self)
        #expect(log.contains("abandon import"))
        let kind = ["Content-Type": "application/x-ndjson"]
        let whole = try await server.ask("/v1/interactions", body: rows, headers: kind)
        #expect(whole.status == 200 && whole.json["rows_new"] as? Int == 12_000, "\(whole.json)")
        #expect(staged(cluster).isEmpty)
    }

    @Test("Sent again under its key, meanwhile and afterwards, an import has one summary and leaves nothing staged")
    func again() async throws {
        let cluster = try TestCluster()
        let server = try GatewayProcess(cluster)
        var request = URLRequest(url: try #require(URL(string: server.url + "/v1/interactions")))
        request.httpMethod = "POST"
        request.httpBody = Data((0..<12_000).map(line).joined().utf8)
        request.setValue("application/x-ndjson", forHTTPHeaderField: "Content-Type")
        request.setValue("day-1", forHTTPHeaderField: "Idempotency-Key")
        let sent = request
        async let first = URLSession.shared.data(for: sent).0
        async let second = URLSession.shared.data(for: sent).0
        let bodies = [try await first, try await second, try await URLSession.shared.data(for: sent).0]
        let json = try bodies.map { try JSONSerialization.jsonObject(with: $0) as? [String: Any] }
        #expect(json.allSatisfy { $0?["rows_new"] as? Int == 12_000 } && Set(bodies).count == 1, "\(json)")
        try wait("rows that nobody asks for to be dropped", seconds: 20) { staged(cluster).isEmpty }
    }

    @Test("An import from the command line that finds a file unreadable half-way leaves nothing staged")
    func commandLine() throws {
        let cluster = try TestCluster()
        let folder = cluster.root.appendingPathComponent("ratings")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let good = folder.appendingPathComponent("a.jsonl")
        try Data((0..<12_000).map(line).joined().utf8).write(to: good)
        // Cut in the middle of what was packed: a part comes out of it, and then no more.
        let packed = folder.appendingPathComponent("b.jsonl.gz")
        let zip = Process()
        zip.executableURL = URL(fileURLWithPath: "/bin/sh")
        zip.arguments = ["-c", "gzip -c \"$0\" | head -c 5000 > \"$1\"", good.path, packed.path]
        try zip.run()
        zip.waitUntilExit()
        let result = try cluster.command("import", "--format", "jsonl", good.path, packed.path)
        #expect(result.status == 65, "\(result.errors)")
        #expect(staged(cluster).isEmpty)
        #expect(try cluster.succeed("import", "--format", "jsonl", good.path)["rows_new"] as? Int == 12_000)
    }
}
