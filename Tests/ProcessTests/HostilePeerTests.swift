import Foundation
import Messages
import PeerTestSupport
import Testing
import ZeroMQ

@Suite("Hostile peers of a coordinator", .serialized, .waiting)
struct HostilePeerTests {
    private func dealer(_ endpoint: String, identity: [UInt8]? = nil) throws -> Socket {
        var options = SocketOptions()
        options.routingIdentity = identity
        let socket = try Socket(try Context(), .dealer, options: options)
        try socket.connect(endpoint)
        return socket
    }

    private func request(_ body: String, id: String) -> [[UInt8]] {
        let header = Array("{\"body\":{},\"payloads\":[\(body.utf8.count)]}".utf8)
        return [[], [WireLimits.version], Array("request".utf8), Array(id.utf8), header, Array(body.utf8)]
    }

    @Test("Peers that claim the identities which libzmq would give out next do not end the coordinator")
    func guessedIdentities() throws {
        let cluster = try TestCluster(opensLoopback: true)
        // What `rand` gives in a process that does not seed it; libzmq makes its first number from two draws.
        let draws: [UInt32] = [
            1_804_289_383, 846_930_886, 1_681_692_777, 1_714_636_915, 1_957_747_793, 424_238_335, 719_885_386,
            1_649_760_492,
        ]
        let context = try Context()
        var held: [Socket] = []
        for (low, high) in zip(draws, draws.dropFirst()) {
            for step in UInt32(0)..<8 {
                let number = (low | high << 31) &+ step
                var options = SocketOptions()
                options.routingIdentity = [0] + (0..<4).map { UInt8(number >> (24 - 8 * $0) & 255) }
                // libzmq's own sockets may not claim a zero: the raw peers of another test do.
                guard let socket = try? Socket(context, .dealer, options: options) else { continue }
                try socket.connect(cluster.endpoint)
                held.append(socket)
            }
        }
        for _ in 0..<3 { _ = try cluster.succeed("status") }
        withExtendedLifetime(held) {}
    }

    @Test("Who asks for more than is read gets `busy` for it, and others are answered")
    func manyRequests() throws {
        let cluster = try TestCluster(opensLoopback: true)
        _ = try cluster.importRatings(Ratings.csv(users: 9))
        let peer = try dealer(cluster.endpoint)
        for number in 0..<400 { try peer.send(request("{\"lineage\":{}}", id: "r\(number)")) }
        var (answered, busy) = (0, 0)
        while answered + busy < 400, try Poller([.socket(peer)]).wait(timeout: .seconds(10))[0] {
            while let reply = try peer.receive() {
                let isBusy = String(decoding: reply.joined(), as: UTF8.self).contains("\"busy\"")
                (answered, busy) = (answered + (isBusy ? 0 : 1), busy + (isBusy ? 1 : 0))
            }
        }
        #expect(answered >= 64 && busy > 0 && answered + busy == 400)
        _ = try cluster.succeed("status")
    }

    @Test("A worker's place is not taken with the id that the status shows")
    func workerIDs() throws {
        let cluster = try TestCluster(opensLoopback: true)
        try cluster.startWorkers(1)
        let listed = try #require(try cluster.succeed("status")["workers"] as? [[String: Any]])
        let id = try #require(listed.first?["id"] as? String)
        let secret = cluster.workerDirectory(0).appendingPathComponent("secret")
        let mode = try FileManager.default.attributesOfItem(atPath: secret.path)[.posixPermissions] as? NSNumber
        #expect(mode == 0o600)
        #expect(try String(contentsOf: secret, encoding: .utf8).count == 64)
        let thief = try dealer(cluster.endpoint)
        let hello = WorkerMessage.Hello(
            worker: id, secret: WorkerIdentity.makeSecret(), name: "thief", protocolVersion: Int(WireLimits.version),
            base: "",
            precision: .f32, arithmetic: "", threads: 1, copies: [])
        for _ in 0..<8 { try thief.send(WorkerMessage.hello(hello).frames()) }
        var refusals = 0
        while refusals < 8, try Poller([.socket(thief)]).wait(timeout: .seconds(10))[0] {
            while let reply = try thief.receive() {
                guard case .refused(let code, _) = try CoordinatorMessage(frames: reply) else { continue }
                #expect(code == .foreignID)
                refusals += 1
            }
        }
        #expect(refusals == 8)
        #expect(try cluster.liveWorkers() == 1 && cluster.workers[0]?.process.isRunning == true)
    }

    @Test("Bad peers cost the log a bounded number of lines, and a refused key is named in it")
    func log() throws {
        let cluster = try TestCluster(opensLoopback: true)
        let peer = try dealer(cluster.endpoint)
        for _ in 0..<500 { try peer.send([[], [WireLimits.version], Array("nonsense".utf8), [], Array("{".utf8)]) }
        try peer.send(request("{\"status\":{}}", id: "s"))
        _ = try Poller([.socket(peer)]).wait(timeout: .seconds(10))
        let lines = cluster.coordinator?.logText.split(separator: "\n") ?? []
        #expect((1...40).contains(lines.count { $0.contains("dropped a message") }))
    }
}
