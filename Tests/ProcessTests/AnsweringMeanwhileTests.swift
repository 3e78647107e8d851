import Foundation
import PeerTestSupport
import Testing

@Suite("Stages that answer while shards are trained again, with real processes", .waiting)
struct AnsweringMeanwhileTests {
    private static func settings(shards: Int) -> [String] {
        ["--partition", "user-hash", "--shards", "\(shards)", "--epochs", "80", "--slices", "4"]
    }

    private struct Finished {
        /// ISO 8601, in UTC.
        var finished: String
        var meanwhile: [(slice: Int, since: String)]
    }

    private func finished(_ cluster: TestCluster, _ user: Int) throws -> Finished {
        let name = Ratings.name(user)
        let reply = try cluster.succeed("forget", "--user", name, "--request-id", name, "--wait")
        let certificate = try #require(reply["certificate"] as? [String: Any])
        let statement = try #require(certificate["statement"] as? [String: Any])
        let shards = try #require(statement["shards"] as? [[String: Any]])
        let served = shards.first?["meanwhile"] as? [[String: Any]] ?? []
        return Finished(
            finished: try #require(statement["finished"] as? String),
            meanwhile: try served.map {
                (try #require($0["slice"] as? Int), try #require($0["since"] as? String))
            })
    }

    private func fresh(shards: Int, users: Int, without gone: [Int], leavers: [Int] = []) throws -> [Int: String] {
        let cluster = try TestCluster(settings: Self.settings(shards: shards))
        try cluster.startWorkers(1)
        let csv = Ratings.csv(users: users, leavingOut: Set(gone.map(Ratings.name)))
        try take(csv, leavers: leavers, cluster)
        _ = try cluster.succeed("train", "--wait")
        return try cluster.adapterNames()
    }

    private func take(_ csv: String, leavers: [Int], _ cluster: TestCluster) throws {
        let list = cluster.root.appendingPathComponent("leavers.txt")
        try leavers.map { Ratings.name($0) + "\n" }.joined().write(to: list, atomically: true, encoding: .utf8)
        _ = try cluster.importRatings(csv, arguments: leavers.isEmpty ? [] : ["--leavers", list.path])
    }

    @Test("Of two shards that one worker trains one after the other, both answer from the first moment")
    func bothAnswer() throws {
        let cluster = try TestCluster(settings: Self.settings(shards: 2))
        try cluster.startWorkers(1)
        let leavers = Array(12..<24)
        try take(Ratings.csv(users: 24), leavers: leavers, cluster)
        _ = try cluster.succeed("train", "--wait")
        var chosen: [Int: Int] = [:]
        for user in leavers where chosen.count < 2 {
            let plan = try cluster.succeed("forget", "--user", Ratings.name(user), "--dry-run")
            let shard = try #require((plan["shards"] as? [Int])?.first)
            chosen[shard] = chosen[shard] ?? user
        }
        let gone = chosen.values.sorted()
        try #require(gone.count == 2)
        for user in gone {
            _ = try cluster.succeed("forget", "--user", Ratings.name(user), "--request-id", Ratings.name(user))
        }
        let ends = try gone.map { try finished(cluster, $0) }.sorted { $0.finished < $1.finished }
        for end in ends { #expect(end.meanwhile.count == 1 && end.meanwhile.allSatisfy { $0.slice < 4 }) }
        // The second one did not wait for the training of the first.
        let since = try #require(ends[1].meanwhile.first?.since)
        #expect(since < ends[0].finished)
        #expect(try cluster.adapterNames() == fresh(shards: 2, users: 24, without: gone, leavers: leavers))
    }

    @Test("Where somebody of the first slice goes, a stage answers once the training has passed one")
    func passed() throws {
        let cluster = try TestCluster(settings: Self.settings(shards: 1))
        try cluster.startWorkers(1)
        _ = try cluster.importRatings(Ratings.csv(users: 12))
        _ = try cluster.succeed("train", "--wait")
        // Whom the hash deals to slice 1.
        let end = try finished(cluster, 0)
        #expect(end.meanwhile.count == 1)
        let since = try #require(end.meanwhile.first?.since)
        #expect(since < end.finished)
        #expect(try cluster.adapterNames() == fresh(shards: 1, users: 12, without: [0]))
    }
}
