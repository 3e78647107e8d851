import Foundation
import Messages
import PeerTestSupport
import Testing
import ZeroMQ

@Suite("Many questions of one, and answers that were lost on the way", .waiting)
struct FloodOfQuestionsTests {
    private func dealer(_ endpoint: String) throws -> Socket {
        let socket = try Socket(try Context(), .dealer)
        try socket.connect(endpoint)
        return socket
    }

    private func question(_ items: [String], top: Int? = nil) -> ClientRequest {
        .query(.init(user: Ratings.name(2), items: items, top: top, limit: 10_000))
    }

    /// The next reply, without notices.
    private func reply(_ peer: Socket) throws -> ClientReply? {
        while try Poller([.socket(peer)]).wait(timeout: .seconds(20))[0] {
            while let frames = try peer.receive() {
                if case .reply(let reply) = try ClientMessage.decode(frames: frames).message { return reply }
            }
        }
        return nil
    }

    private func answered(_ cluster: TestCluster) throws -> Int? {
        (try cluster.succeed("status")["questions"] as? [String: Int])?["answered"]
    }

    @Test("Who asks again after the answer was lost gets it without its being computed, and not once it is forgotten")
    func lostAnswer() throws {
        let cluster = try TestCluster(opensLoopback: true)
        _ = try cluster.importRatings(Ratings.csv(users: 10))
        func ask() throws -> ClientReply.Outcome? {
            let peer = try dealer(cluster.endpoint)
            try peer.send(question(["i1", "i2"]).frames(id: "lost"))
            return try reply(peer)?.outcome
        }
        let first = try #require(try ask())
        guard case .success = first else { throw TestFailure("\(first)") }
        #expect(try ask() == first)
        #expect(try answered(cluster) == 1)
        // Somebody else's data is nothing that it rests on: no adapter was trained.
        _ = try cluster.succeed("forget", "--user", Ratings.name(7))
        #expect(try ask() == first)
        #expect(try answered(cluster) == 1)
        _ = try cluster.succeed("forget", "--user", Ratings.name(2))
        guard case .failure(let error)? = try ask() else { throw TestFailure("answered after the forget") }
        #expect(error.code == .unknownUser)
    }

    @Test("A flood of rankings fills the queue, and somebody's question is answered all the same")
    func flood() throws {
        let cluster = try TestCluster(opensLoopback: true)
        let items = (0..<3000).map { "collector,c\($0),5,\($0),\($0) \(String(repeating: "title ", count: 20))\n" }
        _ = try cluster.importRatings(Ratings.csv(users: 10) + items.joined())
        let flood = try (0..<20).map { _ in try dealer(cluster.endpoint) }
        for (number, peer) in flood.enumerated() {
            for ranking in 0..<60 { try peer.send(question([], top: 3).frames(id: "f\(number)-\(ranking)")) }
        }
        try wait("a full queue") {
            (try cluster.succeed("status")["questions"] as? [String: Int])?["waiting"] ?? 0 > 1000
        }
        let answer = try cluster.succeed("query", "--user", Ratings.name(3), "--item", "i1")
        #expect((answer["items"] as? [Any])?.count == 1)
        var busy = 0
        for peer in flood {
            while let frames = try peer.receive() {
                guard case .reply(let reply) = try ClientMessage.decode(frames: frames).message,
                    case .failure(let error) = reply.outcome
                else { continue }
                #expect(error.code == .busy)
                busy += 1
            }
        }
        #expect(busy > 0)
    }
}
