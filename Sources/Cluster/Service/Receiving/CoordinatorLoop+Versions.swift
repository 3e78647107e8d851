import Coordination
import Messages

/// Peers of an older version of the protocol are answered in theirs.
extension CoordinatorLoop {
    /// Of more, only what workers speak that are here is kept.
    static let rememberedVersions = 1 << 16

    func note(_ version: UInt8?, of peer: PeerID) {
        guard let version, version != WireLimits.version else {
            versions[peer] = nil
            return
        }
        if versions.count >= Self.rememberedVersions {
            let workers = coordinator.workerConnections
            versions = versions.filter { workers.contains($0.key) }
        }
        versions[peer] = version
    }

    /// What the peer speaks, as far as it has said anything.
    func version(of peer: PeerID) -> UInt8 { versions[peer] ?? WireLimits.version }

    /// Frames as the peer reads them.
    func said(_ frames: [[UInt8]], to peer: PeerID) -> [[UInt8]] {
        versions[peer].map { ProtocolVersions.frames(frames, in: $0) } ?? frames
    }
}
