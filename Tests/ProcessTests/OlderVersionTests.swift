import Foundation
import Messages
import PeerTestSupport
import Testing
import ZeroMQ

@Suite("Peers that speak the version of the protocol before", .waiting)
struct OlderVersionTests {
    private func exchange(_ socket: Socket, _ frames: [[UInt8]]) throws -> [[UInt8]] {
        try socket.send(frames)
        for _ in 0..<200 {
            if let reply = try socket.receive() { return reply }
            _ = try Poller([.socket(socket)]).wait(timeout: .milliseconds(50))
        }
        throw TestFailure("no answer")
    }

    private func frames(
        _ version: UInt8, _ kind: String, id: String = "", body: String = "{}", _ payload: String? = nil
    ) -> [[UInt8]] {
        let header = "{\"body\":\(body),\"payloads\":[\(payload.map { "\($0.utf8.count)" } ?? "")]}"
        return [[], [version], Array(kind.utf8), Array(id.utf8), Array(header.utf8)]
            + [payload].compactMap { $0.map { Array($0.utf8) } }
    }

    @Test("A cluster is upgraded one process after the other: coordinator first, then workers, with forgets in between")
    func rollingUpgrade() throws {
        let cluster = try TestCluster(opensLoopback: true)
        let relay = try OlderVersionRelay(to: cluster.endpoint)
        defer { relay.end() }
        for number in 0..<2 { try cluster.startWorker(number, through: relay.endpoint) }
        try cluster.waitForWorkers(2)
        let ratings = cluster.root.appendingPathComponent("r.csv")
        try Data(Ratings.csv(users: 40, interactions: 30).utf8).write(to: ratings)
        func older(_ arguments: String...) throws -> CommandResult {
            try lethe(arguments + ["--coordinator", relay.endpoint, "--json"])
        }
        for arguments in [["import", "--format", "csv", ratings.path], ["train", "--wait"]] {
            let result = try lethe(arguments + ["--coordinator", relay.endpoint, "--json"])
            try #require(result.status == 0, "\(result.errors)")
        }
        let listed = try cluster.succeed("workers")["workers"] as? [[String: Any]] ?? []
        #expect(listed.map { $0["protocol_version"] as? Int } == [10, 10])
        let text = try lethe(["workers", "--coordinator", cluster.endpoint])
        #expect(String(decoding: text.output, as: UTF8.self).contains("(protocol 10)"))

        #expect(try older("forget", "--user", Ratings.name(3), "--wait").status == 0)
        #expect(try older("query", "--user", Ratings.name(3), "--item", "i1").status == 65)
        #expect(try cluster.succeed("verify")["verified"] as? Bool == true)

        for number in 0..<2 {
            let before = try cluster.adapterNames()
            cluster.workers[number]?.stop()
            try cluster.startWorker(number)
            try cluster.waitForWorkers(2)
            #expect(try cluster.adapterNames() == before)
            _ = try cluster.succeed("forget", "--user", Ratings.name(5 + number), "--wait")
            #expect(try cluster.succeed("verify")["verified"] as? Bool == true)
        }
        let after = try cluster.succeed("workers")["workers"] as? [[String: Any]] ?? []
        #expect(after.allSatisfy { $0["protocol_version"] == nil })
        #expect(relay.counts.others == 0 && relay.counts.portions > 0 && relay.counts.translated > 0)
    }

    @Test(
        "The binary of the commit before is replaced, the coordinator's first, with forgets in between",
        .enabled(if: LetheBinary.before != nil, "LETHE_BEFORE names no binary"), arguments: [1, 4])
    func binaryBefore(slices: Int) throws {
        let before = try #require(LetheBinary.before)
        let cluster = try TestCluster(
            settings: ["--partition", "user-hash", "--shards", "3", "--epochs", "2", "--slices", "\(slices)"],
            binary: before)
        for number in 0..<2 { try cluster.startWorker(number, binary: before) }
        try cluster.waitForWorkers(2)
        _ = try cluster.importRatings(Ratings.csv(users: 12))
        _ = try cluster.succeed("train", "--wait")
        var adapters = try cluster.adapterNames()
        func forgets(_ user: Int) throws {
            #expect(try cluster.adapterNames() == adapters)
            _ = try cluster.succeed("forget", "--user", Ratings.name(user), "--wait")
            #expect(try cluster.succeed("verify")["verified"] as? Bool == true)
            #expect(try cluster.command("query", "--user", Ratings.name(user), "--item", "i1").status == 65)
            adapters = try cluster.adapterNames()
        }
        cluster.coordinator?.stop()
        try cluster.startCoordinator()
        try cluster.waitForWorkers(2)
        // Clients of the release before are taken, too.
        try forgets(3)
        cluster.client = LetheBinary.url
        // Who trained until now says nothing of stages.
        #expect(try cluster.command("verify", "--stage", "0:4").status == (slices > 1 ? 65 : 64))
        for number in 0..<2 {
            cluster.workers[number]?.stop()
            try cluster.startWorker(number)
            try cluster.waitForWorkers(2)
            try forgets(5 + number)
        }
        guard slices > 1 else { return }
        let older = adapters
        try forgets(9)
        let shard = try #require(adapters.keys.first { adapters[$0] != older[$0] })
        #expect(try cluster.succeed("verify", "--stage", "\(shard):4")["verified"] as? Bool == true)
    }

    @Test("Whoever is refused hears it in its own version, be it one that is not taken")
    func refusals() throws {
        let cluster = try TestCluster(opensLoopback: true)
        var options = SocketOptions()
        options.linger = .zero
        let socket = try Socket(try Context(), .dealer, options: options)
        try socket.connect(cluster.endpoint)
        let hello = """
            {"arithmetic":"x","base":"b","copies":[],"known":[],"name":"h:1","precision":"f32","protocolVersion":10,\
            "secret":"","threads":2,"work":[],"worker":"w"}
            """
        let base = try exchange(socket, frames(10, "hello", body: hello))
        #expect(base[1] == [10] && base[2] == Array("refused".utf8))
        #expect(String(decoding: base[4], as: UTF8.self).contains("base-model"))
        let status = try exchange(socket, frames(10, "request", id: "s", "{\"status\":{}}"))
        #expect(status[1] == [10] && status[3] == Array("s".utf8) && status.count == 6)
        for version: UInt8 in [9, 12, 255] {
            let greeted = try exchange(socket, frames(version, "hello", body: hello))
            #expect(greeted[1] == [version] && greeted[2] == Array("refused".utf8))
            let asked = try exchange(socket, frames(version, "request", id: "r", "{\"status\":{}}"))
            #expect(asked[1] == [version] && asked[2] == Array("reply".utf8) && asked[3] == Array("r".utf8))
            let text = String(decoding: asked[4], as: UTF8.self)
            #expect(text.contains("wrong-protocol") && text.contains("takes 10, not \(version)"), "\(text)")
        }
    }
}
