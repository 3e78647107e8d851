import Foundation
import PeerTestSupport
import Testing

@Suite("A fleet of workers", .waiting)
struct FleetProcessTests {
    private func workers(_ cluster: TestCluster) throws -> [String: [String: Any]] {
        let listed = try cluster.succeed("workers")["workers"] as? [[String: Any]] ?? []
        return Dictionary(listed.map { ($0["name"] as? String ?? "?", $0) }, uniquingKeysWith: { first, _ in first })
    }

    @Test("A drained worker hands over, ends with status 0 and stays listed, also over a restart, until it is removed")
    func drain() throws {
        let cluster = try TestCluster()
        cluster.stop()
        try cluster.startCoordinator(arguments: ["--expect", "2"])
        try cluster.startWorker(0, arguments: ["--name", "left"])
        try cluster.startWorker(1, arguments: ["--name", "right"])
        try cluster.waitForWorkers(2)
        _ = try cluster.importRatings(Ratings.csv(users: 6))
        _ = try cluster.succeed("train", "--wait")
        let before = try cluster.adapterNames()
        let left = try #require(try workers(cluster)["left"])
        #expect(left["address"] as? String == "127.0.0.1" && left["release"] as? String != nil)
        #expect(left["uptime_seconds"] as? Double ?? -1 > 0 && left["duty"] as? String == "work")
        #expect(left["tokens_per_second"] as? Double ?? 0 > 0)

        #expect(try cluster.succeed("workers", "drain", "left", "--wait")["verb"] as? String == "drain")
        #expect(cluster.workers[0]?.status(within: 20) == 0, "\(cluster.workers[0]?.logText ?? "")")
        try wait("the other one to have everything") {
            (try workers(cluster)["right"]?["holds"] as? [Int])?.count == 3
        }
        #expect(try cluster.adapterNames() == before)
        #expect(try workers(cluster)["left"]?["holds"] as? [Int] == [])
        let text = try lethe(["workers", "--coordinator", cluster.endpoint])
        #expect(String(decoding: text.output, as: UTF8.self).contains("1 of 2 workers here, missing: left"))
        let status = try lethe(["status", "--coordinator", cluster.endpoint])
        #expect(String(decoding: status.output, as: UTF8.self).contains("1 of 2 workers here, missing: left"))

        cluster.coordinator?.kill()
        // How many there should be is on record.
        try cluster.startCoordinator()
        #expect(try cluster.succeed("workers")["missing_workers"] as? Int != nil)
        #expect(try cluster.succeed("config")["expect"] as? Int == 2)
        #expect(try workers(cluster)["left"]?["state"] as? String == "away")
        #expect(try workers(cluster)["left"]?["away_because"] as? String == "drained, it said goodbye")
        #expect(try cluster.command("workers", "remove", "nobody").status == 65)
        _ = try cluster.succeed("workers", "remove", "left")
        #expect(try workers(cluster)["left"] == nil)
        let audit = try cluster.succeed("audit")["entries"] as? [[String: Any]] ?? []
        #expect(audit.contains { $0["kind"] as? String == "worker removed" })
    }

    @Test func `Draining a worker that is away says so and ends; it is drained when it comes back`() throws {
        let cluster = try TestCluster()
        try cluster.startWorker(0, arguments: ["--name", "left"])
        try cluster.startWorker(1, arguments: ["--name", "right"])
        try cluster.waitForWorkers(2)
        _ = try cluster.importRatings(Ratings.csv(users: 6))
        _ = try cluster.succeed("train", "--wait")
        #expect((try workers(cluster)["left"]?["holds"] as? [Int])?.isEmpty == false)
        cluster.workers[0]?.kill()
        try wait("it to be away") { try workers(cluster)["left"]?["state"] as? String == "away" }

        let told = try cluster.succeed("workers", "drain", "left")
        #expect(told["progress"] as? String == "away" && told["away_seconds"] as? Double != nil, "\(told)")
        #expect(told["verb"] as? String == "drain" && told["name"] as? String == "left")
        let text = try lethe(["workers", "drain", "left", "--coordinator", cluster.endpoint])
        #expect(String(decoding: text.output, as: UTF8.self).hasPrefix("worker left is away"), "\(text.output)")
        let given = try cluster.command("workers", "drain", "left", "--wait", "--timeout", "1")
        #expect(given.status == 75, "\(given.errors)")
        #expect(given.errors.contains("waiting 1 s for it") && given.errors.contains("lethe workers remove left"))

        let back = try cluster.startWorker(0, arguments: ["--name", "left"])
        #expect(back.status(within: 60) == 0, "\(back.logText)")
        #expect(try cluster.succeed("workers", "drain", "left", "--wait")["progress"] as? String == "left")
    }

    @Test("At SIGTERM a worker finishes its training within its grace; without any it ends at once")
    func grace() throws {
        let cluster = try TestCluster(settings: ["--partition", "user-hash", "--shards", "1", "--epochs", "400"])
        let worker = try cluster.startWorker(0, arguments: ["--grace", "60"])
        try cluster.waitForWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 6))
        _ = try cluster.succeed("train")
        try wait("the training to run") {
            let tasks = try workers(cluster).values.first?["tasks"] as? [Any]
            return tasks?.isEmpty == false
        }
        worker.process.terminate()
        #expect(worker.status(within: 60) == 0, "\(worker.logText)")
        #expect(worker.logText.contains("nothing is left to do here"), "\(worker.logText)")
        #expect(try cluster.adapterNames().count == 1)
        let idle = try cluster.startWorker(1)
        try wait("a worker") { try cluster.liveWorkers() == 1 }
        let begin = Date()
        idle.process.terminate()
        #expect(idle.status(within: 20) == 0 && Date().timeIntervalSince(begin) < 5)
    }

    @Test("Several addresses are tried in turn by worker and client, with commas or each with the option")
    func addresses() throws {
        let cluster = try TestCluster()
        let nobody = "tcp://127.0.0.1:1"
        try cluster.startWorker(0, through: "\(nobody),\(cluster.endpoint)")
        try cluster.startWorker(1, through: nobody, arguments: ["--coordinator", cluster.endpoint])
        try cluster.waitForWorkers(2)
        for options in [
            ["--coordinator", "\(nobody),\(cluster.endpoint)"],
            ["--coordinator", nobody, "--coordinator", cluster.endpoint],
            ["--coordinator", "tcp://no-such-host.invalid:7070,\(cluster.endpoint)"],
        ] {
            let result = try lethe(["status", "--json"] + options)
            #expect(result.status == 0, "\(options): \(result.errors)")
        }
        let variable = try lethe(
            ["status", "--json"], environment: ["LETHE_COORDINATOR": "\(nobody),\(cluster.endpoint)"])
        #expect(variable.status == 0, "\(variable.errors)")
        let bad = try lethe(["status", "--coordinator", "\(cluster.endpoint),,"])
        #expect(bad.status == 64, "\(bad.errors)")
        let none = try lethe(["status", "--coordinator", "tcp://a.invalid:1,tcp://b.invalid:1"])
        #expect(none.status == 69 && none.errors.contains("leads to no address"), "\(none.errors)")
    }
}
