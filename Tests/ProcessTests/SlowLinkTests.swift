import Foundation
import PeerTestSupport
import Testing

@Suite("Slow links", .waiting)
struct SlowLinkTests {
    @Test("An adapter that takes longer than a worker is believed comes over a slow link, and nobody is lost")
    func adapter() throws {
        // Half a megabyte over half a megabit a second takes as long as 1.84 MB over 2 Mbit/s: more than 7 s.
        let targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
        let cluster = try TestCluster(
            settings: ["--partition", "user-hash", "--shards", "1", "--epochs", "1", "--rank", "64", "--targets"]
                + targets, opensLoopback: true)
        _ = try cluster.importRatings(Ratings.csv(users: 6))
        let link = try SlowLink(to: cluster.endpoint, bytesPerSecond: 62_500)
        defer { link.close() }
        let worker = try cluster.startWorker(0, through: link.endpoint)
        try cluster.waitForWorkers(1)
        let begin = Date()
        _ = try cluster.succeed("train")
        while try cluster.adapterNames().isEmpty, Date().timeIntervalSince(begin) < 40 {
            // Heartbeats pass between the portions.
            #expect(try cluster.liveWorkers() == 1)
            Thread.sleep(forTimeInterval: 0.25)
        }
        #expect(Date().timeIntervalSince(begin) > 6 && link.bytes > 500_000)
        #expect(try cluster.adapterNames().count == 1)
        #expect(cluster.coordinator?.logText.contains("lost worker") == false)
        #expect(!worker.logText.contains("lost the coordinator"))
    }
}
