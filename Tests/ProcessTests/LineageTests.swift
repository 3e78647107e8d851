import Foundation
import PeerTestSupport
import Testing

@Suite("What an outsider needs to train and weigh again, with real processes", .waiting)
struct LineageTests {
    @Test("Which prompt is in which shard, the margin table, and what a query's weights rest on are printed")
    func printed() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(1)
        let csv = Ratings.csv(users: 12)
        _ = try cluster.importRatings(csv)
        _ = try cluster.succeed("train", "--wait")
        let lineage = try cluster.succeed("adapters", "lineage")
        let shards = try #require(lineage["shards"] as? [[String: Any]])
        let dealt = shards.flatMap { ($0["prompts"] as? [[String: Any]] ?? []).compactMap { $0["id"] as? String } }
        // The ids are those of the prompts that an import would make.
        let file = cluster.root.appendingPathComponent("again.csv")
        try Data(csv.utf8).write(to: file)
        func ids(_ split: String) throws -> [String] {
            let printed = try lethe(["prompts", "--format", "csv", file.path, "--split", split])
            return try printed.output.split(separator: UInt8(ascii: "\n")).map { line in
                let object = try JSONSerialization.jsonObject(with: Data(line)) as? [String: Any]
                return try #require(object?["id"] as? String)
            }
        }
        #expect(try dealt.sorted() == ids("train").sorted() && !dealt.isEmpty)
        let references = try #require(lineage["references"] as? [[String: Any]]).compactMap { $0["id"] as? String }
        #expect(try references == ids("validation").sorted())
        let settings = try #require(lineage["settings"] as? [String: Any])
        #expect(settings["partition"] as? String == "user-hash" && settings["shards"] as? Int == 3)
        #expect((settings["prompts"] as? [String: Any])?["history_length"] as? Int == 10)
        let listed = try #require(try cluster.succeed("adapters", "list")["adapters"] as? [[String: Any]])
        for adapter in listed {
            let specification = try #require(adapter["specification"] as? [String: Any])
            for key in ["base", "batch", "epochs", "learning_rate", "lora", "precision", "seed", "warmup_steps"] {
                #expect(specification[key] != nil, "\(key)")
            }
            #expect((adapter["specification_digest"] as? String)?.count == 64)
        }
        let margins = try #require(lineage["margins"] as? [[String: Any]])
        let names = try cluster.adapterNames()
        #expect(margins.count == names.count)
        for row in margins {
            #expect(row["adapter"] as? String == names[try #require(row["shard"] as? Int)])
            #expect((row["margins"] as? [Double])?.count == references.count)
        }

        let answer = try cluster.succeed("query", "--user", Ratings.name(1), "--item", "i2", "i3", "--explain")
        let explanation = try #require(answer["explanation"] as? [[String: Any]])
        #expect(explanation.compactMap { $0["item"] as? String } == ["i2", "i3"])
        for item in explanation {
            let weights = (item["weights"] as? [[String: Any]] ?? []).compactMap { $0["weight"] as? Double }
            #expect(weights.count == names.count && abs(weights.reduce(0, +) - 1) < 1e-5)
            let neighbours = try #require(item["neighbours"] as? [String])
            #expect(Set(neighbours).isSubset(of: references))
        }
        #expect(try cluster.succeed("query", "--user", Ratings.name(1), "--item", "i2")["explanation"] == nil)
    }
}
