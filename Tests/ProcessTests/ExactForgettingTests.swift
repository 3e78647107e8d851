import Foundation
import PeerTestSupport
import Testing

@Suite("Exact forgetting, with real processes", .waiting)
struct ExactForgettingTests {
    @Test("After a forget the adapters are those of a fresh cluster of another size that never saw the data")
    func forgettingEqualsNeverKnowing() throws {
        let forgotten = [Ratings.name(3), Ratings.name(11)]
        let cluster = try TestCluster()
        try cluster.startWorkers(3)
        _ = try cluster.importRatings(Ratings.csv(users: 24))
        _ = try cluster.succeed("train", "--wait")
        let before = try cluster.adapterNames()

        let reply = try cluster.succeed("forget", "--user", forgotten[0], "--user", forgotten[1], "--wait")
        let after = try cluster.adapterNames()
        let touched = try #require(reply["shards"] as? [[String: Any]]).compactMap { $0["shard"] as? Int }
        #expect(reply["state"] as? String == "finished")
        // Two workers trained one of the shards to the same bytes before the certificate was signed.
        let statement = (reply["certificate"] as? [String: Any])?["statement"] as? [String: Any]
        let checks = try #require(statement?["double_checks"] as? [[String: Any]])
        #expect(checks.compactMap { $0["outcome"] as? String } == ["same-bytes"])
        #expect((checks.first?["workers"] as? [String]).map { Set($0).count } == 2)
        for (shard, name) in before { #expect((after[shard] == name) == !touched.contains(shard)) }

        let fresh = try TestCluster()
        try fresh.startWorkers(2)
        _ = try fresh.importRatings(Ratings.csv(users: 24, leavingOut: Set(forgotten)))
        _ = try fresh.succeed("train", "--wait")
        #expect(try fresh.adapterNames() == after)

        #expect(try cluster.command("verify", "--request", "no-such-request").status == 65)
        let request = try #require(reply["request"] as? String)
        let verified = try cluster.succeed("verify", "--request", request)
        #expect(verified["verified"] as? Bool == true)
        #expect((verified["shards"] as? [[String: Any]])?.count == touched.count)
    }

    @Test("Nothing forgotten is left in any file of coordinator and workers")
    func nothingIsLeft() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(2)
        // A film that only one user has seen: its title must vanish from all prompts.
        var csv = Ratings.csv(users: 12)
        csv += "\(Ratings.name(5)),i-rare,5,1052,The Unmistakable Film\n"
        _ = try cluster.importRatings(csv)
        _ = try cluster.succeed("train", "--wait")
        _ = try cluster.succeed("query", "--user", Ratings.name(5), "--item", "i1")
        // The coordinator keeps it in its record, sealed; the catalogue is in clear.
        #expect(try cluster.files(copy: Ratings.name(5)) == [])
        #expect(try !cluster.files(copy: "The Unmistakable Film").isEmpty)
        // Workers hold prompts that show it, sealed.
        let sealed = try cluster.files(copy: "lethe-sealed-shard-1").filter { $0.hasSuffix("/prompts.sealed") }
        #expect(!sealed.isEmpty)
        #expect(try cluster.files(copy: "The Unmistakable Film").filter { $0.contains("/worker-") } == [])

        _ = try cluster.succeed("forget", "--user", Ratings.name(5), "--wait")
        #expect(try cluster.files(copy: Ratings.name(5)) == [])
        #expect(try cluster.files(copy: "The Unmistakable Film") == [])

        // Importing the same file again does not bring the user back.
        let again = try cluster.importRatings(csv)
        #expect((again["rows_forgotten"] as? Int ?? 0) == 16)
        #expect(try cluster.files(copy: Ratings.name(5)) == [])
        #expect(try cluster.command("query", "--user", Ratings.name(5), "--item", "i1").status == 65)
    }

    @Test("Forgetting single interactions rebuilds the prompts that showed them")
    func singleInteraction() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(1)
        let csv = Ratings.csv(users: 8)
        _ = try cluster.importRatings(csv)
        _ = try cluster.succeed("train", "--wait")
        // Position 6 of 15 is the target of no prompt, but history of several.
        let fields = csv.split(separator: "\n")[1 + 2 * 15 + 6].split(separator: ",").map(String.init)
        let target = "\(fields[0]):\(fields[1]):\(fields[3])"
        let plan = try cluster.succeed("forget", "--interaction", target, "--dry-run")
        #expect(plan["interactions"] as? Int == 1)
        #expect((plan["prompts_rebuilt"] as? Int ?? 0) > 0)
        let reply = try cluster.succeed("forget", "--interaction", target, "--wait")
        #expect(reply["prompts_rebuilt"] as? Int == plan["prompts_rebuilt"] as? Int)

        let fresh = try TestCluster()
        try fresh.startWorkers(3)
        let retained = csv.split(separator: "\n").filter { line in
            !(line.hasPrefix("\(fields[0]),\(fields[1]),") && line.contains(",\(fields[3]),"))
        }
        _ = try fresh.importRatings(retained.joined(separator: "\n") + "\n")
        _ = try fresh.succeed("train", "--wait")
        #expect(try fresh.adapterNames() == cluster.adapterNames())
    }

    @Test("Forgetting everything leaves empty shards, and the base model answers nobody")
    func everything() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(2)
        _ = try cluster.importRatings(Ratings.csv(users: 6))
        _ = try cluster.succeed("train", "--wait")
        var arguments = ["forget", "--wait"]
        for user in 0..<6 { arguments += ["--user", Ratings.name(user)] }
        let reply = try cluster.command(arguments)
        #expect(reply.status == 0, "\(reply.errors)")
        #expect(try cluster.adapterNames().isEmpty)
        let shards = try #require(try cluster.succeed("status")["shards"] as? [[String: Any]])
        #expect(shards.allSatisfy { $0["state"] as? String == "empty" })

        // Once more: known to be forgotten, and no error.
        let again = try cluster.succeed("forget", "--user", Ratings.name(0), "--wait")
        #expect(again["already_forgotten"] as? Int == 1)
    }
}
