import Foundation
import PeerTestSupport
import Testing

@Suite("Prompts in other words, with real processes", .waiting)
struct WordsTests {
    /// Every byte is a token of the tiny model.
    private static let german = """
        {"layout": "{instruction}\\n{history}\\n{question}\\nAntwort:", "instruction": "Gefällt der Kundin die {noun}?",
         "history": "Gefiel: {liked}\\nGefiel nicht: {disliked}", "question": "Und diese {noun}: {target}?",
         "quotes": ["„", "“"], "empty": "nichts", "yes": "J", "no": "N"}
        """

    private func bring(
        _ csv: String, into cluster: TestCluster, template: String = Self.german, _ more: [String] = []
    ) throws -> CommandResult {
        let (file, words) = (
            cluster.root.appendingPathComponent("r.csv"), cluster.root.appendingPathComponent("w.json")
        )
        try Data(csv.utf8).write(to: file)
        try Data(template.utf8).write(to: words)
        return try cluster.command(
            ["import", "--format", "csv", file.path, "--domain", "Leuchte:Leuchten", "--template", words.path] + more)
    }

    @Test("A cluster with a template forgets exactly: its adapters are those of a fresh one without the data")
    func exact() throws {
        let forgotten = [Ratings.name(3), Ratings.name(7)]
        let cluster = try TestCluster()
        try cluster.startWorkers(2)
        #expect(try bring(Ratings.csv(users: 12), into: cluster).status == 0)
        _ = try cluster.succeed("train", "--wait")
        let before = try cluster.adapterNames()
        let reply = try cluster.succeed("forget", "--user", forgotten[0], "--user", forgotten[1], "--wait")
        #expect(reply["state"] as? String == "finished")
        let after = try cluster.adapterNames()
        #expect(before != after)
        let request = try #require(reply["request"] as? String)
        #expect(try cluster.succeed("verify", "--request", request)["verified"] as? Bool == true)

        let fresh = try TestCluster()
        try fresh.startWorkers(1)
        #expect(try bring(Ratings.csv(users: 12, leavingOut: Set(forgotten)), into: fresh).status == 0)
        _ = try fresh.succeed("train", "--wait")
        #expect(try fresh.adapterNames() == after)
        // The same in words that are answered otherwise: other adapters.
        let others = Self.german.replacingOccurrences(of: "\"N\"", with: "\"K\"")
        let refused = try bring(Ratings.csv(users: 12), into: fresh, template: others)
        #expect(refused.status != 0 && refused.errors.contains("--template is sha256:"), "\(refused.errors)")
        let changed = try bring(
            Ratings.csv(users: 12, leavingOut: Set(forgotten)), into: fresh, template: others, ["--change-prompts"])
        #expect(changed.status == 0, "\(changed.errors)")
        _ = try fresh.succeed("train", "--wait")
        #expect(try Set(fresh.adapterNames().values).isDisjoint(with: after.values))
    }

    @Test("A word of several tokens is refused at the import, by name, and nothing of the import is there")
    func severalTokens() throws {
        let cluster = try TestCluster()
        let words = Self.german.replacingOccurrences(of: "\"J\"", with: "\"Ja\"")
        let result = try bring(Ratings.csv(users: 8), into: cluster, template: words)
        #expect(result.status == 65)
        #expect(result.errors.contains("\"Ja\" cannot answer with this base model: it is 2 tokens"), "\(result.errors)")
        #expect(try cluster.succeed("status")["users"] as? Int ?? 0 == 0)
        let check = try bring(
            Ratings.csv(users: 8), into: cluster, template: words, ["--check", "--model", cluster.model.path])
        #expect(check.status == 65 && check.errors.contains("2 tokens"), "\(check.errors)")
    }

    @Test("Questions, checks and scores are in the words of the template, and scores are those of the cluster")
    func everywhere() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(1)
        let csv = Ratings.csv(users: 8)
        let check = try bring(csv, into: cluster, ["--check"])
        #expect((check.json["example"] as? String)?.contains("Und diese Leuchte: „Leuchte D“?\nAntwort:J") == true)
        #expect(try bring(csv, into: cluster).status == 0)
        let answer = try cluster.succeed("query", "--user", Ratings.name(1), "--item", "i1")
        #expect((answer["items"] as? [[String: Any]])?.first?["margin"] != nil)
        let access = try cluster.succeed("access", "--user", Ratings.name(1))
        let text = try #require((access["prompts"] as? [[String: Any]])?.first?["text"] as? String)
        #expect(text.hasPrefix("Gefällt der Kundin die Leuchte?\n") && text.hasSuffix("?\nAntwort:"))

        let arguments = [
            "--format", "csv", cluster.root.appendingPathComponent("r.csv").path, "--domain", "Leuchte:Leuchten",
        ]
        let template = ["--template", cluster.root.appendingPathComponent("w.json").path]
        let prompts = try lethe(["prompts"] + arguments + template + ["--split", "test"])
        let lines = String(decoding: prompts.output, as: UTF8.self).split(separator: "\n")
        #expect(lines.count == 8 && lines.allSatisfy { $0.contains("\"frame\"") })
        #expect(lines.allSatisfy { $0.contains(#""output":"J""#) || $0.contains(#""output":"N""#) })
        let file = cluster.root.appendingPathComponent("prompts.jsonl")
        try prompts.output.write(to: file)
        let scores = try lethe([
            "score", "--model", cluster.model.path, "--prompts", file.path, "--precision", "f32", "--weight-cache",
            "none",
        ])
        #expect(scores.status == 0, "\(scores.errors)")
        let margins = String(decoding: scores.output, as: UTF8.self).split(separator: "\n")
        #expect(margins.count == 8 && Set(margins).count > 1)
    }
}
