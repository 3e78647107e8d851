import Crypto
import GRDB
import Messages

extension Ledger {
    /// As `makeKeys`, for what every call of a transaction takes: the first has as many made as it takes, later ones have ever more
    /// made at once, since each time the disk is waited for.
    func takeKeys(_ count: Int) throws -> [(reference: KeyReference, key: SymmetricKey)] {
        guard count > 0 else { return [] }
        let missing = count - keyChanges.spare.count
        if missing > 0 {
            let made = try makeKeys(max(missing, min(keyChanges.taken, Self.mostSpareKeys)))
            keyChanges.spare += made
        }
        let taken = Array(keyChanges.spare.suffix(count))
        keyChanges.spare.removeLast(taken.count)
        keyChanges.taken += taken.count
        return taken
    }

    /// Those that nobody got are nobody's.
    func leaveSpareKeys() {
        keyChanges.obsolete += keyChanges.spare.map(\.reference)
        keyChanges.spare = []
    }

    private static let mostSpareKeys = 4096
}
