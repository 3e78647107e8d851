import ZeroMQ

/// What an answer still has to pass when its body is made and every wait is over. Looked at by whoever hands it to the connection,
/// on the connection's own loop, so that nothing lies between the look and the bytes.
final class Passage: Sendable {
    typealias Check = @Sendable () -> Problem?

    private let checks = Locked<[Check]>([])
    private let whenWithheld: @Sendable () -> Void

    /// - Parameter whenWithheld: called when an answer was not let out.
    init(whenWithheld: @escaping @Sendable () -> Void = {}) { self.whenWithheld = whenWithheld }

    var isFree: Bool { checks.withLock { $0.isEmpty } }

    /// - Parameter check: says what goes out in the answer's place; nil: it may go out at this moment.
    func require(_ check: @escaping Check) { checks.withLock { $0.append(check) } }

    /// What goes out in the answer's place; nil: the answer does, at once.
    func objection() -> Problem? {
        let objection = checks.withLock { $0 }.lazy.compactMap { $0() }.first
        if objection != nil { whenWithheld() }
        return objection
    }
}
