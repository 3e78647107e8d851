import Foundation
import PeerTestSupport
import Testing

@Suite("Clusters that train in slices, with real processes: what else can happen to them", .waiting)
struct SlicedClusterTests {
    private static let isFull = ProcessInfo.processInfo.environment["LETHE_TEST_FULL"] != nil

    private func settings(
        partition: String = "user-hash", shards: Int = 1, slices: Int = 4, epochs: Int = 2
    ) -> [String] {
        ["--partition", partition, "--shards", "\(shards)", "--epochs", "\(epochs)", "--slices", "\(slices)"]
    }

    /// What a cluster with one worker makes of this data.
    private func fresh(_ csv: String, _ settings: [String]) throws -> [Int: String] {
        let cluster = try TestCluster(settings: settings)
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(csv)
        _ = try cluster.succeed("train", "--wait")
        return try cluster.adapterNames()
    }

    @Test(
        "More slices than people, however prompts are dealt: the adapter after a forget is a fresh cluster's, and verified",
        arguments: isFull ? ["user-hash", "hash", "user", "semantic"] : ["user-hash", "semantic"])
    func manySlices(partition: String) throws {
        let settings = settings(partition: partition, slices: 64)
        let cluster = try TestCluster(settings: settings)
        try cluster.startWorkers(2)
        _ = try cluster.importRatings(Ratings.csv(users: 6))
        _ = try cluster.succeed("train", "--wait")
        let gone = Ratings.name(3)
        let reply = try cluster.succeed("forget", "--user", gone, "--wait")
        #expect(reply["state"] as? String == "finished")
        #expect(try cluster.adapterNames() == fresh(Ratings.csv(users: 6, leavingOut: [gone]), settings))
        #expect(try cluster.succeed("verify")["verified"] as? Bool == true)
        let drawn = try cluster.succeed("verify", "--stages", "3", "--seed", "1")
        #expect(drawn["verified"] as? Bool == true && (drawn["stages"] as? [Any])?.count == 3)
    }

    @Test("Forgets, imports and workers that come and go: the adapters are those of a cluster that never saw any of it")
    func everything() throws {
        let settings = settings(shards: 2)
        let cluster = try TestCluster(settings: settings)
        try cluster.startWorker(0, arguments: ["--name", "left"])
        try cluster.waitForWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 12))
        _ = try cluster.succeed("train", "--wait")
        _ = try cluster.succeed("forget", "--user", Ratings.name(7), "--wait")
        try cluster.startWorker(1, arguments: ["--name", "right"])
        try cluster.waitForWorkers(2)
        _ = try cluster.importRatings(Ratings.csv(users: 15, leavingOut: [Ratings.name(7)]))
        _ = try cluster.succeed("train", "--wait")
        _ = try cluster.succeed("workers", "drain", "left", "--wait")
        _ = try cluster.succeed("forget", "--user", Ratings.name(4), "--wait")
        try cluster.startWorker(2)
        try cluster.waitForWorkers(2)
        _ = try cluster.succeed("forget", "--user", Ratings.name(9), "--wait")
        let gone: Set<String> = [Ratings.name(7), Ratings.name(4), Ratings.name(9)]
        #expect(try cluster.adapterNames() == fresh(Ratings.csv(users: 15, leavingOut: gone), settings))
        #expect(try cluster.succeed("verify")["verified"] as? Bool == true)
        #expect(try cluster.succeed("verify", "--stages", "8")["verified"] as? Bool == true)
    }

    @Test(
        "A coordinator killed while a shard is trained again: what answers after its start is what the policy says",
        arguments: ["stage", "quarantine"])
    func restarted(policy: String) throws {
        let settings = settings(epochs: 160)
        let cluster = try TestCluster(settings: settings + ["--while-retraining", policy])
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 12))
        _ = try cluster.succeed("train", "--wait")
        let before = try cluster.adapterNames()
        // In slice 3.
        let gone = Ratings.name(7)
        _ = try cluster.succeed("forget", "--user", gone)
        try cluster.pauseWhileRetraining(policy: policy, slice: 3)
        cluster.coordinator?.kill()
        try cluster.startCoordinator()
        let answering = try cluster.adapterNames()
        let pending = try cluster.succeed("status")["pending_forgets"] as? [Any]
        try #require(pending?.isEmpty == false, "the training was over before it could be interrupted")
        #expect(answering.count == (policy == "stage" ? 1 : 0) && answering[0] != before[0])
        cluster.workers[0]?.resume()
        try wait("the end of the request", seconds: 180) {
            (try cluster.succeed("status")["pending_forgets"] as? [Any])?.isEmpty == true
        }
        #expect(try cluster.adapterNames() == fresh(Ratings.csv(users: 12, leavingOut: [gone]), settings))
    }

    @Test("An import whose new people are dealt to the last slice trains that one alone, and so does their forgetting")
    func newcomers() throws {
        func grown(without gone: Set<String>) throws -> TestCluster {
            let cluster = try TestCluster(settings: settings())
            try cluster.startWorkers(1)
            _ = try cluster.importRatings(Ratings.csv(users: 12))
            _ = try cluster.succeed("train", "--wait")
            let file = cluster.root.appendingPathComponent("more.csv")
            try Data(Ratings.csv(users: 18, leavingOut: gone).utf8).write(to: file)
            let done = try cluster.succeed("import", "--format", "csv", "--new-data", "last", file.path)
            #expect(done["dealt_to_last"] as? Int == 6 - gone.count && done["leavers_listed"] == nil)
            _ = try cluster.succeed("train", "--wait")
            return cluster
        }
        func first(_ cluster: TestCluster) throws -> Int? {
            let adapters = try cluster.succeed("adapters", "list")["adapters"] as? [[String: Any]]
            let training = adapters?.first?["training"] as? [String: Any]
            return (training?["slices"] as? [String: Any])?["first"] as? Int
        }
        let cluster = try grown(without: [])
        #expect(try first(cluster) == 4)
        var gone: Set<String> = []
        for user in 12..<18 where user % 2 == 0 {
            gone.insert(Ratings.name(user))
            _ = try cluster.succeed("forget", "--user", Ratings.name(user), "--wait")
            #expect(try first(cluster) == 4)
        }
        #expect(try cluster.adapterNames() == grown(without: gone).adapterNames())
        #expect(try cluster.succeed("verify")["verified"] as? Bool == true)
    }

    @Test("A training that diverges fails after so many attempts, and the command and status say what to do")
    func diverging() throws {
        let cluster = try TestCluster(
            settings: settings() + ["--learning-rate", "100", "--weight-decay", "100"])
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 12))
        let trained = try cluster.command("train", "--wait")
        #expect(trained.status != 0 && trained.errors.contains("lower --learning-rate"), "\(trained.errors)")
        let stuck = try #require(try cluster.succeed("status")["stuck"] as? [[String: Any]])
        #expect(stuck.map { $0["kind"] as? String } == ["train"] && stuck.first?["attempts"] as? Int == 3)
        #expect((stuck.first?["reason"] as? String)?.contains("lower --learning-rate") == true, "\(stuck)")
    }
}
