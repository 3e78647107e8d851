import Foundation
import PeerTestSupport
import Testing

@Suite("Approximate forgetting, with real processes", .waiting)
struct ApproximateForgettingTests {
    private static let settings = ["--partition", "user-hash", "--shards", "2", "--epochs", "2"]

    private func shards(_ cluster: TestCluster) throws -> [[String: Any]] {
        try #require(try cluster.succeed("status")["shards"] as? [[String: Any]])
    }

    @Test("ifru and e2urec give adapters that are called approximate everywhere, and leave no trace")
    func approximateEverywhere() throws {
        let cluster = try TestCluster(settings: Self.settings + ["--prepare", "ifru"])
        try cluster.startWorkers(2)
        var csv = Ratings.csv(users: 16)
        csv += "\(Ratings.name(5)),i-rare,5,1052,The Unmistakable Film\n"
        _ = try cluster.importRatings(csv)
        _ = try cluster.succeed("train", "--wait")
        try wait("preparations: \(cluster.workers.values.map(\.logText))") {
            try shards(cluster).allSatisfy { $0["prepared"] as? Bool == true }
        }
        let plan = try cluster.succeed("forget", "--user", Ratings.name(5), "--method", "ifru", "--dry-run")
        #expect(plan["method"] as? String == "ifru" && (plan["shards"] as? [Int])?.isEmpty == true)
        let corrected = try #require(plan["corrects"] as? [Int])
        #expect(corrected.count == 1)

        let reply = try cluster.succeed("forget", "--user", Ratings.name(5), "--method", "ifru", "--wait")
        let certificate = try #require(reply["certificate"] as? [String: Any])
        let statement = try #require(certificate["statement"] as? [String: Any])
        #expect((statement["exactness"] as? String)?.hasPrefix("approximate") == true)
        #expect(statement["method"] as? String == "ifru")
        // Nothing is signed but what was measured.
        #expect((statement["exactness"] as? String)?.contains("reduced") == false)
        let signed = (statement["shards"] as? [[String: Any]])?.first?["approximation"] as? [String: Any]
        let measured = try #require(signed?["measured"] as? [String: Any])
        let margins = try #require(measured["forgotten_margins"] as? [String: Any])
        #expect((margins["prompts"] as? Int ?? 0) > 0 && margins["mean_from_label"] is NSNumber)
        let trial = try #require(measured["trial"] as? [String: Any])
        #expect(trial["distance_before"] is NSNumber && trial["distance_after"] is NSNumber)
        let summary = try #require((reply["shards"] as? [[String: Any]])?.first)
        #expect(summary["serving"] as? String == "approximate" && summary["shard"] as? Int == corrected[0])
        #expect(try cluster.files(copy: Ratings.name(5)) == [])
        #expect(try cluster.files(copy: "The Unmistakable Film").filter { $0.contains("/worker-") } == [])

        let shard = try #require(try shards(cluster).first { $0["shard"] as? Int == corrected[0] })
        #expect(shard["state"] as? String == "approximate" && shard["exact"] as? Bool == false)
        #expect(shard["corrections"] as? Int == 1 && shard["approximate_since"] is NSNumber)
        let listed = try #require(try cluster.succeed("adapters", "list")["adapters"] as? [[String: Any]])
        let adapter = try #require(listed.first { $0["shard"] as? Int == corrected[0] })
        #expect(adapter["method"] as? String == "ifru" && adapter["exact"] as? Bool == false)
        let preparation = (adapter["approximation"] as? [String: Any])?["preparation"] as? [String: Any]
        #expect(preparation?["beforehand"] as? Bool == true)
        let answer = try cluster.succeed("query", "--user", Ratings.name(1), "--item", "i2")
        #expect(answer["exact"] as? Bool == false)

        let verified = try cluster.command("verify")
        #expect(verified.status == 2)
        #expect((verified.json["approximate"] as? [[String: Any]])?.count == 1)
        #expect((verified.json["shards"] as? [[String: Any]])?.compactMap { $0["match"] as? Bool } == [true])
        let exports = cluster.root.appendingPathComponent("exports")
        _ = try cluster.succeed("adapters", "export", exports.path)
        let file = exports.appendingPathComponent("shard-\(corrected[0])/provenance.json")
        let provenance = try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any]
        #expect(provenance?["exact"] as? Bool == false)

        // By the other method, of the adapter that is approximate already.
        let others = try (0..<16).map(Ratings.name).filter { name in
            let plan = try cluster.command("forget", "--user", name, "--method", "e2urec", "--dry-run").json
            return plan["corrects"] as? [Int] == corrected
        }
        _ = try cluster.succeed("forget", "--user", try #require(others.first), "--method", "e2urec", "--wait")
        let again = try #require(try shards(cluster).first { $0["shard"] as? Int == corrected[0] })
        #expect(again["method"] as? String == "e2urec" && again["corrections"] as? Int == 2)
        // An exact forget of the shard ends it.
        _ = try cluster.succeed("forget", "--user", try #require(others.last), "--wait")
        #expect(try shards(cluster).allSatisfy { $0["exact"] as? Bool == true })
        #expect(try cluster.command("verify").status == 0)
    }

    @Test("A bridge serves approximately, and ends with the adapters of a cluster that never knew")
    func bridge() throws {
        let cluster = try TestCluster(settings: Self.settings + ["--method", "ifru"])
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 16))
        _ = try cluster.succeed("train", "--wait")
        let reply = try cluster.succeed(
            "forget", "--user", Ratings.name(3), "--method", "apa", "--bridge", "ifru", "--wait")
        #expect(reply["bridge"] as? String == "ifru")
        let statement = (reply["certificate"] as? [String: Any])?["statement"] as? [String: Any]
        #expect((statement?["exactness"] as? String)?.hasPrefix("exact") == true)
        let log = try #require(cluster.coordinator?.logText)
        let shard = try #require((reply["shards"] as? [[String: Any]])?.first?["shard"] as? Int)
        #expect(log.contains("to be corrected: [\(shard)]"))
        #expect(try shards(cluster).allSatisfy { $0["exact"] as? Bool == true })
        #expect(try cluster.files(copy: Ratings.name(3)) == [])
        #expect(try cluster.command("verify").status == 0)

        let fresh = try TestCluster(settings: Self.settings)
        try fresh.startWorkers(1)
        _ = try fresh.importRatings(Ratings.csv(users: 16, leavingOut: [Ratings.name(3)]))
        _ = try fresh.succeed("train", "--wait")
        #expect(try fresh.adapterNames() == cluster.adapterNames())
        // The cluster's own method is used where a request names none.
        let own = try cluster.succeed("forget", "--user", Ratings.name(4), "--dry-run")
        #expect(own["method"] as? String == "ifru")
    }

    @Test("Methods, bridges and configurations that make no sense are refused with a reason")
    func badInput() throws {
        let cluster = try TestCluster(settings: Self.settings)
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 6))
        for arguments in [["--method", "magic"], ["--bridge", "magic"], ["--method", "ifru", "--bridge", "e2urec"]] {
            for more in [[], ["--dry-run"]] {
                let result = try cluster.command(["forget", "--user", Ratings.name(1)] + arguments + more)
                #expect(result.status == 65, "\(arguments): \(result.errors)")
            }
        }
        func start(_ configuration: String) throws -> CommandResult {
            let file = cluster.root.appendingPathComponent("config.json")
            try Data(configuration.utf8).write(to: file)
            return try lethe([
                "coordinator", "--data", cluster.root.appendingPathComponent("x").path, "--model", cluster.model.path,
                "--config", file.path,
            ])
        }
        for configuration in [
            #"{"ifru": {"damping": 0}}"#, #"{"ifru": {"dumping": 1}}"#, #"{"e2urec": {"beta": 2}}"#,
            #"{"e2urec": {"batch": "many"}}"#, #"{"method": "magic"}"#, #"{"prepare": "apa"}"#, #"{"ifru": 3}"#,
        ] {
            let result = try start(configuration)
            #expect([64, 65].contains(result.status) && !result.errors.isEmpty, "\(configuration): \(result.errors)")
        }
    }
}
