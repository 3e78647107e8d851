import GRDB
import Messages
import Recommendation

/// What an import draws negatives from, and how many for each like.
struct NegativeDrawing {
    var count: Int
    var pool: NegativePool
}

extension Ledger {
    /// - Returns: nil: none are to be drawn.
    /// - Throws: `LedgerError.undrawable` for a number out of bounds, or where the import has no items.
    func drawing(_ count: Int, from staged: StagedBatches?, of importID: String) throws -> NegativeDrawing? {
        guard count != 0 else { return nil }
        guard NegativePool.bounds.contains(count) else {
            throw LedgerError.undrawable(
                reason: "0 to \(NegativePool.bounds.upperBound) for each like")
        }
        if takenPools[importID] == nil {
            var tokens: [String] = []
            try staged?.forEachItem { tokens.append($0.token) }
            guard !tokens.isEmpty else {
                throw LedgerError.undrawable(reason: "they are drawn from a table of items, and the import has none")
            }
            takenPools[importID] = NegativePool(tokens)
        }
        return takenPools[importID].map { NegativeDrawing(count: count, pool: $0) }
    }
}
