/// A point of a monotonic clock that the shell reads and hands in; the value has no clock of its own.
public struct CoordinatorInstant: Hashable, Comparable, Sendable {
    /// Since an arbitrary start; never goes back.
    public var milliseconds: Int64

    public init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    public static func < (left: CoordinatorInstant, right: CoordinatorInstant) -> Bool {
        left.milliseconds < right.milliseconds
    }

    func advanced(bySeconds seconds: Double) -> CoordinatorInstant {
        CoordinatorInstant(milliseconds: milliseconds + Int64((seconds * 1000).rounded()))
    }

    /// Seconds from `earlier` to this instant.
    func seconds(since earlier: CoordinatorInstant) -> Double {
        Double(milliseconds - earlier.milliseconds) / 1000
    }
}

/// One connection, as the ROUTER socket names it: the bytes of the peer's identity.
public struct PeerID: Hashable, Sendable, CustomStringConvertible {
    public var bytes: [UInt8]

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    public var description: String {
        bytes.map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
    }
}
