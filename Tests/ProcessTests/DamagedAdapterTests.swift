import Foundation
import PeerTestSupport
import Testing

@Suite("Damaged adapter files, with real processes", .waiting)
struct DamagedAdapterTests {
    private func file(_ name: String, _ cluster: TestCluster) -> URL {
        cluster.coordinatorDirectory.appendingPathComponent("adapters/\(name).sealed")
    }

    private func damage(_ name: String, _ cluster: TestCluster) throws {
        var bytes = try Data(contentsOf: file(name, cluster))
        bytes[bytes.count - 5] ^= 0x40
        try bytes.write(to: file(name, cluster))
    }

    private func waitUntilHealed(_ names: [Int: String], _ cluster: TestCluster) throws {
        try wait("the shards to be healed: \(cluster.coordinator?.logText ?? "")") {
            try cluster.adapterNames() == names
                && cluster.succeed("status")["activity"] as? String == "up to date"
        }
        for name in names.values { #expect(FileManager.default.fileExists(atPath: file(name, cluster).path)) }
    }

    @Test("verify, export and evaluate say which file is damaged; the workers give the same bytes back")
    func healed() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(2)
        _ = try cluster.importRatings(Ratings.csv(users: 24))
        _ = try cluster.succeed("train", "--wait")
        let names = try cluster.adapterNames()
        let first = try #require(names[0])
        #expect(try cluster.succeed("verify")["verified"] as? Bool == true)

        try damage(first, cluster)
        let verified = try cluster.command("verify")
        #expect(verified.status == 2 && verified.json["verified"] as? Bool == false)
        let damaged = try #require(verified.json["damaged"] as? [[String: Any]])
        #expect(damaged.map { $0["adapter"] as? String } == [first] && damaged.first?["shard"] as? Int == 0)
        try waitUntilHealed(names, cluster)
        #expect(try cluster.succeed("verify")["verified"] as? Bool == true)

        try damage(first, cluster)
        let target = cluster.root.appendingPathComponent("export").path
        let exported = try cluster.command("adapters", "export", target)
        #expect(exported.status != 0 && exported.errors.contains(first))
        try waitUntilHealed(names, cluster)
        #expect(try cluster.command("adapters", "export", target).status == 0)

        try FileManager.default.removeItem(at: file(first, cluster))
        let evaluated = try cluster.command("evaluate", "--split", "test")
        #expect(evaluated.status != 0 && evaluated.errors.contains(first))
        try waitUntilHealed(names, cluster)
        #expect(try cluster.command("evaluate", "--split", "test").status == 0)
    }

    @Test("A query goes on without the lost adapter, the status says so, and a start heals what it finds")
    func queries() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 24))
        _ = try cluster.succeed("train", "--wait")
        let names = try cluster.adapterNames()
        cluster.workers[0]?.stop()
        cluster.coordinator?.stop()
        try FileManager.default.removeItem(at: file(try #require(names[1]), cluster))
        try cluster.startCoordinator()
        let shards = try #require(cluster.succeed("status")["shards"] as? [[String: Any]])
        #expect(shards.map { $0["state"] as? String } == ["current", "damaged", "current"])
        // Lost while it runs, without a worker that could help.
        try FileManager.default.removeItem(at: file(try #require(names[2]), cluster))
        let reply = try cluster.succeed("query", "--user", Ratings.name(1), "--item", "i1")
        #expect((reply["adapters"] as? [[String: Any]])?.map { $0["shard"] as? Int } == [0])
        #expect(reply["absent_shards"] as? [Int] == [1, 2])
        try cluster.startWorker(0)
        try waitUntilHealed(names, cluster)
    }

    @Test("A coordinator whose data directory is replaced refuses and ends")
    func replaced() throws {
        let cluster = try TestCluster()
        _ = try cluster.importRatings(Ratings.csv(users: 8))
        let directory = cluster.coordinatorDirectory
        let aside = directory.appendingPathExtension("aside")
        try FileManager.default.moveItem(at: directory, to: aside)
        try FileManager.default.copyItem(at: aside, to: directory)
        let forgotten = try cluster.command("forget", "--user", Ratings.name(1))
        #expect(forgotten.status == 1 && forgotten.errors.contains("replaced"))
        #expect(cluster.coordinator?.status(within: 10) == 1)
        #expect(cluster.coordinator?.logText.contains("removed or replaced") == true)
    }
}
