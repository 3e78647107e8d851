import Foundation
import PeerTestSupport
import Testing

@Suite("Two coordinators from one data directory, with real processes", .waiting)
struct SupersededProcessTests {
    private let manager = FileManager.default

    /// Starts the coordinator from another folder, under the same endpoint, with the data directory swapped in.
    private func swap(_ cluster: TestCluster, with folder: URL) throws {
        let aside = cluster.root.appendingPathComponent("swapped")
        try manager.moveItem(at: cluster.coordinatorDirectory, to: aside)
        try manager.moveItem(at: folder, to: cluster.coordinatorDirectory)
        try manager.moveItem(at: aside, to: folder)
    }

    @Test("An old copy is refused by worker and client, says so, ends, and does not start again by itself")
    func oldCopy() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 12))
        _ = try cluster.succeed("train", "--wait")
        cluster.coordinator?.stop()
        let copy = cluster.root.appendingPathComponent("copy")
        try manager.copyItem(at: cluster.coordinatorDirectory, to: copy)
        try cluster.startCoordinator()
        try cluster.waitForWorkers(1)
        _ = try cluster.succeed("forget", "--user", Ratings.name(3), "--wait")
        cluster.coordinator?.stop()
        cluster.workers[0]?.stop()

        // The client alone has seen the other one.
        try swap(cluster, with: copy)
        try cluster.startCoordinator()
        let asked = try cluster.command("query", "--user", Ratings.name(3), "--item", "i1")
        #expect(asked.status == 77 && asked.errors.contains("two were started"), "\(asked.errors)")
        // The worker tells it.
        try cluster.startWorker(0)
        #expect(cluster.coordinator?.status(within: 20) == 77)
        #expect(cluster.coordinator?.logText.contains("superseded") == true)
        #expect(cluster.workers[0]?.logText.contains("not followed") == true)
        #expect(throws: TestFailure.self) { try cluster.startCoordinator() }

        // The worker waits for the right one.
        try swap(cluster, with: copy)
        try cluster.startCoordinator()
        try cluster.waitForWorkers(1)
        #expect(try cluster.command("query", "--user", Ratings.name(3), "--item", "i1").status == 65)
        #expect(try cluster.succeed("verify")["verified"] as? Bool == true)
    }

    @Test("An operator can say that the copy is the right one")
    func takeOver() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(1)
        cluster.coordinator?.stop()
        let copy = cluster.root.appendingPathComponent("copy")
        try manager.copyItem(at: cluster.coordinatorDirectory, to: copy)
        try cluster.startCoordinator()
        try cluster.waitForWorkers(1)
        cluster.coordinator?.stop()
        try swap(cluster, with: copy)
        try cluster.startCoordinator()
        #expect(cluster.coordinator?.status(within: 30) == 77)
        try cluster.startCoordinator(arguments: ["--take-over"])
        try cluster.waitForWorkers(1)
        cluster.coordinator?.stop()
        try cluster.startCoordinator()
        try cluster.waitForWorkers(1)
    }
}
