import Foundation
import NIOCore

/// Both ends of a connection, as the gateway has them.
struct SocketEnds: Hashable, Sendable {
    var client: SocketEnd
    var gateway: SocketEnd

    init(client: SocketEnd, gateway: SocketEnd) {
        (self.client, self.gateway) = (client, gateway)
    }

    /// nil: it is no connection over TCP, or it is over.
    init?(_ channel: any Channel) {
        guard let client = channel.remoteAddress.flatMap(SocketEnd.init),
            let gateway = channel.localAddress.flatMap(SocketEnd.init)
        else { return nil }
        self.init(client: client, gateway: gateway)
    }
}

extension SocketEnd {
    init?(_ address: SocketAddress) {
        guard let port = address.port.flatMap(UInt16.init(exactly:)) else { return nil }
        switch address {
        case .v4(let four):
            self.init(address: withUnsafeBytes(of: four.address.sin_addr) { Array($0) }, port: port)
        case .v6(let six):
            self.init(address: withUnsafeBytes(of: six.address.sin6_addr) { Array($0) }, port: port)
        case .unixDomainSocket: return nil
        }
    }
}

/// Which user of this machine a connection on loopback comes from: the kernel's table of sockets has the client's end too.
///
/// It tells whose the client's end is at the moment of asking. Somebody who sends a request, resets the connection and has the very
/// next one of the gateway's own user come from the same port within the milliseconds until then would be taken for that user.
struct SocketOwners: Sendable {
    /// Read in this order; one that is not there is left out, but not both.
    var tables = ["/proc/self/net/tcp", "/proc/self/net/tcp6"]
    /// What the tables show for everybody who has no id in this user namespace, so for many; nil: all have one.
    var unmapped = Self.unmappedUser(
        map: try? String(contentsOfFile: "/proc/self/uid_map", encoding: .utf8),
        overflow: try? String(contentsOfFile: "/proc/sys/kernel/overflowuid", encoding: .utf8))
    /// Bytes of a table that are read at most: some hundred thousand sockets.
    static let largest = 64 << 20
    /// The table is not read at one instant: a row may be missed while others come and go.
    private static let attempts = 3

    /// Whether a table can be read at all.
    var canTell: Bool { tables.contains { FileManager.default.isReadableFile(atPath: $0) } }

    /// The id of the user whose socket the client's end is.
    ///
    /// - Returns: nil: nobody knows. It is closed already (its rest looks like root's), not of this machine, of somebody without an
    ///   id here, or the tables cannot be read.
    func user(of ends: SocketEnds) -> UInt32? {
        guard let first = row(of: ends), first.inode != 0 else { return nil }
        // Closed between the reading of its user and of its inode it would be taken for root's; then it is closed now.
        guard let second = row(of: ends), second == first else { return nil }
        guard first.user != unmapped else { return nil }
        return first.user
    }

    /// - Parameters:
    ///   - map: of `/proc/self/uid_map`: rows of first id here, first id outside, count.
    ///   - overflow: of `/proc/sys/kernel/overflowuid`.
    static func unmappedUser(map: String?, overflow: String?) -> UInt32? {
        let whole = ["0", "0", String(UInt32.max)]
        if let map, map.split(whereSeparator: \.isWhitespace).map(String.init) == whole { return nil }
        let said = overflow.flatMap { UInt32($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
        // The kernel's own default.
        return said ?? 65_534
    }

    private func row(of ends: SocketEnds) -> SocketTable.Row? {
        for _ in 0..<Self.attempts {
            // A client over IPv6 that is no mapped one stands in the second table only.
            for table in ends.client.address.count == 16 ? Array(tables.suffix(1)) : tables {
                guard let bytes = Self.read(table) else { continue }
                if let row = SocketTable.row(in: bytes, own: ends.client, other: ends.gateway) { return row }
            }
        }
        return nil
    }

    /// - Returns: nil: it cannot be read, or is too long.
    private static func read(_ path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while bytes.count <= largest {
            let count = Foundation.read(file, &piece, piece.count)
            if count == 0 { return bytes }
            if count < 0 {
                guard errno == EINTR else { return nil }
                continue
            }
            bytes += piece[0..<count]
        }
        return nil
    }
}
