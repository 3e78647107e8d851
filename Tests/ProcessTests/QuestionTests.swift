import Foundation
import PeerTestSupport
import Testing

@Suite("Questions of many, about much, while people are forgotten", .waiting)
struct QuestionTests {
    /// With a catalogue whose ranking takes long.
    private func largeShop() throws -> TestCluster {
        let cluster = try TestCluster()
        let items = (0..<9000).map { number in
            "collector,c\(number),5,\(number),\(number) \(String(repeating: "long title ", count: 12))\n"
        }
        _ = try cluster.importRatings(Ratings.csv(users: 10) + items.joined())
        return cluster
    }

    private func longQuestion(_ cluster: TestCluster, _ number: Int) throws -> LetheProcess {
        try LetheProcess(
            [
                "query", "--user", Ratings.name(2), "--coordinator", cluster.endpoint, "--json", "--top", "5",
                "--limit",
                "10000",
            ], log: cluster.root.appendingPathComponent("question-\(number).log"))
    }

    private func counts(_ cluster: TestCluster) throws -> [String: Int] {
        try #require(try cluster.succeed("status")["questions"] as? [String: Int])
    }

    @Test("A catalogue that is too large is not ranked, unless one says so or names candidates")
    func limits() throws {
        let cluster = try TestCluster()
        _ = try cluster.importRatings(Ratings.csv(users: 10))
        let user = Ratings.name(2)
        let refused = try cluster.command("query", "--user", user, "--top", "3", "--limit", "2")
        #expect(refused.status == 65)
        #expect(refused.errors.contains("--candidates") && refused.errors.contains("--limit"))
        let whole = try cluster.succeed("query", "--user", user, "--top", "3", "--limit", "500")
        #expect((whole["items"] as? [Any])?.count == 3)

        let file = cluster.root.appendingPathComponent("candidates.txt")
        try Data("# what is in stock\ni1\r\n i2 \n\ni1\n".utf8).write(to: file)
        let named = try cluster.succeed("query", "--user", user, "--candidates", file.path)
        #expect((named["items"] as? [[String: Any]])?.map { $0["item"] as? String } == ["i1", "i2"])
        let best = try cluster.succeed("query", "--user", user, "--candidates", file.path, "--top", "1")
        #expect((best["items"] as? [Any])?.count == 1)
        #expect(try cluster.command("query", "--user", user, "--candidates", "/nowhere").status == 65)
        try Data("\n".utf8).write(to: file)
        #expect(try cluster.command("query", "--user", user, "--candidates", file.path).status == 65)
        #expect(try cluster.command("query", "--user", user, "--item", "i1", "--limit", "3").status == 64)
    }

    @Test("Several users are answered in one call; one who is unknown keeps nobody from an answer")
    func severalUsers() throws {
        let cluster = try TestCluster()
        _ = try cluster.importRatings(Ratings.csv(users: 10))
        let names = (1...3).map(Ratings.name)
        let answers = try cluster.command(["query", "--item", "i1", "--user"] + names)
        #expect(answers.status == 0)
        let listed = try #require(answers.json["answers"] as? [[String: Any]])
        #expect(listed.map { $0["user"] as? String } == names)
        #expect(listed.allSatisfy { ($0["reply"] as? [String: Any])?["items"] is [Any] })

        let file = cluster.root.appendingPathComponent("users.txt")
        try Data((names + ["nobody"]).joined(separator: "\n").utf8).write(to: file)
        let mixed = try cluster.command("query", "--users", file.path, "--top", "2")
        #expect(mixed.status == 65)
        let all = try #require(mixed.json["answers"] as? [[String: Any]])
        #expect(all.count == 4)
        #expect((all.last?["error"] as? [String: Any])?["code"] as? String == "unknown-user")
        #expect(all.dropLast().allSatisfy { $0["error"] == nil })
    }

    @Test("What is computed for a client that was killed is left, and a forget of somebody else disturbs nobody")
    func killedClientAndForget() throws {
        let cluster = try largeShop()
        let killed = try (0..<2).map { try longQuestion(cluster, $0) }
        try wait("the questions to be computed") { try counts(cluster)["computing"] == 2 }
        let kept = try longQuestion(cluster, 2)
        try wait("the third") { try counts(cluster)["waiting"] == 1 }
        for question in killed { question.kill() }
        try wait("what they asked to be left") { try counts(cluster)["computing"] == 1 }
        #expect(try counts(cluster)["answered"] == 0)
        // Without an adapter the answer rests on nothing of anybody else.
        _ = try cluster.succeed("forget", "--user", Ratings.name(7))
        var seen = try counts(cluster)
        seen["prompt_tokens"] = nil
        #expect(seen == ["waiting": 0, "computing": 1, "answered": 0, "gateways": 0])
        _ = try cluster.succeed("forget", "--user", Ratings.name(2))
        #expect(kept.status(within: 30) == 65)
        #expect(kept.logText.contains("no user"))
    }
}
