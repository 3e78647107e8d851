/// The numbers that libzmq gives to peers that claim no identity: a zero and four bytes, counted up from a random start.
///
/// A peer that has claimed the number that comes next makes libzmq abort the process. Who knows where the counter began can
/// tell most claimed ones: it has not gone further than there were connections.
struct PeerNumbers: Sendable {
    /// Connections of which nothing was heard yet.
    private static let onTheWay: UInt64 = 1024
    private let first: UInt32

    /// - Parameter first: the first identity that libzmq made up.
    init?(first: [UInt8]) {
        guard let number = Self.number(first) else { return nil }
        self.first = number
    }

    /// Whether libzmq can have made it up.
    func isOne(_ identity: [UInt8], accepted: UInt64) -> Bool {
        guard let number = Self.number(identity) else { return false }
        return UInt64(number &- first) <= accepted + Self.onTheWay
    }

    private static func number(_ identity: [UInt8]) -> UInt32? {
        guard identity.count == 5, identity[0] == 0 else { return nil }
        return identity.dropFirst().reduce(0) { $0 << 8 | UInt32($1) }
    }
}
