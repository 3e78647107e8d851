import Foundation

/// Where the gateway listens: `http://HOST:PORT`, or `https://` with a certificate.
public struct ListenAddress: Hashable, Sendable {
    /// A name or an address, without the brackets of IPv6.
    public var host: String
    /// 0: any free one.
    public var port: Int
    public var isEncrypted: Bool

    /// - Throws: `GatewayError.address`.
    public init(parsing text: String) throws(GatewayError) {
        guard let parts = URLComponents(string: text), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme), let host = parts.host, !host.isEmpty, ["", "/"].contains(parts.path),
            parts.query == nil, parts.user == nil
        else { throw .address("\(text) is no address to listen at: write http://127.0.0.1:8080") }
        isEncrypted = scheme == "https"
        self.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        port = parts.port ?? (isEncrypted ? 443 : 80)
        guard (0...65_535).contains(port) else { throw .address("\(text): a port is a number from 0 to 65535") }
    }

    /// Whether only this machine reaches it.
    public var isLoopback: Bool { host == "localhost" || Self.isLoopback(host) }

    /// 127.0.0.0/8, ::1 and ::ffff:127.0.0.0/104, written as addresses.
    static func isLoopback(_ host: String) -> Bool {
        var four = in_addr()
        if inet_pton(AF_INET, host, &four) == 1 { return UInt32(bigEndian: four.s_addr) >> 24 == 127 }
        var six = in6_addr()
        guard inet_pton(AF_INET6, host, &six) == 1 else { return false }
        return withUnsafeBytes(of: &six) { bytes in
            if bytes.dropLast().allSatisfy({ $0 == 0 }), bytes.last == 1 { return true }
            return bytes.prefix(12).elementsEqual([UInt8](repeating: 0, count: 10) + [0xFF, 0xFF]) && bytes[12] == 127
        }
    }

    /// As a client writes it.
    public func url(port: Int) -> String {
        "\(isEncrypted ? "https" : "http")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }
}
