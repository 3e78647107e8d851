import Crypto
import Files
import Foundation
import Messages

/// The one small place where all keys lie: who overwrites a slot here makes what the key sealed noise, in every copy of it.
///
/// A folder with `slots` (`KeyFolderHeader`, notes on pages of their own, then slots of 64 bytes, each overwritten in place and
/// never moved) and `lock`; while another file takes the place of one, `slots.new` and `slots.old` too.
/// Under a master key the slots hold sealed keys: a copy of the folder is of no use without it. What overwriting in place
/// can promise is written in <doc:KeysOnDisk>.
///
/// Used from one thread. No key stays in memory beyond the call that hands it out.
package final class KeyFolder {
    /// Where a call can be interrupted.
    package enum Step: Hashable, Sendable, CaseIterable {
        /// New slots are written; then: noted, once in each place.
        case grown, noted
        /// New keys are written; then: durable.
        case written, synced
        /// Keys are overwritten with noise; then: durable; then: with zeros.
        case overwritten, overwrittenSynced, cleared
    }

    /// Called between the steps of a call, which then fails as if it were interrupted there; for tests.
    package var interrupt: ((Step) throws -> Void)?

    package let folder: URL
    /// Slots that hold a key.
    package var used: Int { (slots?.capacity ?? 0) - free.count - unsettled.count }
    /// How often the disk was waited for since the folder was opened.
    var syncs: Int { slots?.syncs ?? 0 }
    private var slots: KeySlotFile?
    private var lock: LockFile?
    private let wrapping: SymmetricKey?
    /// Folders of keys that were put aside, as they lay there when it was opened: later none is made.
    var foundAside: [URL]
    /// Empty slots; the last is taken first.
    var free: [Int] = []
    var epochs: KeyEpochPlaces
    /// The last that is durable; nil: there is none yet.
    package var epoch: KeyEpoch? { epochs.epoch }
    /// Slots of a call that failed: they may hold anything and belong to nobody. The next call that writes clears them.
    var unsettled: [Int] = []

    /// Opens the folder. Reads the file once, in order; nothing of it is kept but which slots are empty.
    ///
    /// - Parameters:
    ///   - folder: `slots` and `lock` are all that is written in it.
    ///   - cluster: whose keys these are, up to 64 bytes.
    ///   - isNew: makes the folder where it is missing. Otherwise a missing one is refused: something is sealed with it.
    ///   - master: seals the keys; the same at every start.
    /// - Throws: `LedgerError.keyUnusable` for a folder that is missing, cut, damaged, another cluster's or under another
    ///   master key, saying what cannot be read any more; `.inUse`, `.diskFull`, `.storage`.
    package init(folder: URL, cluster: String, isNew: Bool, master: SymmetricKey?) throws {
        self.folder = folder
        foundAside = Self.foldersPutAside(beside: folder)
        let file = folder.appendingPathComponent("slots")
        let isThere = access(file.path, F_OK) == 0
        guard isThere || errno == ENOENT || errno == ENOTDIR else {
            throw LedgerError(FileFailure("cannot examine", file.path))
        }
        guard isThere || isNew else {
            throw LedgerError.keyUnusable(path: file.path, reason: "the file of keys is missing. \(KeyFolderLoss.all)")
        }
        if !isThere {
            try LedgerFiles.makeDirectory(folder)
            try LedgerFiles.synchronise(directory: folder.deletingLastPathComponent())
        }
        lock = try LedgerFiles.lock(folder.appendingPathComponent("lock"))
        if access(file.path, F_OK) != 0 {
            try KeySlotFile.make(file.path, KeyFolderHeader(cluster: cluster, master: master))
        }
        try Self.settleExchange(folder)
        PrivateFiles.tightenTree(folder.path)
        var slots = try KeySlotFile(file.path)
        wrapping = try slots.header.unlock(cluster: cluster, master: master, path: file.path)
        if slots.header.layout != .present {
            try Self.move(folder)
            slots = try KeySlotFile(file.path)
        }
        epochs = try KeyEpochPlaces(slots)
        for piece in slots.pieces {
            try slots.withSlots(piece) { bytes in
                for slot in piece where KeySlot.isEmpty(bytes.slot(slot, of: piece)) { free.append(slot) }
            }
        }
        free.reverse()
        self.slots = slots
    }

    /// Lets go of the folder; every later call fails.
    package func close() {
        slots = nil
        lock = nil
    }

    /// Makes random keys, each in a slot of its own. All are durable when this returns, after one sync.
    ///
    /// - `isAwaited`: false: they are durable with the next sync, for whose keys are no loss; until then a loss of power may leave
    ///   anything in their slots but a key of before.
    /// - Throws: `LedgerError.diskFull`, `.storage`, `.replaced`; no key was made then.
    package func make(_ count: Int, isAwaited: Bool = true) throws -> [(KeyReference, SymmetricKey)] {
        let file = try writable()
        if !unsettled.isEmpty { try overwrite([], in: file) }
        guard count > 0 else { return [] }
        if free.count < count {
            let first = file.capacity
            try file.grow(by: count - free.count) { try interrupt?($0) }
            free.insert(contentsOf: (first..<file.capacity).reversed(), at: 0)
        }
        let taken = free.suffix(count).sorted()
        free.removeLast(count)
        unsettled = taken
        var made: [(KeyReference, SymmetricKey)] = []
        made.reserveCapacity(count)
        try file.write(taken) { run, bytes in
            for slot in run {
                let (key, id) = (SymmetricKey(size: .bits256), Int64.random(in: 1...Int64.max))
                let target = UnsafeMutableRawBufferPointer(rebasing: bytes[bytes.indices(of: slot, in: run)])
                try KeySlot.put(key, id: id, slot: slot, wrapping: wrapping, into: target)
                made.append((KeyReference(slot: Int64(slot), id: id), key))
            }
        }
        try interrupt?(.written)
        if isAwaited {
            try file.sync()
            try interrupt?(.synced)
        }
        unsettled = []
        return made
    }

    /// One read of 64 bytes.
    ///
    /// - Returns: nil: the key was destroyed, and the slot is empty or holds another one.
    /// - Throws: `LedgerError.corrupt` for a damaged slot, or one that the file does not have.
    package func key(_ reference: KeyReference) throws -> SymmetricKey? {
        let file = try opened()
        guard let slot = Int(exactly: reference.slot), (0..<file.capacity).contains(slot) else {
            throw LedgerError.corrupt(
                path: file.path,
                reason: "there is no slot \(reference.slot) among the \(file.capacity); is the folder an older copy?")
        }
        return try file.withSlots(slot..<slot + 1) { bytes in
            if KeySlot.isEmpty(bytes) { return nil }
            guard KeySlot.isSound(bytes, slot: slot) else {
                throw LedgerError.corrupt(
                    path: file.path, reason: "slot \(slot) is damaged; what its key sealed is lost")
            }
            guard KeySlot.id(bytes) == reference.id else { return nil }
            guard let key = KeySlot.key(bytes, slot: slot, wrapping: wrapping) else {
                throw LedgerError.corrupt(
                    path: file.path, reason: "the key in slot \(slot) does not open; what it sealed is lost")
            }
            return key
        }
    }

    func opened() throws -> KeySlotFile {
        guard let slots else { throw LedgerError.storage(path: folder.path, reason: "the keys were closed") }
        return slots
    }

    func writable() throws -> KeySlotFile {
        let file = try opened()
        try file.requireSame()
        return file
    }
}
