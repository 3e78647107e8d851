import Foundation
import PeerTestSupport
import Testing

@Suite("Stages that travel from worker to worker, with real processes", .waiting)
struct TravellingStagesTests {
    private static let settings = ["--partition", "user-hash", "--shards", "1", "--epochs", "2", "--slices", "4"]

    /// The slice that the last training began with.
    private func first(_ cluster: TestCluster) throws -> Int? {
        let adapters = try cluster.succeed("adapters", "list")["adapters"] as? [[String: Any]]
        let training = adapters?.first?["training"] as? [String: Any] ?? adapters?.first
        return (training?["slices"] as? [String: Any])?["first"] as? Int
    }

    private func stages(_ cluster: TestCluster, worker: Int, shard: Int = 0) -> [URL] {
        let shard = cluster.workerDirectory(worker).appendingPathComponent("shards/\(shard)")
        let names = (try? FileManager.default.contentsOfDirectory(atPath: shard.path)) ?? []
        return names.filter { $0.hasSuffix(".stage.sealed") }.sorted().map(shard.appendingPathComponent)
    }

    /// A cluster in which the worker "left" has trained the shard, and "right" has come since.
    private func trained() throws -> TestCluster {
        let cluster = try TestCluster(settings: Self.settings)
        try cluster.startWorker(0, arguments: ["--name", "left"])
        try cluster.waitForWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 12))
        _ = try cluster.succeed("train", "--wait")
        try cluster.startWorker(1, arguments: ["--name", "right"])
        try cluster.waitForWorkers(2)
        return cluster
    }

    private func fresh(without gone: Set<String>) throws -> [Int: String] {
        let cluster = try TestCluster(settings: Self.settings)
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 12, leavingOut: gone))
        _ = try cluster.succeed("train", "--wait")
        return try cluster.adapterNames()
    }

    @Test("A drained worker hands its stages on: a forget after it goes on in the middle, to a fresh cluster's adapter")
    func drained() throws {
        let cluster = try trained()
        let before = try cluster.adapterNames()
        _ = try cluster.succeed("workers", "drain", "left", "--wait")
        #expect(cluster.workers[0]?.status(within: 60) == 0, "\(cluster.workers[0]?.logText ?? "")")
        #expect(stages(cluster, worker: 0).isEmpty && stages(cluster, worker: 1).count == 3)
        #expect(try cluster.adapterNames() == before)
        // In slice 3.
        _ = try cluster.succeed("forget", "--user", Ratings.name(7), "--wait")
        #expect(try first(cluster) == 3)
        #expect(cluster.workers[1]?.logText.contains("from slice 3 on") == true)
        #expect(try cluster.adapterNames() == fresh(without: [Ratings.name(7)]))
        #expect(try cluster.succeed("verify")["verified"] as? Bool == true)
        #expect(cluster.coordinator?.logText.contains("a stage of shard 0 goes from worker left") == true)
    }

    @Test("What a paused worker has of a training that it may not go on with is gone on with by another one")
    func paused() throws {
        let cluster = try trained()
        _ = try cluster.succeed("workers", "pause", "left")
        _ = try cluster.succeed("forget", "--user", Ratings.name(7), "--wait")
        #expect(try first(cluster) == 3)
        #expect(stages(cluster, worker: 1).count == 3)
        try wait("the paused worker to keep nothing") { stages(cluster, worker: 0).isEmpty }
        #expect(try cluster.adapterNames() == fresh(without: [Ratings.name(7)]))
    }

    @Test("A worker that joins gets the stages of the shard that it is given")
    func joined() throws {
        let cluster = try TestCluster(
            settings: ["--partition", "user-hash", "--shards", "2", "--epochs", "2", "--slices", "4"])
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 24))
        _ = try cluster.succeed("train", "--wait")
        let made = (0..<2).map { stages(cluster, worker: 0, shard: $0).map(\.lastPathComponent) }
        #expect(made.allSatisfy { !$0.isEmpty })
        try cluster.startWorker(1)
        var moved: Int?
        try wait("a shard to move with its stages", seconds: 60) {
            moved = (0..<2).first {
                stages(cluster, worker: 1, shard: $0).count == made[$0].count
                    && stages(cluster, worker: 0, shard: $0).isEmpty
            }
            return moved != nil
        }
        let shard = try #require(moved)
        #expect(stages(cluster, worker: 1, shard: shard).map(\.lastPathComponent) == made[shard])
        #expect(stages(cluster, worker: 0, shard: 1 - shard).map(\.lastPathComponent) == made[1 - shard])
        #expect(try cluster.succeed("verify", "--stages", "4")["verified"] as? Bool == true)
    }

    @Test(
        "A worker that has the data of its shard already gets the stages that it lacks from one that comes with them",
        arguments: [false, true])
    func metLater(isForgotten: Bool) throws {
        let cluster = try trained()
        let (left, away) = (cluster.workerDirectory(0), cluster.root.appendingPathComponent("left"))
        try FileManager.default.copyItem(at: left, to: away)
        let made = stages(cluster, worker: 0).map(\.lastPathComponent)
        _ = try cluster.succeed("workers", "drain", "left", "--wait")
        #expect(cluster.workers[0]?.status(within: 60) == 0)
        try wait("the heir to have them") { stages(cluster, worker: 1).count == made.count }
        // In slice 3: the disk that comes back has a stage of somebody forgotten, which must not travel.
        var gone: Set<String> = isForgotten ? [Ratings.name(7)] : []
        if isForgotten { _ = try cluster.succeed("forget", "--user", Ratings.name(7), "--wait") }
        let wanted = stages(cluster, worker: 1).map(\.lastPathComponent).filter(made.contains)
        #expect(wanted.count == (isForgotten ? 2 : 3))
        // The heir loses its stages, and the other one comes back with its disk as it was.
        cluster.workers[1]?.stop()
        for stage in stages(cluster, worker: 1) { try FileManager.default.removeItem(at: stage) }
        try cluster.startWorker(1, arguments: ["--name", "right"])
        try cluster.waitForWorkers(1)
        try FileManager.default.removeItem(at: left)
        try FileManager.default.moveItem(at: away, to: left)
        // The faster of two would get the shard: it is to stay where it is.
        _ = try cluster.succeed("workers", "pause", "left")
        try cluster.startWorker(0, arguments: ["--name", "left"])
        try wait("the stages to travel, and the other copy to go: \(cluster.coordinator?.logText ?? "")", seconds: 90) {
            stages(cluster, worker: 1).map(\.lastPathComponent) == wanted && stages(cluster, worker: 0).isEmpty
        }
        // In slice 3, and in slice 4 of which the stage before is gone.
        let next = Ratings.name(isForgotten ? 9 : 7)
        gone.insert(next)
        _ = try cluster.succeed("forget", "--user", next, "--wait")
        #expect(try first(cluster) == 3)
        #expect(try cluster.adapterNames() == fresh(without: gone))
    }

    @Test("A checkpoint of a shard that somebody else has finished goes when its worker owns the shard again")
    func finishedElsewhere() throws {
        let cluster = try TestCluster(
            settings: ["--partition", "user-hash", "--shards", "1", "--epochs", "80", "--slices", "1"])
        let shard = cluster.workerDirectory(0).appendingPathComponent("shards/0").path
        func checkpoints() -> [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: shard)) ?? []).filter {
                $0.hasSuffix(".checkpoint.sealed")
            }
        }
        try cluster.startWorker(0, arguments: ["--name", "left", "--checkpoint", "0.01"])
        _ = try cluster.importRatings(Ratings.csv(users: 12))
        _ = try cluster.succeed("train")
        try wait("a checkpoint") { !checkpoints().isEmpty }
        cluster.workers[0]?.kill()
        try #require(!checkpoints().isEmpty, "the training was over before it was interrupted")
        try cluster.startWorker(1, arguments: ["--name", "right"])
        _ = try cluster.succeed("train", "--wait")
        let names = try cluster.adapterNames()
        #expect(names.count == 1 && !checkpoints().isEmpty)
        cluster.workers[1]?.stop()
        try cluster.startWorker(0, arguments: ["--name", "left"])
        try wait("the checkpoint to go: \(cluster.coordinator?.logText ?? "")", seconds: 90) { checkpoints().isEmpty }
        #expect(FileManager.default.fileExists(atPath: shard + "/prompts.sealed"))
        #expect(try cluster.adapterNames() == names)
    }

    @Test("A worker that is killed while it hands its stages on costs time, never other bytes")
    func killed() throws {
        let cluster = try trained()
        _ = try cluster.command("workers", "drain", "left")
        try wait("a stage to be on its way") {
            cluster.coordinator?.logText.contains("a stage of shard 0 goes from") == true
        }
        cluster.workers[0]?.kill()
        _ = try cluster.succeed("forget", "--user", Ratings.name(7), "--wait")
        #expect(try cluster.adapterNames() == fresh(without: [Ratings.name(7)]))
        #expect(try cluster.succeed("verify")["verified"] as? Bool == true)
    }

    @Test("Single slices are verified, by another worker, and a tampered record or stage is not")
    func verified() throws {
        let cluster = try trained()
        let one = try cluster.succeed("verify", "--stage", "0:2", "--stage", "0:4", "--stage", "0:1")
        let found = try #require(one["stages"] as? [[String: Any]])
        #expect(one["verified"] as? Bool == true && one["schema_version"] as? Int == 1)
        #expect(found.map { $0["slice"] as? Int } == [2, 4, 1] && found.allSatisfy { $0["match"] as? Bool == true })
        #expect(found.map { $0["from"] as? Int } == [1, 3, 0])
        #expect((one["shards"] as? [Any])?.isEmpty == true && (one["shows"] as? String)?.isEmpty == false)
        #expect(found.allSatisfy { $0["worker"] as? String != $0["trainer"] as? String })
        #expect(found[1]["recorded"] as? String == (try cluster.adapterNames()[0]))
        let entries = try cluster.succeed("audit")["entries"] as? [[String: Any]] ?? []
        let published = entries.last { $0["kind"] as? String == "publish" }
        for stage in found {
            #expect("\(published?["detail"] ?? "")".contains(try #require(stage["recorded"] as? String)))
        }
        let drawn = try cluster.succeed("verify", "--stages", "2", "--seed", "7")
        #expect((drawn["stages"] as? [Any])?.count == 2 && drawn["seed"] as? Int == 7)
        let again = try cluster.succeed("verify", "--stages", "2", "--seed", "7")
        func slices(_ reply: [String: Any]) -> [Int?]? {
            (reply["stages"] as? [[String: Any]])?.map { $0["slice"] as? Int }
        }
        #expect(slices(drawn) == slices(again))
        let text = try lethe(["verify", "--stages", "1", "--coordinator", cluster.endpoint])
        let said = String(decoding: text.output, as: UTF8.self)
        #expect(text.status == 0 && said.contains("drawn by --seed") && said.contains("only all slices of a shard"))

        for arguments in [
            ["--stage", "0:5"], ["--stage", "1:1"], ["--stage", "0"], ["--stages", "0"], ["--seed", "1"],
        ] {
            #expect(try cluster.command(["verify"] + arguments).status == 64, "\(arguments)")
        }

        // The stage after slice 1 is not what it was: nobody can begin there.
        let recorded = try #require(found[0]["recorded"] as? String)
        for file in stages(cluster, worker: 0) + stages(cluster, worker: 1) {
            var bytes = try Data(contentsOf: file)
            bytes[bytes.count / 2] ^= 1
            try bytes.write(to: file)
        }
        let damaged = try cluster.command("verify", "--stage", "0:2")
        #expect(damaged.status == 2 && damaged.json["verified"] as? Bool == false)
        #expect((damaged.json["findings"] as? [String])?.first?.contains("no worker that is here") == true)

        // Nor is what is on record of the first one.
        cluster.coordinator?.stop()
        let first = try #require(found[2]["recorded"] as? String)
        #expect(first != recorded)
        try replace(first, by: String(first.reversed()), in: cluster.coordinatorDirectory)
        try cluster.startCoordinator()
        try cluster.waitForWorkers(2)
        let other = try cluster.command("verify", "--stage", "0:1")
        #expect(other.status == 2)
        #expect((other.json["findings"] as? [String])?.first?.contains("other bytes than those on record") == true)
        #expect(try cluster.succeed("verify")["verified"] as? Bool == true)
    }

    /// In the ledger's file, where it stands in clear.
    private func replace(_ text: String, by other: String, in folder: URL) throws {
        var isFound = false
        for name in try FileManager.default.contentsOfDirectory(atPath: folder.path)
        where name.hasPrefix("ledger.sqlite") {
            let file = folder.appendingPathComponent(name)
            var bytes = try Data(contentsOf: file)
            while let place = bytes.range(of: Data(text.utf8)) {
                bytes.replaceSubrange(place, with: Data(other.utf8))
                isFound = true
            }
            try bytes.write(to: file)
        }
        try #require(isFound)
    }

    @Test("Where a shard is trained in one slice there are no stages to verify")
    func oneSlice() throws {
        let cluster = try TestCluster(settings: ["--partition", "user-hash", "--shards", "1", "--epochs", "1"])
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 6))
        _ = try cluster.succeed("train", "--wait")
        let refused = try cluster.command("verify", "--stage", "0:1")
        #expect(refused.status == 64 && refused.errors.contains("one slice"), "\(refused.errors)")
    }
}
