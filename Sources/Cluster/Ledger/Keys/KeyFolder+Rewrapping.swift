import Crypto
import Files
import Foundation
import Messages

extension KeyFolder {
    /// Seals all keys under another master key. The file takes the place of the one of before, whose keys are overwritten:
    /// killed at any step, the folder opens with exactly one of the two master keys, and the next that opens it overwrites
    /// what is left of the other file.
    ///
    /// - `old`: what they are sealed under; nil: they lie in clear.
    /// - `new`: what they are to be sealed under.
    /// - `interrupt`: throws where the process is to be killed, for tests.
    /// - Returns: how many keys there are.
    /// - Throws: `LedgerError.keyUnusable` for a folder that is missing, damaged or under another master key; `.corrupt` for a
    ///   key that does not open: nothing was changed then; `.inUse`, `.diskFull`, `.storage`.
    package static func rewrap(
        folder: URL, from old: SymmetricKey?, to new: SymmetricKey,
        _ interrupt: (ExchangeStep) throws -> Void = { _ in }
    ) throws -> Int {
        let file = folder.appendingPathComponent("slots")
        guard access(file.path, F_OK) == 0 else {
            throw LedgerError.keyUnusable(path: file.path, reason: "there is no file of keys")
        }
        let lock = try LedgerFiles.lock(folder.appendingPathComponent("lock"))
        defer { withExtendedLifetime(lock) {} }
        try settleExchange(folder)
        return try exchange(folder, interrupt) { try copy($0, from: old, to: new, at: $1) }
    }

    private static func copy(
        _ slots: KeySlotFile, from old: SymmetricKey?, to new: SymmetricKey, at path: String
    ) throws -> Int {
        let header = slots.header
        let before = try header.unlock(cluster: header.cluster, master: old, path: slots.path)
        let next = KeyFolderHeader(cluster: header.cluster, master: new)
        let copy = try emptyCopy(of: slots, next, at: path)
        let wrapping = next.wrapping(new)
        var count = 0
        for piece in slots.pieces {
            try slots.withSlots(piece) { all in
                let used = piece.filter { !KeySlot.isEmpty(all.slot($0, of: piece)) }
                try copy.write(used) { run, target in
                    for slot in run {
                        let bytes = all.slot(slot, of: piece)
                        guard KeySlot.isSound(bytes, slot: slot),
                            let key = KeySlot.key(bytes, slot: slot, wrapping: before)
                        else {
                            throw LedgerError.corrupt(
                                path: slots.path,
                                reason: "slot \(slot) is damaged; start the coordinator once, which sets "
                                    + "whatever it sealed aside, and try again")
                        }
                        let place = UnsafeMutableRawBufferPointer(rebasing: target[target.indices(of: slot, in: run)])
                        try KeySlot.put(key, id: KeySlot.id(bytes), slot: slot, wrapping: wrapping, into: place)
                        count += 1
                    }
                }
            }
        }
        try copy.sync()
        return count
    }
}
