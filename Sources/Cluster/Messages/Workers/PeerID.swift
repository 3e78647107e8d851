import Files

/// One connection, as the ROUTER socket names it: the bytes of the peer's identity.
public struct PeerID: Hashable, Sendable, CustomStringConvertible {
    public var bytes: [UInt8]

    public init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    public var description: String {
        bytes.hexadecimal
    }
}
