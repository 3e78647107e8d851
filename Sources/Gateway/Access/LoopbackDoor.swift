import Foundation
import Logging
import ZeroMQ

/// Whom a gateway without tokens answers: on loopback other users of the machine reach it too.
final class LoopbackDoor: Sendable {
    enum Rule: Sendable {
        case everybody
        /// The user that the gateway runs as, and root.
        case owners(SocketOwners)
    }

    enum Admission: Hashable, Sendable {
        case admitted
        case another(user: UInt32)
        case unknown
    }

    /// Lines of the log about refused connections, a minute.
    static let linesAMinute = 10

    private let rule: Rule
    private let user: UInt32
    private let logger: Logger
    private let lines = Locked((began: ContinuousClock.now, written: 0, leftOut: 0))

    /// - Parameter user: the one that the gateway runs as.
    /// - Throws: `GatewayError.unprotected` where the system does not say whose a connection is: nobody could be answered.
    init(_ rule: Rule, user: UInt32 = geteuid(), logger: Logger) throws(GatewayError) {
        if case .owners(let owners) = rule, !owners.canTell {
            throw .unprotected(
                "without tokens the gateway answers its own user only, and \(owners.tables[0]), which says whose a connection is, "
                    + "cannot be read here: give it --tokens (lethe gateway token makes some), or have it answer every user of "
                    + "this machine with --open-loopback")
        }
        (self.rule, self.user, self.logger) = (rule, user, logger)
    }

    /// Whose the connection with these ends is; looked up each time, and written to the log unless it is admitted.
    func admission(of ends: SocketEnds?) -> Admission {
        guard case .owners(let owners) = rule else { return .admitted }
        let admission: Admission
        switch ends.flatMap({ owners.user(of: $0) }) {
        case user?, 0?: admission = .admitted
        case let other?: admission = .another(user: other)
        case nil: admission = .unknown
        }
        note(admission)
        return admission
    }

    private func note(_ admission: Admission) {
        let who: String
        switch admission {
        case .admitted: return
        case .another(let user): who = "user \(user)"
        case .unknown: who = "an unknown user"
        }
        let (isWritten, leftOut) = lines.withLock { lines in
            var leftOut = 0
            if ContinuousClock.now - lines.began >= .seconds(60) {
                leftOut = lines.leftOut
                lines = (.now, 0, 0)
            }
            let isWritten = lines.written < Self.linesAMinute
            if isWritten { lines.written += 1 } else { lines.leftOut += 1 }
            return (isWritten, leftOut)
        }
        if leftOut > 0 { logger.warning("refused \(leftOut) more connections of other users") }
        guard isWritten else { return }
        logger.warning(
            "refused a connection of \(who): without tokens only the gateway's own user and root are answered (--tokens, --open-loopback)"
        )
    }
}
