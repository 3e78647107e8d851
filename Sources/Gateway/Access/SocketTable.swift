import Files

/// One end of a TCP connection. An IPv4 address inside of IPv6 (::ffff:127.0.0.1) is the IPv4 address.
struct SocketEnd: Hashable, Sendable {
    /// 4 or 16, as they travel.
    let address: [UInt8]
    let port: UInt16

    init(address: [UInt8], port: UInt16) {
        let isMapped = address.count == 16 && address.prefix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF]
        self.address = isMapped ? Array(address.suffix(4)) : address
        self.port = port
    }

    /// Tells connections apart; nobody reads it.
    var key: String { "\(address.hexadecimal):\(port)" }
}

/// The kernel's table of TCP sockets as text, `/proc/net/tcp` or `tcp6` (proc(5)): a heading, then one socket a line.
enum SocketTable {
    /// What the table says of one socket.
    struct Row: Hashable, Sendable {
        var user: UInt32
        /// 0: no process has it open any more. Then the user is not to be believed: it is shown as root's.
        var inode: UInt64
    }

    /// The socket with these two ends, as its own side has them.
    ///
    /// - Parameters:
    ///   - table: the file's bytes. Lines that are none are skipped.
    ///   - own: where the socket is.
    ///   - other: what it is connected with.
    /// - Returns: nil: there is none, or several that differ.
    static func row(in table: some Collection<UInt8>, own: SocketEnd, other: SocketEnd) -> Row? {
        var found: Set<Row> = []
        for line in table.split(separator: UInt8(ascii: "\n")) {
            // Of most lines no more is looked at.
            let start = line.split(separator: UInt8(ascii: " "), maxSplits: 2)
            guard start.count > 2, end(start[1]) == own else { continue }
            let fields = line.split(separator: UInt8(ascii: " "), maxSplits: 10)
            guard fields.count > 9, end(fields[2]) == other,
                let user = UInt32(String(decoding: fields[7], as: UTF8.self)),
                let inode = UInt64(String(decoding: fields[9], as: UTF8.self))
            else { continue }
            found.insert(Row(user: user, inode: inode))
        }
        return found.count == 1 ? found.first : nil
    }

    /// "0100007F:1F90", or four such words: each is 32 bits of the address, written as the number that this machine takes them for.
    static func end(_ field: some Collection<UInt8>) -> SocketEnd? {
        let parts = field.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count == 2, parts[1].count == 4,
            let digits = [UInt8](hexadecimal: String(decoding: parts[0], as: UTF8.self)),
            [4, 16].contains(digits.count),
            let port = [UInt8](hexadecimal: String(decoding: parts[1], as: UTF8.self))
        else { return nil }
        let address = stride(from: 0, to: digits.count, by: 4).flatMap { start in
            let word = digits[start..<start + 4].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            return withUnsafeBytes(of: word) { Array($0) }
        }
        return SocketEnd(address: address, port: UInt16(port[0]) << 8 | UInt16(port[1]))
    }
}
