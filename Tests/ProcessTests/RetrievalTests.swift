import Foundation
import PeerTestSupport
import Testing

@Suite("Rankings of a catalogue that is too large to be computed", .waiting)
struct RetrievalTests {
    /// Six people like i0 and i1, six others i0 and i2, and "new" likes i0; the catalogue has 600 items.
    private static func cluster() throws -> TestCluster {
        let cluster = try TestCluster()
        var rows = ["user,item,rating,timestamp"]
        for number in 0..<6 {
            rows += ["a\(number),i0,5,1", "a\(number),i1,5,2", "b\(number),i0,4,3", "b\(number),i2,5,4"]
        }
        rows.append("new,i0,5,5")
        let products = ["item,title"] + (0..<600).map { "i\($0),Film \($0)" }
        let files = try [("ratings.csv", rows), ("products.csv", products)].map { name, lines in
            let file = cluster.root.appendingPathComponent(name)
            try Data((lines.joined(separator: "\n") + "\n").utf8).write(to: file)
            return file.path
        }
        _ = try cluster.succeed("import", "--format", "csv", files[0], files[1])
        return cluster
    }

    private func retrieval(_ reply: [String: Any]) -> [String: Int]? { reply["retrieval"] as? [String: Int] }

    private func items(_ reply: [String: Any]) -> [String] {
        (reply["items"] as? [[String: Any]] ?? []).compactMap { $0["item"] as? String }
    }

    @Test("Candidates are chosen first, by what is known of who is there, and the reply says how many from where")
    func chosen() async throws {
        let cluster = try Self.cluster()
        let server = try GatewayProcess(cluster, arguments: ["--model", cluster.model.path, "--threads", "1"])
        try server.waitForLease()
        func ask(_ liked: Int, _ popular: Int) async throws {
            var told = try cluster.succeed("query", "--user", "new", "--top", "200")
            let expected = [
                "candidates": 200, "of": 600, "liked_together": liked, "popular": popular,
                "others": 200 - liked - popular,
            ]
            #expect(retrieval(told) == expected)
            #expect(items(told).count == 200 && !items(told).contains("i0"))
            var answer = try await server.ask("/v1/rank", body: #"{"user":"new","top":200}"#).json
            for key in ["seconds", "schema_version"] { (told[key], answer[key]) = (nil, nil) }
            #expect(NSDictionary(dictionary: told) == NSDictionary(dictionary: answer))
        }
        try await ask(2, 0)
        _ = try cluster.succeed("forget", "--user", "a0")
        try await ask(2, 0)
        _ = try cluster.succeed("forget", "--interaction", "a1:i1")
        try await ask(1, 0)
        _ = try cluster.succeed("forget", "--user", "b0", "--user", "b1")
        try await ask(0, 0)
        // The last may not be counted yet.
        #expect(try server.metric("lethe_gateway_own_questions_answered_total") ?? 0 >= 3)
        // Before and after the coordinator is killed the same is known.
        cluster.coordinator?.kill()
        try cluster.startCoordinator()
        #expect(retrieval(try cluster.succeed("query", "--user", "new", "--top", "1"))?["liked_together"] == 0)
    }

    @Test("How many are chosen, and whether the whole catalogue is ranked, is the asker's to say")
    func asked() throws {
        let cluster = try Self.cluster()
        func query(_ arguments: String...) throws -> CommandResult {
            try cluster.command(["query", "--user", "new", "--top", "600"] + arguments)
        }
        let few = try query("--candidates", "7")
        #expect(few.status == 0 && items(few.json).count == 7 && Set(items(few.json)).isSuperset(of: ["i1", "i2"]))
        #expect(retrieval(few.json)?["candidates"] == 7)
        let beyond = try query("--candidates", "7", "--limit", "598")
        #expect(items(beyond.json).count == 7)
        for whole in [["--candidates", "all"], ["--limit", "599"], ["--candidates", "7", "--limit", "599"]] {
            let all = try cluster.command(["query", "--user", "new", "--top", "600"] + whole)
            #expect(all.status == 0 && items(all.json).count == 599 && all.json["retrieval"] == nil, "\(whole)")
        }
        let refused = try query("--limit", "598")
        #expect(refused.status == 65 && refused.errors.contains("--candidates N"), "\(refused.errors)")
        // Without a catalogue's limit as many are chosen as one wants to see.
        #expect(retrieval(try query().json)?["candidates"] == 599)
        let file = cluster.root.appendingPathComponent("200")
        try Data("i5\ni6\n".utf8).write(to: file)
        #expect(items(try query("--candidates", file.path).json).sorted() == ["i5", "i6"])
        let given = try cluster.command("query", "--history", "i0:5", "--top", "2", "--candidates", "2")
        #expect(items(given.json).sorted() == ["i1", "i2"] && retrieval(given.json)?["liked_together"] == 2)
        let text = try lethe([
            "query", "--user", "new", "--top", "2", "--coordinator", cluster.endpoint,
        ])
        #expect(
            String(decoding: text.output, as: UTF8.self).contains(
                "ranked: 200 candidates of 600 items (2 liked together with what is liked here, 198 of the rest, by id)"
            ))
    }
}
