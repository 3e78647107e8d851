import Foundation
import Messages
import Serving
import ZeroMQ

/// Whether an answer that was computed here may go out: looked at after the last wait, in the moment in which it does.
final class AnswerPermit: Sendable {
    private let basis: AnswerBasis
    private let isRevoked = Locked(false)
    private let lease: LeaseTime

    init(_ basis: AnswerBasis, _ lease: LeaseTime) {
        self.basis = basis
        self.lease = lease
    }

    func revoke(_ inputs: ForgottenInputs?) {
        if inputs.map(basis.restsOn) ?? true { isRevoked.withLock { $0 = true } }
    }

    /// Why the answer may not go out at this moment.
    var objection: Problem? {
        isRevoked.withLock { isRevoked in isRevoked ? .revoked : lease.holds ? nil : .noLease }
    }
}

/// Until when there is a lease, for any thread.
final class LeaseTime: Sendable {
    private static let start = ContinuousClock.now
    private let until = Locked(Int64.min)

    /// Milliseconds of a clock that goes on while the machine sleeps.
    static var now: Int64 {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        return seconds * 1000 + attoseconds / 1_000_000_000_000_000
    }

    var holds: Bool { Self.now < until.withLock { $0 } }

    func set(_ milliseconds: Int64) { until.withLock { $0 = milliseconds } }
}

/// Permits of answers that are on their way out.
struct OpenPermits {
    private final class Reference {
        weak var permit: AnswerPermit?

        init(_ permit: AnswerPermit) { self.permit = permit }
    }

    private var references: [Reference] = []

    mutating func add(_ permit: AnswerPermit) {
        // Those of answers that went out are gone.
        if references.count >= 64 { references.removeAll { $0.permit == nil } }
        references.append(Reference(permit))
    }

    /// - Parameter inputs: nil: everything.
    mutating func revoke(_ inputs: ForgottenInputs?) {
        for reference in references { reference.permit?.revoke(inputs) }
        references.removeAll { $0.permit == nil }
    }
}
