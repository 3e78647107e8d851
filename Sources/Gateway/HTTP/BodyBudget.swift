import ZeroMQ

/// Bytes of bodies that are read into memory whole, of all connections together. One asker has half of them at most.
final class BodyBudget: Sendable {
    /// Of each body so many are not counted: small questions are read however many large bodies are on their way.
    static let free = 64 << 10

    private let bytes: Slots

    init(limit: Int) { bytes = Slots(limit, each: limit / 2) }

    /// The part of one body.
    final class Share: Sendable {
        private let bytes: Slots
        private let asker: String
        private let taken = Locked(0)

        fileprivate init(_ bytes: Slots, _ asker: String) { (self.bytes, self.asker) = (bytes, asker) }

        deinit { bytes.give(taken.withLock { $0 }, for: asker) }

        /// - Parameter bytes: of the body so far.
        /// - Throws: `Problem` 429.
        func hold(_ bytes: Int) throws(Problem) {
            let wanted = max(0, bytes - BodyBudget.free)
            let isThere = taken.withLock { taken in
                guard wanted <= taken || self.bytes.take(wanted - taken, for: asker) else { return false }
                taken = max(taken, wanted)
                return true
            }
            guard isThere else { throw .tooManyBodies }
        }
    }

    /// Given back when nobody has it any more.
    ///
    /// - Parameter asker: whose the body is.
    func share(of asker: String) -> Share { Share(bytes, asker) }
}
