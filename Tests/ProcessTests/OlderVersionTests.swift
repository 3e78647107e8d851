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

    @Test("Whoever is refused hears it in its own version, be it one that is not taken")
    func refusals() throws {
        let cluster = try TestCluster(opensLoopback: true)
        var options = SocketOptions()
        options.linger = .zero
        let socket = try Socket(try Context(), .dealer, options: options)
        try socket.connect(cluster.endpoint)
        let hello = """
            {"arithmetic":"x","base":"b","copies":[],"known":[],"name":"h:1","precision":"f32","protocolVersion":9,\
            "secret":"","threads":2,"work":[],"worker":"w"}
            """
        let base = try exchange(socket, frames(9, "hello", body: hello))
        #expect(base[1] == [9] && base[2] == Array("refused".utf8))
        #expect(String(decoding: base[4], as: UTF8.self).contains("base-model"))
        let status = try exchange(socket, frames(9, "request", id: "s", "{\"status\":{}}"))
        #expect(status[1] == [9] && status[3] == Array("s".utf8) && status.count == 6)
        for version: UInt8 in [8, 11, 255] {
            let greeted = try exchange(socket, frames(version, "hello", body: hello))
            #expect(greeted[1] == [version] && greeted[2] == Array("refused".utf8))
            let asked = try exchange(socket, frames(version, "request", id: "r", "{\"status\":{}}"))
            #expect(asked[1] == [version] && asked[2] == Array("reply".utf8) && asked[3] == Array("r".utf8))
            let text = String(decoding: asked[4], as: UTF8.self)
            #expect(text.contains("wrong-protocol") && text.contains("takes 9, not \(version)"), "\(text)")
        }
        let order = try exchange(
            socket, frames(9, "request", id: "o", "{\"order\":{\"_0\":{\"verb\":\"pause\",\"worker\":\"w\"}}}"))
        #expect(order[1] == [9] && String(decoding: order[4], as: UTF8.self).contains("protocol-version"))
    }
}
