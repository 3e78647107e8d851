import Foundation
import ZeroMQ

/// Answers `GET /livez` and `GET /readyz` for whoever watches the process, one connection after the other, on a thread of its own.
final class HealthListener: Sendable {
    /// How long a client may take to say what it wants.
    /// One is answered after the other: whoever says nothing holds others up for no longer.
    private static let patience = timeval(tv_sec: 0, tv_usec: 200_000)
    private static let requestBytes = 2048

    private let socket: Int32
    private let ending: WakeUp
    private let health: WorkerHealth
    /// As bound.
    let port: UInt16

    /// - Parameter address: HOST:PORT; port 0 or `*` is any free one.
    /// - Throws: `WorkerError.healthAddress`.
    init(at address: String, _ health: WorkerHealth) throws {
        self.health = health
        ending = try WakeUp()
        (socket, port) = try Self.listen(at: address)
        let thread = Thread { [self] in serve() }
        thread.name = "health"
        thread.start()
    }

    func end() { ending.signal() }

    private static func listen(at address: String) throws(WorkerError) -> (Int32, UInt16) {
        func failed(_ reason: String) -> WorkerError { .healthAddress(address, reason: reason) }
        let endpoint: Endpoint
        do {
            endpoint = try Endpoint("tcp://\(address)", for: .listening)
        } catch {
            throw failed(error.description)
        }
        guard case .tcp(let host, let port) = endpoint.place else { throw failed("it is no HOST:PORT") }
        let name: String? =
            switch host {
            case .any: nil
            case .ipv4(let text), .ipv6(let text), .name(let text): text
            }
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE
        hints.ai_family = AF_UNSPEC
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        let code = getaddrinfo(name, "\(port ?? 0)", &hints, &found)
        guard code == 0, let first = found else { throw failed(String(cString: gai_strerror(code))) }
        defer { freeaddrinfo(first) }
        let socket = Foundation.socket(
            first.pointee.ai_family, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
        guard socket >= 0 else { throw failed(String(cString: strerror(errno))) }
        var yes: Int32 = 1
        setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        guard bind(socket, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0, Foundation.listen(socket, 16) == 0
        else {
            let reason = String(cString: strerror(errno))
            close(socket)
            throw failed(reason)
        }
        return (socket, Self.port(of: socket))
    }

    private static func port(of socket: Int32) -> UInt16 {
        var address = sockaddr_in6()
        var size = socklen_t(MemoryLayout<sockaddr_in6>.size)
        // Both kinds of address have the port at the same place.
        let code = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(socket, $0, &size) }
        }
        return code == 0 ? UInt16(bigEndian: address.sin6_port) : 0
    }

    private func serve() {
        defer { close(socket) }
        var items = [
            pollfd(fd: socket, events: Int16(POLLIN), revents: 0),
            pollfd(fd: ending.descriptor, events: Int16(POLLIN), revents: 0),
        ]
        while true {
            guard poll(&items, 2, -1) >= 0 || errno == EINTR, items[1].revents == 0 else { return }
            guard items[0].revents != 0 else { continue }
            let client = accept(socket, nil, nil)
            if client >= 0 {
                answer(client)
                close(client)
            } else if errno == EMFILE || errno == ENFILE {
                Thread.sleep(forTimeInterval: 0.2)
            }
        }
    }

    private func answer(_ client: Int32) {
        var patience = Self.patience
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(client, SOL_SOCKET, option, &patience, socklen_t(MemoryLayout<timeval>.size))
        }
        let deadline = ContinuousClock.now + .milliseconds(400)
        var request: [UInt8] = []
        var portion = [UInt8](repeating: 0, count: 512)
        while !request.contains(UInt8(ascii: "\n")) {
            let count = recv(client, &portion, portion.count, 0)
            guard count > 0, request.count + count <= Self.requestBytes, ContinuousClock.now < deadline else { return }
            request += portion[..<count]
        }
        let line = String(
            decoding: request.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }, as: UTF8.self)
        let reply = Array(health.reply(to: line).utf8)
        _ = send(client, reply, reply.count, Int32(MSG_NOSIGNAL))
    }
}
