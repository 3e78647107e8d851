import HTTPTypes
import ZeroMQ

/// What an answer still has to pass when its body is made and every wait is over. Looked at by whoever hands it to the connection,
/// on the connection's own loop, so that nothing lies between the look and the bytes.
final class Passage: Sendable {
    typealias Check = @Sendable () -> Problem?

    private let checks = Locked<[Check]>([])
    private let whenOver = Locked<(@Sendable (Problem?) -> Void)?>(nil)

    /// An answer that nobody came to look at.
    deinit { takeWhenOver()?(nil) }

    var isFree: Bool { checks.withLock { $0.isEmpty } }

    /// - Parameter check: says what goes out in the answer's place; nil: it may go out at this moment.
    func require(_ check: @escaping Check) { checks.withLock { $0.append(check) } }

    /// - Parameter body: called once, with what goes out in the answer's place; nil: the answer did, or its connection was closed
    ///   before.
    func whenOver(_ body: @escaping @Sendable (Problem?) -> Void) { whenOver.withLock { $0 = body } }

    /// What goes out in the answer's place; nil: the answer does, at once.
    func objection() -> Problem? {
        let objection = checks.withLock { $0 }.lazy.compactMap { $0() }.first
        takeWhenOver()?(objection)
        return objection
    }

    private func takeWhenOver() -> (@Sendable (Problem?) -> Void)? {
        whenOver.withLock { body in
            defer { body = nil }
            return body
        }
    }
}

extension HTTPFields {
    private static let passageName = HTTPField.Name("Lethe-Passage")

    /// Under which number the connection has what this answer is to pass, from the one who made it to the one who lets it out, who
    /// takes it away; nil: there is nothing to pass. Answers are not counted off: some are made ahead, and some by the server alone.
    var passage: Int? {
        get { Self.passageName.flatMap { self[$0] }.flatMap { Int($0) } }
        set { if let name = Self.passageName { self[name] = newValue.map { String($0) } } }
    }
}
