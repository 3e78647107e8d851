import Foundation
import Testing
import ZeroMQ

@Suite("Connections over ipc are watched", .serialized)
struct LocalConnectionTests {
    private func server(_ limits: ConnectionLimits) throws -> (GuardedServer, path: String) {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("lethe-\(UUID().uuidString)").path
        return (try GuardedServer(limits, endpoint: "ipc://" + path), path)
    }

    private func peer(_ server: GuardedServer, receiving messages: Int32 = 1000) throws -> Socket {
        var options = SocketOptions()
        options.receiveHighWaterMark = messages
        let peer = try Socket(try Context(), .dealer, options: options)
        try peer.connect(server.endpoint)
        return peer
    }

    @Test("A peer that reads nothing is known by its bytes and ends after a while")
    func unread() throws {
        // Longer than a busy machine takes to send it all.
        let (server, path) = try server(GuardedServer.limits { $0.patience = .seconds(4) })
        defer { try? FileManager.default.removeItem(atPath: path) }
        let peer = try peer(server, receiving: 1)
        try peer.send([[66]])
        let identity = try #require(try receive(server.socket)?.first)
        let connections = try #require(server.socket.connections)
        Thread.sleep(forTimeInterval: 0.05)
        #expect(connections.unread(by: identity) < 1000)
        for _ in 0..<32 { try server.socket.send([identity, [UInt8](repeating: 1, count: 1 << 20)]) }
        #expect(connections.unread(by: identity) > 16 << 20 && connections.isUnread(moreThan: 16 << 20))
        #expect(server.closed.take(timeout: .seconds(30)) == [.unread])
        withExtendedLifetime(peer) {}
    }

    @Test("A peer that reads what it is sent owes nothing soon after, however much it was")
    func read() throws {
        let (server, path) = try server(GuardedServer.limits { $0.patience = .milliseconds(500) })
        defer { try? FileManager.default.removeItem(atPath: path) }
        let peer = try peer(server)
        try peer.send([[66]])
        let identity = try #require(try receive(server.socket)?.first)
        for _ in 0..<64 {
            try server.socket.send([identity, [UInt8](repeating: 1, count: 1 << 20)])
            #expect(try receive(peer)?.first?.count == 1 << 20)
        }
        let connections = try #require(server.socket.connections)
        let deadline = ContinuousClock.now + .seconds(30)
        while connections.unread(by: identity) > 0, ContinuousClock.now < deadline { usleep(10_000) }
        #expect(connections.unread(by: identity) == 0)
        #expect(server.closed.drain().isEmpty)
    }

    @Test("Where there are too many, those that were silent longest go")
    func crowd() throws {
        let (server, path) = try server(GuardedServer.limits { $0.connections = 4 })
        defer { try? FileManager.default.removeItem(atPath: path) }
        var peers: [Socket] = []
        for _ in 0..<12 {
            let next = try peer(server)
            try next.send([[1]])
            _ = try #require(try receive(server.socket))
            peers.append(next)
        }
        #expect(server.closed.take(timeout: .seconds(30)).contains(.crowded))
        withExtendedLifetime(peers) {}
    }
}
