import Foundation
import PeerTestSupport
import Testing

@Suite("Training in slices, with real processes", .waiting)
struct SlicesTests {
    private static func settings(epochs: Int = 2) -> [String] {
        ["--partition", "user-hash", "--shards", "1", "--epochs", "\(epochs)", "--slices", "4"]
    }

    /// What a training says of its slices.
    private func slices(_ cluster: TestCluster) throws -> (first: Int?, tokens: Int?, all: Int?) {
        let adapters = try cluster.succeed("adapters", "list")["adapters"] as? [[String: Any]]
        let training = adapters?.first?["training"] as? [String: Any] ?? adapters?.first
        let slices = training?["slices"] as? [String: Any]
        return (slices?["first"] as? Int, slices?["tokens"] as? Int, training?["tokens"] as? Int)
    }

    private func stages(_ cluster: TestCluster) -> [String] { kept(cluster, ".stage.sealed") }

    private func kept(_ cluster: TestCluster, _ suffix: String) -> [String] {
        let shard = cluster.workerDirectory(0).appendingPathComponent("shards/0").path
        return ((try? FileManager.default.contentsOfDirectory(atPath: shard)) ?? []).filter {
            $0.hasSuffix(suffix)
        }.sorted()
    }

    private func fresh(_ csv: String, epochs: Int = 2) throws -> [Int: String] {
        let cluster = try TestCluster(settings: Self.settings(epochs: epochs))
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(csv)
        _ = try cluster.succeed("train", "--wait")
        #expect(try slices(cluster).first == 1)
        return try cluster.adapterNames()
    }

    @Test("A forget retrains from the slice of whom it touches, to the adapter of a cluster that never knew them")
    func forgetting() throws {
        let cluster = try TestCluster(settings: Self.settings())
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 12))
        _ = try cluster.succeed("train", "--wait")
        let before = stages(cluster)
        #expect(before.count == 3)
        let whole = try slices(cluster)
        #expect(whole.first == 1 && whole.tokens == whole.all)
        let listed = try cluster.succeed("adapters", "list")["adapters"] as? [[String: Any]]
        let training = listed?.first?["training"] as? [String: Any]
        let keeping = try #require(training?["keeping"] as? [String: Any])
        #expect(keeping["stages"] as? Int == 3 && keeping["checkpoints"] as? Int == 0)
        #expect(keeping["seconds"] as? Double ?? 0 > 0 && keeping["processor_seconds"] as? Double ?? 0 > 0)
        // The user, and the slice that the hash deals the user to.
        var gone: Set<String> = []
        for (user, slice) in [(9, 4), (7, 3), (4, 2), (0, 1)] {
            let kept = stages(cluster)
            gone.insert(Ratings.name(user))
            let reply = try cluster.succeed("forget", "--user", Ratings.name(user), "--wait")
            #expect(reply["state"] as? String == "finished")
            let said = try slices(cluster)
            #expect(said.first == slice, "user \(user)")
            #expect((said.tokens ?? 0 < said.all ?? 0) == (slice > 1))
            #expect(Set(stages(cluster)).intersection(kept).count == slice - 1)
            #expect(try cluster.adapterNames() == fresh(Ratings.csv(users: 12, leavingOut: gone)))
        }
        #expect(try cluster.succeed("verify")["verified"] as? Bool == true)
        #expect(try cluster.command("forget", "--user", Ratings.name(2), "--method", "e2urec", "--wait").status == 0)
    }

    @Test(
        "A worker killed in the middle of a training goes on at its checkpoint",
        arguments: ProcessInfo.processInfo.environment["LETHE_TEST_FULL"] == nil ? ["4"] : ["1", "4"])
    func checkpoint(slices: String) throws {
        let settings = ["--partition", "user-hash", "--shards", "1", "--epochs", "80", "--slices", slices]
        let cluster = try TestCluster(settings: settings)
        try cluster.startWorker(0, arguments: ["--checkpoint", "0.01"])
        let csv = Ratings.csv(users: 12)
        _ = try cluster.importRatings(csv)
        _ = try cluster.succeed("train")
        try wait("a checkpoint") { !kept(cluster, ".checkpoint.sealed").isEmpty }
        cluster.workers[0]?.kill()
        try #require(!kept(cluster, ".checkpoint.sealed").isEmpty, "the training was over before it was interrupted")
        let again = try cluster.startWorker(0)
        _ = try cluster.succeed("train", "--wait")
        #expect(again.logText.contains("is trained after step"), "\(again.logText)")
        #expect(kept(cluster, ".checkpoint.sealed").isEmpty)
        let names = try cluster.adapterNames()
        #expect(try cluster.succeed("verify")["verified"] as? Bool == true)
        let other = try TestCluster(settings: settings)
        try other.startWorker(0, arguments: ["--checkpoint", "0"])
        _ = try other.importRatings(csv)
        _ = try other.succeed("train", "--wait")
        #expect(try other.adapterNames() == names)
    }

    @Test("A worker killed in the middle of a slice goes on at the stage before it")
    func killed() throws {
        let csv = Ratings.csv(users: 12)
        // A busy machine may look too late: then at a longer training.
        var interrupted: (cluster: TestCluster, kept: [String], epochs: Int)?
        for epochs in [80, 320, 1280] where interrupted == nil {
            let cluster = try TestCluster(settings: Self.settings(epochs: epochs))
            try cluster.startWorkers(1)
            _ = try cluster.importRatings(csv)
            _ = try cluster.succeed("train")
            try wait("the second stage") { stages(cluster).count > 1 }
            cluster.workers[0]?.kill()
            let kept = stages(cluster)
            if kept.count < 3 { interrupted = (cluster, kept, epochs) }
        }
        let (cluster, kept, epochs) = try #require(
            interrupted, "the training was over before it could be interrupted")
        try cluster.startWorker(0)
        _ = try cluster.succeed("train", "--wait")
        let said = try slices(cluster)
        #expect(said.first == kept.count + 1)
        #expect(said.tokens ?? 0 > 0 && said.tokens ?? 0 < said.all ?? 0)
        #expect(try cluster.adapterNames() == fresh(csv, epochs: epochs))
        // What was made before the kill is on record as well.
        let verified = try cluster.succeed("verify", "--stages", "9")
        let replayed = verified["stages"] as? [[String: Any]] ?? []
        #expect(replayed.compactMap { $0["slice"] as? Int }.sorted() == [1, 2, 3, 4])
        let entries = try cluster.succeed("audit")["entries"] as? [[String: Any]] ?? []
        let published = entries.last { $0["kind"] as? String == "publish" }
        for stage in replayed {
            #expect("\(published?["detail"] ?? "")".contains(try #require(stage["recorded"] as? String)))
        }
    }

    @Test("An import of somebody in the last slice trains that slice, and a damaged stage is trained again")
    func importing() throws {
        let cluster = try TestCluster(settings: Self.settings())
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 12))
        _ = try cluster.succeed("train", "--wait")
        // The thirteenth user is dealt to slice 4.
        _ = try cluster.importRatings(Ratings.csv(users: 13))
        _ = try cluster.succeed("train", "--wait")
        #expect(try slices(cluster).first == 4)
        #expect(try cluster.adapterNames() == fresh(Ratings.csv(users: 13)))

        let last = try #require(
            try stages(cluster).map { cluster.workerDirectory(0).appendingPathComponent("shards/0/\($0)") }
                .max { try modified($0) < modified($1) })
        var bytes = try Data(contentsOf: last)
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: last)
        // The fourteenth as well would be trained from the last stage on, if that were whole.
        _ = try cluster.importRatings(Ratings.csv(users: 14))
        _ = try cluster.succeed("train", "--wait")
        #expect(try slices(cluster).first == 3)
        #expect(stages(cluster).count == 3)
        #expect(try cluster.adapterNames() == fresh(Ratings.csv(users: 14)))
    }

    private func modified(_ file: URL) throws -> Date {
        try file.resourceValues(forKeys: [.contentModificationDateKey]).contentModificationDate ?? .distantPast
    }

    @Test("From a forget on, what the training had come to before answers, exact and by name, or nothing does")
    func serving() throws {
        for policy in ["stage", "quarantine"] {
            let cluster = try TestCluster(settings: Self.settings(epochs: 160) + ["--while-retraining", policy])
            try cluster.startWorkers(1)
            _ = try cluster.importRatings(Ratings.csv(users: 12))
            _ = try cluster.succeed("train", "--wait")
            let trained = try cluster.adapterNames()
            // In slice 3: the stage after slice 2 never saw the user.
            _ = try cluster.succeed("forget", "--user", Ratings.name(7))
            try cluster.pauseWhileRetraining(policy: policy, slice: 3)
            let meanwhile = try cluster.succeed("query", "--user", Ratings.name(1), "--item", "i1")
            let served = try #require(meanwhile["adapters"] as? [[String: Any]])
            #expect(served.allSatisfy { $0["name"] as? String != trained[0] })
            #expect(served.compactMap { $0["stage"] as? Int } == (policy == "stage" ? [2] : []))
            #expect(served.compactMap { $0["slices"] as? Int } == (policy == "stage" ? [4] : []))
            let status = try cluster.succeed("status")
            try #require(
                (status["pending_forgets"] as? [Any])?.isEmpty == false, "the training was over before it was looked at"
            )
            let shard = try #require((status["shards"] as? [[String: Any]])?.first)
            if policy == "stage" {
                #expect(meanwhile["exact"] as? Bool == true)
                #expect(shard["stage"] as? Int == 2 && shard["slices"] as? Int == 4)
            }
            cluster.workers[0]?.resume()
            try wait("the training after the forget", seconds: 180) {
                (try cluster.succeed("status")["pending_forgets"] as? [Any])?.isEmpty == true
            }
            let reply = try cluster.succeed("query", "--user", Ratings.name(1), "--item", "i1")
            #expect((reply["adapters"] as? [[String: Any]])?.compactMap { $0["stage"] as? Int } == [])
            let retained = Ratings.csv(users: 12, leavingOut: [Ratings.name(7)])
            #expect(try cluster.adapterNames() == fresh(retained, epochs: 160))
        }
    }

    @Test("How many slices there are is on record, and another number is refused")
    func recorded() throws {
        let cluster = try TestCluster(settings: Self.settings())
        let configuration = try cluster.succeed("config")
        #expect(configuration["slices"] as? Int == 4 && configuration["averaging"] as? String == "polynomial")
        cluster.coordinator?.stop()
        let data = cluster.coordinatorDirectory.path
        func start(_ slices: String...) throws -> CommandResult {
            try lethe(
                ["coordinator", "--data", data, "--model", cluster.model.path, "--precision", "f32", "--listen"]
                    + ["tcp://127.0.0.1:*", "--weight-cache", "none"] + slices)
        }
        let other = try start("--slices", "2")
        #expect(other.status != 0 && other.errors.contains("slices"), "\(other.errors)")
        let last = try start("--averaging", "none")
        #expect(last.status != 0 && last.errors.contains("averaging"), "\(last.errors)")
        let none = try start("--slices", "0")
        #expect(none.status == 64 && none.errors.contains("--slices"), "\(none.errors)")
        let heldOut = try lethe([
            "coordinator", "--data", data + "-other", "--model", cluster.model.path, "--precision", "f32", "--listen",
            "tcp://127.0.0.1:*", "--weight-cache", "none", "--slices", "2", "--held-out", "0.1",
        ])
        #expect(heldOut.status != 0 && heldOut.errors.contains("held out"), "\(heldOut.errors)")
    }
}
