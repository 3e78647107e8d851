/// Which prompts are computed together.
///
/// A pass takes a share of every question that waits, in turn, so that a question about one item does not wait behind a
/// ranking of thousands; but no share is so small that the beginning that its prompts have in common is computed for nothing.
package enum PassPlan {
    /// Prompts of one pass: after it, news are sent and what nobody waits for any more is left.
    package static let prompts = 128
    /// Of one question, if it has so many.
    package static let share = 32

    /// The first question of everybody, then everybody's second: many questions of one do not come before the one of another.
    ///
    /// - Parameter askers: of the questions, in the order in which it is their turn.
    /// - Returns: their positions, each once.
    package static func inTurn(_ askers: [some Hashable]) -> [Int] {
        var before: [AnyHashable: Int] = [:]
        let rounds = askers.map { asker in
            defer { before[asker, default: 0] += 1 }
            return before[asker] ?? 0
        }
        return rounds.indices.sorted { (rounds[$0], $0) < (rounds[$1], $1) }
    }

    /// - Parameter left: prompts that each question has left, in the order in which it is their turn.
    /// - Returns: how many of each are taken.
    package static func shares(of left: [Int]) -> [Int] {
        var shares = left.map { min($0, share) }
        var room = prompts
        for index in shares.indices {
            shares[index] = min(shares[index], room)
            room -= shares[index]
        }
        // What there is room for finishes those first that have the least left.
        for index in left.indices.sorted(by: { (left[$0], $0) < (left[$1], $1) }) {
            let more = min(left[index] - shares[index], room)
            shares[index] += more
            room -= more
        }
        return shares
    }
}
