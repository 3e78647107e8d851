import Crypto
import GRDB
import Messages

/// All keys of a transaction come out of one stock, since each time that some are made the disk is waited for.
extension Ledger {
    /// Durable before the transaction that is under way commits. The first is made with a few others, later ones with ever more.
    func takeKey() throws -> (reference: KeyReference, key: SymmetricKey) {
        if keyChanges.spare.isEmpty {
            keyChanges.spare = try makeKeys(min(max(keyChanges.taken, Self.fewestKeys), Self.mostKeys))
        }
        guard let next = keyChanges.spare.popLast() else {
            throw LedgerError.storage(path: keys.folder.path, reason: "no key was made")
        }
        keyChanges.taken += 1
        return next
    }

    /// Keys of sums, which are counted anew where their keys are lost: the disk is not waited for. They are durable with the sync that
    /// gives the folder the transaction's epoch, before anybody is told.
    func takeKeysOfSums(_ count: Int) throws -> [(reference: KeyReference, key: SymmetricKey)] {
        let taken = Array(keyChanges.spare.suffix(count))
        keyChanges.spare.removeLast(taken.count)
        return try taken + makeKeys(count - taken.count, areAwaited: false)
    }

    /// Those that nobody got are nobody's.
    func leaveSpareKeys() {
        keyChanges.obsolete += keyChanges.spare.map(\.reference)
        keyChanges.spare = []
    }

    /// - `areAwaited`: they are durable when this returns.
    private func makeKeys(
        _ count: Int, areAwaited: Bool = true
    ) throws -> [(reference: KeyReference, key: SymmetricKey)] {
        guard count > 0 else { return [] }
        let made = try keys.make(count, isAwaited: areAwaited).map { (reference: $0.0, key: $0.1) }
        keyChanges.made += made.map(\.reference)
        return made
    }

    private static let fewestKeys = 8
    private static let mostKeys = 4096
}
