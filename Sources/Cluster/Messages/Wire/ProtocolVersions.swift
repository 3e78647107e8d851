/// Which versions of the protocol a coordinator takes: its own and the one before, so that a cluster is upgraded one process
/// after the other, the coordinator first.
///
/// Inside, messages have the form of this version. At the coordinator's socket the version's byte is translated for peers of an
/// older one, which refuse any but their own; what they do not know (`ProtocolForms`) they are neither given nor answered.
public enum ProtocolVersions {
    public static let oldest: UInt8 = WireLimits.version - 1
    public static let accepted: ClosedRange<UInt8> = oldest...WireLimits.version

    /// - Parameter frames: as a socket gives them, without a routing identity.
    /// - Returns: nil when they begin as no version's do.
    package static func version(of frames: [[UInt8]]) -> UInt8? {
        guard frames.count >= 2, frames[0].isEmpty, frames[1].count == 1 else { return nil }
        return frames[1][0]
    }

    /// The same frames as a peer of that version says and reads them.
    package static func frames(_ frames: [[UInt8]], in version: UInt8) -> [[UInt8]] {
        guard Self.version(of: frames) != nil else { return frames }
        var frames = frames
        frames[1] = [version]
        return frames
    }

    /// Frames of an accepted version in the form of this one; others as they are.
    package static func taken(_ frames: [[UInt8]]) -> [[UInt8]] {
        guard let version = version(of: frames), accepted.contains(version) else { return frames }
        return Self.frames(frames, in: WireLimits.version)
    }

    /// For whoever speaks a version that is not accepted.
    package static func refusal(of version: Int) -> String {
        "this coordinator speaks protocol version \(WireLimits.version) and takes \(oldest), not \(version): run the same "
            + "release of lethe on both"
    }
}
