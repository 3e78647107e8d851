import Foundation

/// Where to listen or to connect: `tcp://HOST:PORT` or `ipc://PATH`, as people write it.
///
/// libzmq refuses what it cannot read with EINVAL alone; here whoever wrote it is told why.
public struct Endpoint: Hashable, Sendable, CustomStringConvertible {
    public enum Use: Sendable { case listening, connecting }

    /// A TCP endpoint's host.
    public enum Host: Hashable, Sendable {
        /// Every address of this machine: `*`.
        case any
        case ipv4(String)
        /// Without brackets; perhaps with a zone: `fe80::1%eth0`.
        case ipv6(String)
        /// To be resolved; for listening also the name of a network interface.
        case name(String)
    }

    public enum Place: Hashable, Sendable {
        /// - `port`: nil picks a free one.
        case tcp(Host, port: UInt16?)
        case ipc(path: String)
    }

    public let text: String
    public let place: Place

    public var description: String { text }

    /// - Throws: `ZeroMQError.malformedEndpoint` with what is wrong.
    public init(_ text: String, for use: Use) throws(ZeroMQError) {
        do throws(Objection) {
            place = try Self.place(text, use)
        } catch {
            throw .malformedEndpoint(text, reason: error.reason)
        }
        self.text = text
    }

    /// Whether only this machine's processes reach it: what is beyond must be encrypted.
    public var isLoopback: Bool {
        switch place {
        case .ipc: true
        case .tcp(.ipv4(let address), _): address.hasPrefix("127.")
        case .tcp(.ipv6(let address), _): Self.isLoopback(ipv6: address)
        case .tcp(.name(let name), _): name.lowercased() == "localhost"
        case .tcp(.any, _): false
        }
    }

    /// Names a port of loopback, whoever writes its address: `127.0.0.1-7070`. nil: beyond this machine, or no such port.
    ///
    /// Names are resolved for this.
    public var loopbackPlace: String? {
        guard isLoopback, case .tcp(let host, let port?) = place else { return nil }
        return switch host {
        case .any: nil
        case .ipv4(let address): "\(address)-\(port)"
        case .ipv6(let address):
            Self.bytes(ipv6: address).map { bytes in
                // One address of IPv4 that is written as IPv6 is still that one.
                bytes[10] == 0xFF ? bytes.suffix(4).map(String.init).joined(separator: ".") + "-\(port)" : "ip6-\(port)"
            }
        case .name: needsIPv6 ? "ip6-\(port)" : "127.0.0.1-\(port)"
        }
    }

    // MARK: reading

    private struct Objection: Error {
        var reason: String

        init(_ reason: String) {
            self.reason = reason
        }
    }

    private static func place(_ text: String, _ use: Use) throws(Objection) -> Place {
        guard !text.isEmpty else { throw Objection("it is empty; write tcp://HOST:PORT") }
        guard text.unicodeScalars.allSatisfy({ $0.value > 32 && $0.value != 127 && !$0.properties.isWhitespace }) else {
            throw Objection("it has spaces or line ends in it")
        }
        guard let mark = text.range(of: "://") else {
            throw Objection("the scheme is missing: write tcp://HOST:PORT, or ipc://PATH for this machine alone")
        }
        let rest = text[mark.upperBound...]
        switch text[..<mark.lowerBound] {
        case "tcp": return try tcp(rest, use)
        case "ipc":
            guard !rest.isEmpty else { throw Objection("the path of the socket is missing: write ipc://PATH") }
            // What sun_path holds, with its end.
            guard rest.utf8.count <= 107 else { throw Objection("the path of a socket has at most 107 bytes") }
            return .ipc(path: String(rest))
        case let scheme: throw Objection("there is no scheme \(scheme): write tcp://HOST:PORT, or ipc://PATH")
        }
    }

    private static func tcp(_ rest: Substring, _ use: Use) throws(Objection) -> Place {
        // libzmq's own address to connect from, before the other.
        let target = use == .connecting ? rest.split(separator: ";", omittingEmptySubsequences: false).last ?? "" : rest
        guard let colon = target.lastIndex(of: ":"), target.last != "]" else {
            throw Objection("the port is missing: write tcp://\(target.isEmpty ? "HOST" : target):7070")
        }
        let port = try port(target[target.index(after: colon)...], use)
        return .tcp(try host(target[..<colon], use), port: port)
    }

    private static func port(_ text: Substring, _ use: Use) throws(Objection) -> UInt16? {
        if use == .listening, text == "*" || text == "0" { return nil }
        guard !text.isEmpty else { throw Objection("the port is missing after the last colon") }
        guard text.utf8.allSatisfy({ (48...57).contains($0) }) else {
            throw Objection(
                use == .listening
                    ? "the port \(text) is no number; * picks a free one" : "the port \(text) is no number")
        }
        guard let port = UInt16(text) else { throw Objection("the port \(text) is above 65535") }
        guard port != 0 else { throw Objection("nobody listens on port 0; name the coordinator's port") }
        return port
    }

    private static func host(_ text: Substring, _ use: Use) throws(Objection) -> Host {
        guard !text.isEmpty else {
            throw Objection(
                use == .listening ? "the host is missing; * is every address of this machine" : "the host is missing")
        }
        if text == "*" {
            guard use == .listening else { throw Objection("* is no host to connect to; name the coordinator's") }
            return .any
        }
        if text.hasPrefix("[") {
            guard text.hasSuffix("]") else { throw Objection("the bracket after the IPv6 address is missing") }
            let address = text.dropFirst().dropLast()
            guard bytes(ipv6: address) != nil else { throw Objection("[\(address)] is no IPv6 address") }
            return .ipv6(String(address))
        }
        guard !text.contains(":") else {
            throw Objection("an IPv6 address stands in brackets: tcp://[\(text)]:7070")
        }
        if text.utf8.allSatisfy({ (48...57).contains($0) || $0 == UInt8(ascii: ".") }) {
            var address = in_addr()
            guard inet_pton(AF_INET, String(text), &address) == 1 else { throw Objection("\(text) is no IPv4 address") }
            return .ipv4(String(text))
        }
        let others = "0123456789-._".unicodeScalars
        let isName = text.unicodeScalars.allSatisfy { $0.properties.isAlphabetic || others.contains($0) }
        guard isName, text.utf8.count <= 253 else { throw Objection("\(text) is no name of a host") }
        return .name(String(text))
    }

    /// The 16 bytes of an address, with or without a zone.
    private static func bytes(ipv6 text: some StringProtocol) -> [UInt8]? {
        let parts = text.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
        guard let number = parts.first, parts.count == 1 || !parts[1].isEmpty else { return nil }
        var bytes = [UInt8](repeating: 0, count: 16)
        return inet_pton(AF_INET6, String(number), &bytes) == 1 ? bytes : nil
    }

    /// `::1`, and IPv4's loopback written as IPv6: `::ffff:127.0.0.1`.
    private static func isLoopback(ipv6 text: String) -> Bool {
        guard let bytes = bytes(ipv6: text) else { return false }
        if bytes == [UInt8](repeating: 0, count: 15) + [1] { return true }
        return bytes.prefix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF] && bytes[12] == 127
    }
}
