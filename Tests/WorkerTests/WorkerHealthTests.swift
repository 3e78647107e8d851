import ClusterTestSupport
import Foundation
import Messages
import Testing
import Worker
import ZeroMQ

@Suite("How a worker is, for whoever watches it", .serialized)
final class WorkerHealthTests {
    let directory = Toy.temporaryDirectory()

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    /// The status of the reply to a request; nil: none came.
    private func ask(_ request: String, port: Int) -> Int? {
        let socket = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(socket) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        inet_pton(AF_INET, "127.0.0.1", &address.sin_addr)
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0, !request.isEmpty else { return nil }
        let bytes = Array(request.utf8)
        send(socket, bytes, bytes.count, Int32(MSG_NOSIGNAL))
        var reply = [UInt8](repeating: 0, count: 1024)
        let count = recv(socket, &reply, reply.count, 0)
        guard count > 0 else { return nil }
        let words = String(decoding: reply[..<count], as: UTF8.self).split(separator: " ")
        return words.count > 1 ? Int(words[1]) : nil
    }

    private func port(_ lines: KeptLines) throws -> Int {
        for _ in 0..<1000 {
            let said = lines.text.split(separator: "\n").first { $0.contains("tells how it is at port") }
            if let port = said?.split(separator: " ").compactMap({ Int($0) }).last { return port }
            Thread.sleep(forTimeInterval: 0.01)
        }
        throw WireError.malformed(reason: "no port: \(lines.text)")
    }

    @Test("It is alive from the start, ready once a coordinator has taken it in, and not before")
    func ready() throws {
        let lines = KeptLines()
        let coordinator = try ScriptedCoordinator(context: try Context())
        let worker = try WorkerThread(
            endpoint: coordinator.endpoint, dataDirectory: directory, lines: lines, health: "127.0.0.1:*")
        let port = try port(lines)
        _ = try coordinator.expect { if case .hello = $0 { true } else { nil } }
        #expect(ask("GET /livez HTTP/1.1\r\n\r\n", port: port) == 200)
        #expect(ask("GET /readyz HTTP/1.1\r\n\r\n", port: port) == 503)
        try coordinator.say(
            .welcome(CoordinatorMessage.Welcome(cluster: "test", heartbeatSeconds: 1, liveness: 3)))
        _ = try coordinator.expect { if case .heartbeat = $0 { true } else { nil } }
        var ready: Int?
        for _ in 0..<500 where ready != 200 {
            ready = ask("GET /readyz HTTP/1.1\r\n\r\n", port: port)
            if ready != 200 { Thread.sleep(forTimeInterval: 0.01) }
        }
        #expect(ready == 200)
        #expect(ask("GET /nothing HTTP/1.1\r\n\r\n", port: port) == 404)
        #expect(ask("POST /livez HTTP/1.1\r\n\r\n", port: port) == 405)
        // Who says nothing, or too much, holds up nobody for long.
        #expect(ask("", port: port) == nil && ask(String(repeating: "x", count: 5000), port: port) == nil)
        #expect(ask("GET /livez HTTP/1.1\r\n\r\n", port: port) == 200)
        try worker.stop()
        #expect(ask("GET /livez HTTP/1.1\r\n\r\n", port: port) == nil)
    }

    @Test(
        "An address that cannot be used is named, and the worker does not start",
        arguments: ["nowhere", "192.0.2.1:80"])
    func unusable(_ address: String) throws {
        let worker = try WorkerThread(endpoint: "tcp://127.0.0.1:1", dataDirectory: directory, health: address)
        #expect(throws: WorkerError.self) { try worker.wait() }
    }
}
