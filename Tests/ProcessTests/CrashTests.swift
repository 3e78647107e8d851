import Foundation
import PeerTestSupport
import Testing

@Suite("Killed processes", .waiting)
struct CrashTests {
    private static let settings = ["--partition", "user-hash", "--shards", "3", "--epochs", "6"]

    @Test("A worker killed in the middle of training is noticed within 4 s, and the others finish its work")
    func killedWorker() throws {
        let cluster = try TestCluster(settings: Self.settings)
        try cluster.startWorkers(3)
        _ = try cluster.importRatings(Ratings.csv(users: 30))
        _ = try cluster.succeed("train")
        try wait("a worker to train") {
            let workers = try cluster.succeed("status")["workers"] as? [[String: Any]] ?? []
            return workers.contains { !(($0["tasks"] as? [Any])?.isEmpty ?? true) }
        }
        cluster.workers[1]?.kill()
        let killed = Date()
        try wait("the loss to be noticed") { try cluster.liveWorkers() == 2 }
        #expect(Date().timeIntervalSince(killed) < 4.5)
        _ = try cluster.succeed("train", "--wait")
        #expect(try cluster.adapterNames().count == 3)

        // The same as without any accident.
        let calm = try TestCluster(settings: Self.settings)
        try calm.startWorkers(1)
        _ = try calm.importRatings(Ratings.csv(users: 30))
        _ = try calm.succeed("train", "--wait")
        #expect(try calm.adapterNames() == cluster.adapterNames())
    }

    @Test("A coordinator killed in the middle of a forget finishes it after its restart")
    func killedCoordinator() throws {
        let cluster = try TestCluster(settings: Self.settings)
        try cluster.startWorkers(2)
        _ = try cluster.importRatings(Ratings.csv(users: 30))
        _ = try cluster.succeed("train", "--wait")
        let before = try cluster.adapterNames()

        let reply = try cluster.succeed("forget", "--user", Ratings.name(4))
        cluster.coordinator?.kill()
        try cluster.startCoordinator()
        let request = try #require(reply["request"] as? String)
        // The same request under its own name is the same request.
        let done = try cluster.succeed("forget", "--user", Ratings.name(4), "--request-id", request, "--wait")
        #expect(done["state"] as? String == "finished")
        let after = try cluster.adapterNames()
        #expect(after != before)
        #expect(after.count == 3)
        #expect(try cluster.files(copy: Ratings.name(4)) == [])
        #expect(try cluster.succeed("verify")["verified"] as? Bool == true)
    }

    @Test("A client that waits is served by a coordinator that was killed and started again")
    func waitingClient() throws {
        let cluster = try TestCluster(settings: Self.settings)
        _ = try cluster.importRatings(Ratings.csv(users: 12))
        // Without a worker the training cannot end before the coordinator is killed.
        let client = try LetheProcess(
            ["train", "--wait"], log: cluster.root.appendingPathComponent("client.log"),
            environment: ["LETHE_COORDINATOR": cluster.endpoint])
        try wait("the training to be accepted") {
            (try cluster.succeed("status")["operations"] as? [[String: Any]] ?? []).contains {
                $0["state"] as? String == "running"
            }
        }
        cluster.coordinator?.kill()
        try cluster.startCoordinator()
        try cluster.startWorkers(1)
        #expect(client.status(within: 60) == 0, "\(client.logText)")
        #expect(client.logText.contains("asking again"))
        #expect(try cluster.adapterNames().count == 3)
    }

    @Test("A worker that comes back with its data is sent only what changed")
    func returningWorker() throws {
        let cluster = try TestCluster(settings: Self.settings)
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 9))
        _ = try cluster.succeed("train", "--wait")
        let names = try cluster.adapterNames()
        cluster.workers[0]?.kill()
        // It was away when its data was to be forgotten.
        _ = try cluster.succeed("forget", "--user", Ratings.name(2))
        #expect(try cluster.files(copy: Ratings.name(2)) == [])
        try cluster.startWorker(0)
        try wait("the forget to end") {
            (try cluster.succeed("status")["pending_forgets"] as? [Any])?.isEmpty == true
        }
        #expect(try cluster.adapterNames() != names)
        #expect(try cluster.succeed("verify")["verified"] as? Bool == true)
    }
}
