import Foundation

/// A link that carries so many bytes a second each way, between this machine and itself: whoever connects to its endpoint is
/// connected to the target.
package final class SlowLink: @unchecked Sendable {
    package struct Failure: Error {}

    /// Bytes of the kernel's buffers, so that little lies in them.
    private static let buffer: Int32 = 8 << 10

    package let endpoint: String
    private let target: UInt16
    private let bytesPerSecond: Double
    private let listener: Int32
    private let lock = NSLock()
    private var descriptors: [Int32] = []
    private var isClosed = false
    private var carried = 0

    /// - Parameter endpoint: `tcp://127.0.0.1:port`.
    package init(to endpoint: String, bytesPerSecond: Int) throws {
        guard let port = endpoint.split(separator: ":").last.flatMap({ UInt16($0) }) else { throw Failure() }
        target = port
        self.bytesPerSecond = Double(bytesPerSecond)
        listener = try Self.socket()
        var address = Self.loopback(port: 0)
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let (listener, length) = (listener, size)
        let isListening = withUnsafeMutablePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(listener, $0, length) == 0 && listen(listener, 16) == 0 && getsockname(listener, $0, &size) == 0
            }
        }
        guard isListening else { throw Failure() }
        self.endpoint = "tcp://127.0.0.1:\(UInt16(bigEndian: address.sin_port))"
        Thread { [self] in acceptConnections() }.start()
    }

    /// Ends all connections. Until then the link's threads keep it.
    package func close() {
        lock.lock()
        defer { lock.unlock() }
        guard !isClosed else { return }
        isClosed = true
        for descriptor in descriptors + [listener] { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    /// Bytes that went through, both ways together.
    package var bytes: Int {
        lock.lock()
        defer { lock.unlock() }
        return carried
    }

    private func acceptConnections() {
        while true {
            let client = accept(listener, nil, nil)
            guard client >= 0 else { break }
            guard let server = try? Self.socket() else { break }
            var address = Self.loopback(port: target)
            let connected = withUnsafePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(server, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            lock.lock()
            descriptors += [client, server]
            lock.unlock()
            guard connected == 0 else {
                shutdown(client, Int32(SHUT_RDWR))
                continue
            }
            Thread { [self] in carry(from: client, to: server) }.start()
            Thread { [self] in carry(from: server, to: client) }.start()
        }
    }

    private func carry(from source: Int32, to sink: Int32) {
        var buffer = [UInt8](repeating: 0, count: 1024)
        var next = Date()
        while true {
            let count = recv(source, &buffer, buffer.count, 0)
            guard count > 0 else { break }
            // What is late is not made up for.
            next = max(next, Date()).addingTimeInterval(Double(count) / bytesPerSecond)
            Thread.sleep(until: next)
            var sent = 0
            while sent < count {
                let more = buffer.withUnsafeBytes {
                    send(sink, $0.baseAddress?.advanced(by: sent), count - sent, Int32(MSG_NOSIGNAL))
                }
                guard more > 0 else { return end(source, sink) }
                sent += more
            }
            lock.lock()
            carried += count
            lock.unlock()
        }
        end(source, sink)
    }

    private func end(_ descriptors: Int32...) {
        for descriptor in descriptors { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    private static func socket() throws -> Int32 {
        let descriptor = Foundation.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Failure() }
        var size = buffer
        for option in [SO_RCVBUF, SO_SNDBUF] {
            setsockopt(descriptor, SOL_SOCKET, option, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        return descriptor
    }

    private static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
