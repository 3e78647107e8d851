import Foundation

/// A peer that speaks ZMTP 3.1 by hand, so that it can break its rules.
package final class RawPeer {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String

        init(_ what: String) { description = what }

        /// Of the last system call.
        static func system(_ call: String) -> Failure { Failure("\(call): \(String(cString: strerror(errno)))") }
    }

    private let descriptor: Int32

    /// Connects, and shakes hands unless it is to stay silent.
    package init(_ endpoint: String, greets: Bool = true, identity: [UInt8] = [], receiveBuffer: Int32? = nil) throws {
        guard let port = endpoint.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw Failure("\(endpoint) has no port")
        }
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw Failure.system("socket") }
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let connected = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, size) }
        }
        guard connected == 0 else { throw Failure.system("connect") }
        guard greets else { return }
        let head: [UInt8] = [0xFF, 0, 0, 0, 0, 0, 0, 0, 0, 0x7F, 3, 1] + Array("NULL".utf8)
        let ready =
            Array("\u{5}READY\u{B}Socket-Type".utf8) + [0, 0, 0, 6] + Array("DEALER".utf8)
            + Array("\u{8}Identity".utf8) + [0, 0, 0, UInt8(identity.count)] + identity
        guard send(head + [UInt8](repeating: 0, count: 64 - head.count)), send([4, UInt8(ready.count)] + ready)
        else { throw Failure("closed before the greeting") }
        // libzmq takes no message before it has said that it is ready itself: a greeting of 64 bytes and a command.
        var answer = [UInt8](repeating: 0, count: 4096)
        var count = 0
        while count <= 66 {
            let received = recv(descriptor, &answer, answer.count, 0)
            guard received > 0 else { throw Failure("closed during the greeting") }
            count += received
        }
    }

    deinit { close(descriptor) }

    /// - Returns: false once the other side has closed the connection.
    package func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let sent = rest.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if sent < 0, errno == EAGAIN {
                guard waitForRoom() else { return false }
                continue
            }
            guard sent > 0 else { return false }
            rest = rest.dropFirst(sent)
        }
        return true
    }

    /// Who only waits until more can be sent learns after minutes that the other side closed while its window was shut:
    /// the kernel probes it more and more seldom, and gets no answer from what is not there any more.
    private func waitForRoom() -> Bool {
        // POLLRDHUP: glibc shows it to those only who define _GNU_SOURCE.
        let otherSideClosed: Int16 = 0x2000
        let closed = otherSideClosed | Int16(POLLHUP | POLLERR)
        var item = pollfd(fd: descriptor, events: Int16(POLLOUT) | closed, revents: 0)
        while poll(&item, 1, -1) < 0, errno == EINTR {}
        return item.revents & closed == 0
    }

    /// One frame with more to come, or its beginning.
    package func sendFrame(_ count: Int, of announced: Int? = nil) -> Bool {
        let size = UInt64(announced ?? count)
        return send([3] + (0..<8).map { UInt8(size >> (56 - 8 * $0) & 255) } + [UInt8](repeating: 7, count: count))
    }

    /// Whether the other side closes the connection.
    package func isClosed(within seconds: Double) -> Bool {
        let deadline = Date().addingTimeInterval(seconds)
        var buffer = [UInt8](repeating: 0, count: 4096)
        while Date() < deadline {
            let count = recv(descriptor, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            if count == 0 || (count < 0 && errno != EAGAIN) { return true }
            Thread.sleep(forTimeInterval: 0.01)
        }
        return false
    }
}
