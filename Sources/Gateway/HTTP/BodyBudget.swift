import ZeroMQ

/// Bytes of bodies that are read into memory whole, of all connections together.
final class BodyBudget: Sendable {
    /// Of each body so many are not counted: small questions are read however many large bodies are on their way.
    static let free = 64 << 10

    private let limit: Int
    private let taken = Locked(0)

    init(limit: Int) { self.limit = limit }

    /// The part of one body.
    final class Share: Sendable {
        private let budget: BodyBudget
        private let taken = Locked(0)

        fileprivate init(_ budget: BodyBudget) { self.budget = budget }

        deinit { budget.give(taken.withLock { $0 }) }

        /// - Parameter bytes: of the body so far.
        /// - Throws: `Problem` 429.
        func hold(_ bytes: Int) throws(Problem) {
            let wanted = max(0, bytes - BodyBudget.free)
            let isThere = taken.withLock { taken in
                guard wanted <= taken || budget.take(wanted - taken) else { return false }
                taken = max(taken, wanted)
                return true
            }
            guard isThere else { throw .tooManyBodies }
        }
    }

    /// Given back when nobody has it any more.
    func share() -> Share { Share(self) }

    private func take(_ bytes: Int) -> Bool {
        taken.withLock { taken in
            guard bytes <= limit - taken else { return false }
            taken += bytes
            return true
        }
    }

    private func give(_ bytes: Int) { taken.withLock { $0 -= bytes } }
}
