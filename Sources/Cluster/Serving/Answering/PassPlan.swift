/// Which prompts are computed together.
///
/// A pass takes a share of every question that waits, in turn, so that a question about one item does not wait behind a
/// ranking of thousands; but no share is so small that the beginning that its prompts have in common is computed for nothing.
package enum PassPlan {
    /// Prompts of one pass: after it, news are sent and what nobody waits for any more is left.
    package static let prompts = 128
    /// Of one question, if it has so many.
    package static let share = 32

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
