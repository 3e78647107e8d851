import Foundation
import PeerTestSupport
import Testing
import ZeroMQ

@Suite("A server's connections are bounded", .serialized)
struct ConnectionGuardTests {
    @Test("A message that never ends costs its sender the connection at the bound, not at the end of memory")
    func endless() throws {
        let server = try GuardedServer(GuardedServer.limits { $0.unfinishedBytes = 4 << 20 })
        let peer = try RawPeer(server.endpoint)
        var sent = 0
        while sent < 512 << 20, peer.sendFrame(1 << 16) { sent += 1 << 16 }
        #expect(sent < 512 << 20)
        #expect(server.closed.take(timeout: .seconds(30)) == [.unfinished])
        #expect(try receive(server.socket, within: .milliseconds(50)) == nil)
    }

    @Test("Many whole messages, of many times the bound together, cost nobody anything", arguments: [false, true])
    func honest(_ isEncrypted: Bool) throws {
        let (serverKeys, keys) = (try CurveKeyPair.generate(), try CurveKeyPair.generate())
        let server = try GuardedServer(
            GuardedServer.limits { $0.unfinishedBytes = 1 << 20 }, keys: isEncrypted ? serverKeys : nil,
            allowing: [keys.publicKey])
        var options = SocketOptions()
        options.curve = isEncrypted ? .client(keys, serverKey: serverKeys.publicKey) : nil
        let peer = try Socket(try Context(), .dealer, options: options)
        try peer.connect(server.endpoint)
        for size in [0, 1, 222, 223, 255, 256, 300_000] {
            for _ in 0..<40 {
                try peer.send([[UInt8](repeating: 1, count: size), [1], [UInt8](repeating: 2, count: size)])
                #expect(try receive(server.socket)?.count == 4)
            }
        }
        Thread.sleep(forTimeInterval: 0.1)
        #expect(server.closed.drain().isEmpty)
    }

    @Test("Together peers may not have more on the way either")
    func together() throws {
        let server = try GuardedServer(GuardedServer.limits { $0.unfinishedBytesInAll = 4 << 20 })
        let peers = try (0..<4).map { _ in try RawPeer(server.endpoint) }
        var rounds = 0
        while rounds < 400, peers.allSatisfy({ $0.sendFrame(1 << 16) }) { rounds += 1 }
        #expect(server.closed.take(timeout: .seconds(30)).first == .unfinished)
    }

    @Test("Those whom nobody knows may have less on the way together than those who are known")
    func strangers() throws {
        let server = try GuardedServer(GuardedServer.limits { $0.unfinishedBytesOfStrangers = 2 << 20 })
        let peers = try (0..<4).map { _ in try RawPeer(server.endpoint) }
        var rounds = 0
        while rounds < 400, peers.allSatisfy({ $0.sendFrame(1 << 16) }) { rounds += 1 }
        #expect(server.closed.take(timeout: .seconds(30)).first == .unfinished)
    }

    @Test("A message that stops half-way, and a connection without any, end after a while")
    func halfWay() throws {
        let server = try GuardedServer(
            GuardedServer.limits {
                $0.patience = .milliseconds(300)
                $0.newcomerPatience = .milliseconds(300)
            })
        let half = try RawPeer(server.endpoint)
        #expect(half.sendFrame(100_000, of: 200_000))
        #expect(half.isClosed(within: 30))
        #expect(server.closed.take(timeout: .seconds(30)) == [.stalled])
        let silent = [try RawPeer(server.endpoint), try RawPeer(server.endpoint, greets: false)]
        #expect(silent.allSatisfy { $0.isClosed(within: 30) })
    }

    @Test("A peer that reads nothing is known by its bytes and ends after a while")
    func unread() throws {
        // Longer than a busy machine takes to send it all.
        let server = try GuardedServer(GuardedServer.limits { $0.patience = .seconds(4) })
        let peer = try RawPeer(server.endpoint, receiveBuffer: 4096)
        #expect(peer.send([0, 1, 66]))
        let identity = try #require(try receive(server.socket)?.first)
        let connections = try #require(server.socket.connections)
        #expect(connections.unread(by: identity) < 1000)
        for _ in 0..<32 { try server.socket.send([identity, [UInt8](repeating: 1, count: 1 << 20)]) }
        #expect(connections.unread(by: identity) > 16 << 20 && connections.isUnread(moreThan: 16 << 20))
        #expect(server.closed.take(timeout: .seconds(30)) == [.unread])
    }

    @Test("Where there are too many, those that were silent longest go, and whoever speaks stays")
    func crowd() throws {
        let server = try GuardedServer(GuardedServer.limits { $0.connections = 4 })
        let member = try RawPeer(server.endpoint)
        #expect(member.send([0, 1, 66]))
        _ = try #require(try receive(server.socket))
        var others: [RawPeer] = []
        for _ in 0..<12 {
            others.append(try RawPeer(server.endpoint))
            #expect(member.send([0, 1, 66]) && others.last?.send([0, 1, 67]) == true)
            for _ in 0..<2 { _ = try #require(try receive(server.socket)) }
        }
        Thread.sleep(forTimeInterval: 0.2)
        #expect(!member.isClosed(within: 0.1) && others[0].isClosed(within: 30))
        #expect(Set(server.closed.drain()) == [.crowded])
    }
}
