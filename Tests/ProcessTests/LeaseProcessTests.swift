import Foundation
import FoundationNetworking
import Testing

@Suite("Gateways that answer themselves", .waiting)
struct LeaseProcessTests {
    private static func ask(_ url: String, _ user: String, _ items: [String] = ["i1", "i2", "i3"]) async throws -> (
        status: Int, json: [String: Any]
    ) {
        var request = URLRequest(url: try #require(URL(string: url + "/v1/rank")))
        request.timeoutInterval = 60
        request.httpMethod = "POST"
        request.httpBody = try JSONSerialization.data(withJSONObject: ["user": user, "candidates": items])
        request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        let (data, response) = try await URLSession.shared.data(for: request)
        let json = (try? JSONSerialization.jsonObject(with: data) as? [String: Any]) ?? [:]
        return ((response as? HTTPURLResponse)?.statusCode ?? 0, json)
    }

    private func trained(arguments: [String] = []) throws -> TestCluster {
        let cluster = try TestCluster()
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 12))
        _ = try cluster.succeed("train", "--wait")
        return cluster
    }

    private func gateway(_ cluster: TestCluster) throws -> GatewayProcess {
        try GatewayProcess(cluster, arguments: ["--model", cluster.model.path, "--threads", "1"])
    }

    private func seconds(_ body: () throws -> Void) rethrows -> Double {
        let start = ContinuousClock.now
        try body()
        return (ContinuousClock.now - start) / .seconds(1)
    }

    @Test func `Their answers are the coordinator's to the bit, and end with the acknowledgement of a forget`()
        async throws
    {
        let cluster = try trained()
        let server = try gateway(cluster)
        try server.waitForLease()
        let user = Ratings.name(3)
        var answer = try await Self.ask(server.url, user).json
        var told = try cluster.succeed("query", "--user", user, "--item", "i1", "i2", "i3", "--top", "10")
        for key in ["seconds", "schema_version"] { (told[key], answer[key]) = (nil, nil) }
        #expect(NSDictionary(dictionary: told) == NSDictionary(dictionary: answer))
        #expect(try server.metric("lethe_gateway_own_questions_answered_total") == 1)

        let before = try cluster.adapterNames()
        let forgotten = try cluster.succeed("forget", "--user", user, "--request-id", "r1")
        let touched = (forgotten["shards"] as? [[String: Any]] ?? []).compactMap { $0["shard"] as? Int }
        let gone = touched.compactMap { before[$0] }
        #expect(!gone.isEmpty)
        #expect(try await Self.ask(server.url, user).status == 404)
        let other = try await Self.ask(server.url, Ratings.name(4)).json
        let names = (other["adapters"] as? [[String: Any]] ?? []).compactMap { $0["name"] as? String }
        #expect(Set(names).isDisjoint(with: gone))
        server.process.process.terminate()
        #expect(server.process.status(within: 20) == 0)
        // It gave its lease back: nobody waits for it.
        #expect(try seconds { _ = try cluster.succeed("forget", "--user", Ratings.name(5)) } < 2)
    }

    @Test func `One that hangs keeps a forget waiting for its lease, and answers nothing wrong afterwards`()
        async throws
    {
        let cluster = try trained()
        let server = try gateway(cluster)
        try server.waitForLease()
        let user = Ratings.name(3)
        #expect(try await Self.ask(server.url, user).status == 200)
        server.process.pause()
        let url = server.url
        async let late = Self.ask(url, user)
        let waited = try seconds { _ = try cluster.succeed("forget", "--user", user) }
        #expect(waited > 0.5 && waited < 6, "\(waited) s")
        #expect(try seconds { _ = try cluster.succeed("forget", "--user", Ratings.name(4)) } < 2)
        server.process.resume()
        #expect(try await late.status == 404)
        #expect(try await Self.ask(server.url, Ratings.name(5)).status == 200)
    }

    @Test func `After a coordinator that was killed the next one acknowledges only when no lease can hold any more`()
        async throws
    {
        let cluster = try trained()
        let server = try gateway(cluster)
        try server.waitForLease()
        cluster.coordinator?.kill()
        try cluster.startCoordinator()
        let user = Ratings.name(3)
        let waited = try seconds { _ = try cluster.succeed("forget", "--user", user) }
        #expect(waited > 1 && waited < 8, "\(waited) s")
        #expect(try await Self.ask(server.url, user).status == 404)
        #expect(try await Self.ask(server.url, Ratings.name(5)).status == 200)
    }

    @Test func `Another base model is refused`() throws {
        let cluster = try trained()
        let other = cluster.root.appendingPathComponent("other-model")
        try TinyModelDirectory.write(to: other, seed: 2)
        let result = try lethe([
            "gateway", "--coordinator", cluster.endpoint, "--listen", "http://127.0.0.1:0", "--model", other.path,
        ])
        #expect(result.status == 77 && result.errors.contains("another base model"), "\(result.errors)")
    }

    @Test func `Where there are keys only those that are named as gateways' may answer`() async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-lease-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let files = ["coordinator", "member", "front"].map { folder.appendingPathComponent($0).path }
        for file in files { #expect(try lethe(["keys", file]).status == 0) }
        let cluster = try TestCluster(settings: [
            "--keys", files[0], "--allow", files[1] + ".pub", "--allow-gateway", files[2] + ".pub", "--shards", "2",
        ])
        let environment = ["LETHE_KEYS": files[1], "LETHE_COORDINATOR_KEY": files[0] + ".pub"]
        func run(_ arguments: String...) throws -> CommandResult {
            try lethe(arguments + ["--coordinator", cluster.endpoint, "--json"], environment: environment)
        }
        try cluster.startWorker(0, environment: environment)
        let ratings = folder.appendingPathComponent("r.csv")
        try Data(Ratings.csv(users: 9).utf8).write(to: ratings)
        #expect(try run("import", "--format", "csv", ratings.path).status == 0)
        #expect(try run("train", "--wait").status == 0)

        let keys = ["--coordinator-key", files[0] + ".pub", "--model", cluster.model.path, "--threads", "1", "--keys"]
        let refused = try lethe(
            ["gateway", "--coordinator", cluster.endpoint, "--listen", "http://127.0.0.1:0"] + keys + [files[1]])
        #expect(refused.status == 77 && refused.errors.contains("--allow-gateway"), "\(refused.errors)")

        let server = try GatewayProcess(cluster, arguments: keys + [files[2]])
        try server.waitForLease()
        #expect(try await Self.ask(server.url, Ratings.name(2)).status == 200)
        let entries = try run("audit").json["entries"] as? [[String: Any]] ?? []
        let details = entries.compactMap { $0["detail"] as? String }.compactMap {
            try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
        let served = details.filter { $0["asked"] as? String == "serve adapter" && $0["by"] as? String == "front" }
        #expect(served.count == 2 && served.allSatisfy { $0["adapter"] is String }, "\(entries)")
    }
}
