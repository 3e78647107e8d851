import Foundation
import PeerTestSupport
import Testing

@Suite("What a person may ask for", .waiting)
struct AccessTests {
    @Test("lethe access prints all that is kept of somebody; after a forget request nobody of that name is known")
    func access() throws {
        let cluster = try TestCluster()
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 8))
        _ = try cluster.succeed("train", "--wait")
        let name = Ratings.name(3)
        let kept = try cluster.succeed("access", "--user", name)
        #expect(kept["user"] as? String == name)
        #expect((kept["interactions"] as? [Any])?.count == 15)
        let shards = try #require(kept["shards"] as? [[String: Any]])
        #expect(!shards.isEmpty && shards.allSatisfy { $0["adapter"] as? String != nil })
        #expect((kept["prompts"] as? [Any])?.isEmpty == false)

        _ = try cluster.succeed("forget", "--user", name, "--wait")
        #expect(try cluster.command("access", "--user", name).status == 65)
        let log = String(decoding: try cluster.command("audit").output, as: UTF8.self)
        #expect(!log.isEmpty && !log.contains(name))
    }
}
