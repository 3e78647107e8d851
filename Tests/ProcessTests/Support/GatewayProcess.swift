import Foundation
import FoundationNetworking
import PeerTestSupport
import Testing

/// A running gateway; port 0 finds a free one.
final class GatewayProcess {
    let process: LetheProcess
    let url: String

    /// Of a process that serves HTTP already.
    init(_ process: LetheProcess, url: String) {
        self.process = process
        self.url = url
    }

    /// - Parameter limits: of `ulimit`; nil: this process's own.
    init(_ cluster: TestCluster, arguments: [String] = [], limits: String? = nil) throws {
        let process = try LetheProcess(
            ["gateway", "--coordinator", cluster.endpoint, "--listen", "http://127.0.0.1:0", "--json"] + arguments,
            log: cluster.root.appendingPathComponent("gateway-\(UUID().uuidString).log"), limits: limits)
        self.process = process
        var found: String?
        try wait("the gateway to listen: \(process.logText)") {
            guard process.process.isRunning else { throw TestFailure("the gateway ended: \(process.logText)") }
            let line = process.logText.split(separator: "\n").first { $0.hasPrefix("{") }
            let object = try line.map { try JSONSerialization.jsonObject(with: Data($0.utf8)) } as? [String: Any]
            found = object?["url"] as? String
            return found != nil
        }
        url = found ?? ""
    }

    func ask(
        _ path: String, body: String? = nil, headers: [String: String] = [:]
    ) async throws -> (status: Int, body: Data, json: [String: Any]) {
        var request = URLRequest(url: try #require(URL(string: url + path)))
        request.timeoutInterval = 60
        if let body {
            request.httpMethod = "POST"
            request.httpBody = Data(body.utf8)
            request.setValue("application/json", forHTTPHeaderField: "Content-Type")
        }
        for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
        let (data, response) = try await URLSession.shared.data(for: request)
        let json = (try? JSONSerialization.jsonObject(with: data) as? [String: Any]) ?? [:]
        return ((response as? HTTPURLResponse)?.statusCode ?? 0, data, json)
    }
}

/// A client that can hang up.
final class HangingClient {
    private var descriptor: Int32

    init(port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw TestFailure("cannot connect: \(errno)") }
    }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard write(descriptor, bytes, bytes.count) == bytes.count else {
            throw TestFailure("cannot send: \(errno)")
        }
    }

    func close() {
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
        descriptor = -1
    }

    deinit { close() }
}
