import Foundation
import Messages
import PeerTestSupport
import Recommendation
import Testing
import ZeroMQ

/// What hostile peers make a coordinator keep in memory, printed for each kind, with LETHE_TEST_FULL: it takes minutes.
@Suite(
    "A coordinator's memory under attack", .serialized, .waiting,
    .enabled(if: ProcessInfo.processInfo.environment["LETHE_TEST_FULL"] != nil))
struct AttackMemoryTests {
    /// Above what the coordinator had before.
    private static let goal = 256 << 20
    private static let patience = Duration.seconds(2)

    /// Peak of the resident memory during an attack above that before it, in bytes.
    private func peak(_ name: String, _ cluster: TestCluster, _ attack: () throws -> Void) throws -> Int {
        let process = try #require(cluster.coordinator?.process.processIdentifier)
        _ = try cluster.succeed("status")
        let before = try memory(process, "VmRSS")
        // Makes the peak begin anew (proc(5)).
        try Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/\(process)/clear_refs"))
        try attack()
        let above = try memory(process, "VmHWM") - before
        let isThere = try cluster.command("status").status == 0
        print("\(name): \(before >> 20) MiB before, \(above >> 20) MiB above; answers afterwards: \(isThere)")
        #expect(isThere && above < Self.goal, "\(name)")
        return above
    }

    private func memory(_ process: Int32, _ field: String) throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(process)/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix(field + ":") })
        return try #require(line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }) << 10
    }

    private func dealer(_ endpoint: String, reads: Bool = true) throws -> Socket {
        var options = SocketOptions()
        options.sendHighWaterMark = 100_000
        if !reads { options.receiveHighWaterMark = 1 }
        let socket = try Socket(try Context(), .dealer, options: options)
        try socket.connect(endpoint)
        return socket
    }

    /// A request as it travels, whatever its body holds.
    private func frames(_ body: [UInt8], id: String) throws -> [[UInt8]] {
        try Envelope(kind: "request", id: id, payloads: [body]).frames()
    }

    /// A batch of an import of about so many bytes.
    private func batch(_ bytes: Int, number: Int) throws -> [UInt8] {
        let row = Interaction(user: "user-1", item: "item-1", timestamp: 1_000_000, rating: 4, ordinal: 0)
        let one = try WireJSON.encode(
            ClientRequest.importRows(
                .init(importID: "attack", sequence: number, items: [], interactions: [row])), kind: "request")
        let text = String(decoding: one, as: UTF8.self)
        guard let start = text.range(of: "\"interactions\":[")?.upperBound,
            let end = text.range(of: "]", range: start..<text.endIndex)?.lowerBound
        else { throw TestFailure(text) }
        let piece = String(text[start..<end])
        let rows = Array(repeating: piece, count: bytes / (piece.utf8.count + 1)).joined(separator: ",")
        return Array((text[..<start] + rows + text[end...]).utf8)
    }

    private func afterwards() { Thread.sleep(forTimeInterval: 2) }

    @Test("One message that never ends")
    func endless() throws {
        let cluster = try TestCluster(opensLoopback: true)
        _ = try peak("a message without an end", cluster) {
            let peer = try RawPeer(cluster.endpoint)
            var sent = 0
            while sent < 3000, peer.sendFrame(1 << 20) { sent += 1 }
            afterwards()
        }
    }

    @Test("Many halves of messages")
    func halves() throws {
        let cluster = try TestCluster(opensLoopback: true)
        _ = try peak("40 halves of messages of 60 MiB", cluster) {
            let peers = try (0..<40).map { _ in try RawPeer(cluster.endpoint) }
            for _ in 0..<30 { for peer in peers { _ = peer.sendFrame(1 << 20) } }
            afterwards()
            withExtendedLifetime(peers) {}
        }
    }

    @Test("Requests whose replies nobody reads, over TCP and ipc", arguments: [false, true])
    func unread(isLocal: Bool) throws {
        let cluster = try TestCluster(isLocal: isLocal, opensLoopback: true)
        _ = try cluster.importRatings(Ratings.csv(users: 3000))
        _ = try peak("1,500 unread replies over \(isLocal ? "ipc" : "TCP")", cluster) {
            let peers = try (0..<30).map { _ in try dealer(cluster.endpoint, reads: false) }
            for number in 0..<50 {
                for peer in peers { try peer.send(frames(Array("{\"lineage\":{}}".utf8), id: "r\(number)")) }
            }
            Thread.sleep(forTimeInterval: 12)
            // They hold up nobody for longer than seconds.
            let observer = try cluster.command("status")
            #expect(observer.status == 0, "\(observer.errors)")
            withExtendedLifetime(peers) {}
        }
    }

    @Test("Very many connections")
    func connections() throws {
        let cluster = try TestCluster(opensLoopback: true)
        _ = try peak("2,500 connections", cluster) {
            let peers = try (0..<2500).map { _ in try RawPeer(cluster.endpoint, greets: false) }
            afterwards()
            withExtendedLifetime(peers) {}
        }
    }

    /// - Parameter isDryRun: of a forget request of many names; nil: batches of an import instead.
    @Test(
        "Batches of 64 MB of several, and JSON of many values; status goes on meanwhile",
        arguments: [Bool?.none, true, false])
    func large(isDryRun: Bool?) throws {
        let cluster = try TestCluster(opensLoopback: true)
        let body: [UInt8] =
            if let isDryRun {
                Array("{\"forget\":{\"_0\":{\"dryRun\":\(isDryRun),\"interactions\":[],\"users\":[\"\"".utf8)
                    + Array(repeatElement(Array(",\"\"".utf8), count: 21_000_000).joined()) + Array("]}}}".utf8)
            } else {
                try batch(63_000_000, number: 0)
            }
        let name = "four times three requests of 64 MB" + (isDryRun.map { " of many values, dry run: \($0)" } ?? "")
        var times: [Double] = []
        _ = try peak(name, cluster) {
            let peers = try (0..<4).map { _ in try dealer(cluster.endpoint) }
            let observer = try dealer(cluster.endpoint)
            for number in 0..<3 {
                for (place, peer) in peers.enumerated() { try peer.send(frames(body, id: "b\(place)-\(number)")) }
            }
            let deadline = ContinuousClock.now + .seconds(15)
            while ContinuousClock.now < deadline {
                let start = ContinuousClock.now
                try observer.send(ClientRequest.status.frames(id: "s\(times.count)"))
                guard try Poller([.socket(observer)]).wait(timeout: .seconds(30))[0] else { break }
                while try observer.receive() != nil {}
                times.append((ContinuousClock.now - start) / .milliseconds(1))
                Thread.sleep(forTimeInterval: 0.01)
            }
        }
        guard !times.isEmpty else {
            Issue.record("no status within 30 s")
            return
        }
        times.sort()
        let (middle, late) = (times[times.count / 2], times[times.count * 99 / 100])
        print("status meanwhile, in ms: p50 \(middle), p99 \(late), longest \(times.last ?? 0), of \(times.count)")
    }

    @Test("Questions with ten thousand candidates each")
    func candidates() throws {
        let cluster = try TestCluster(opensLoopback: true)
        _ = try cluster.importRatings(Ratings.csv(users: 10))
        _ = try peak("questions with many candidates", cluster) {
            let peers = try (0..<20).map { _ in try dealer(cluster.endpoint) }
            let question = ClientRequest.query(
                .init(user: Ratings.name(2), items: Array(repeating: "i1", count: 10_000), top: nil))
            for number in 0..<10 { for peer in peers { try peer.send(question.frames(id: "q\(number)")) } }
            Thread.sleep(forTimeInterval: 10)
        }
    }
}
