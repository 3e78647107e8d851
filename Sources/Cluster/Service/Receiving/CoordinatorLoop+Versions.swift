import Coordination
import Messages

/// Peers of an older version of the protocol are answered in theirs.
extension CoordinatorLoop {
    func note(_ version: UInt8?, of peer: PeerID) {
        versions[peer] = version == WireLimits.version ? nil : version
    }

    /// What the peer speaks, as far as it has said anything.
    func version(of peer: PeerID) -> UInt8 { versions[peer] ?? WireLimits.version }

    /// Frames as the peer reads them.
    func said(_ frames: [[UInt8]], to peer: PeerID) -> [[UInt8]] {
        versions[peer].map { ProtocolVersions.frames(frames, in: $0) } ?? frames
    }
}
