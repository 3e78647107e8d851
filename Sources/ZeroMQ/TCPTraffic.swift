import CZeroMQ
import Foundation

/// What the kernel has counted of one TCP connection.
package struct TCPTraffic: Hashable, Sendable {
    /// Bytes that have come, in order.
    var received: UInt64 = 0
    /// Bytes that the other side has confirmed.
    var acknowledged: UInt64 = 0

    package init(received: UInt64 = 0, acknowledged: UInt64 = 0) {
        self.received = received
        self.acknowledged = acknowledged
    }

    /// nil for anything but a TCP connection.
    init?(of descriptor: Int32) {
        // Where <linux/tcp.h> has tcpi_bytes_acked and tcpi_bytes_received: it cannot be read beside <netinet/tcp.h>, whose
        // structure ends before them.
        let (acknowledged, received) = (120, 128)
        var information = [UInt8](repeating: 0, count: 256)
        var size = socklen_t(information.count)
        guard getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, &information, &size) == 0, Int(size) >= received + 8
        else { return nil }
        self.init(
            received: information.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: received, as: UInt64.self) },
            acknowledged: information.withUnsafeBytes {
                $0.loadUnaligned(fromByteOffset: acknowledged, as: UInt64.self)
            })
    }

    /// The IP address at the other end; nil when there is none any more.
    static func peerAddress(of descriptor: Int32) -> String? {
        var storage = sockaddr_storage()
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var host = [CChar](repeating: 0, count: 64)
        let isKnown = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getpeername(descriptor, $0, &size) == 0
                    && getnameinfo($0, size, &host, socklen_t(host.count), nil, 0, NI_NUMERICHOST) == 0
            }
        }
        guard isKnown else { return nil }
        return plainAddress(String(decoding: host.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
    }
}
