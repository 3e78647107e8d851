import Foundation

extension KeyFolder {
    /// Overwrites keys; when this returns they are gone from the file, which is synced. A key that is already destroyed,
    /// and one that took its slot, are left alone; a damaged slot is overwritten.
    ///
    /// First noise goes over the key and to the disk, then zeros. Zeros alone would do on a plain disk, but a storage
    /// that keeps no blocks of zeros (thin volumes, compressing devices) may just drop the mapping to the old block;
    /// noise it must write. Zeros at the end make an empty slot recognisable: nobody waits for them to reach the disk, since noise
    /// that is found at the next start has no owner, and is overwritten then.
    ///
    /// - `epoch`: what the folder's is from then on, durable with the noise; nil: as it is.
    /// - Throws: `LedgerError.diskFull`, `.storage`, `.replaced`; then some may be destroyed: call it again.
    package func destroy(_ references: [KeyReference], epoch: KeyEpoch? = nil) throws {
        let file = try writable()
        let named = Set(references)
        // A slot that the file does not have holds no key.
        let slots = Set(references.compactMap { Int(exactly: $0.slot) }.filter { (0..<file.capacity).contains($0) })
        var chosen: [Int] = []
        try file.forEachUsed(of: KeySlotFile.runs(slots.sorted())) { slot, bytes in
            let isNamed = named.contains(KeyReference(slot: Int64(slot), id: KeySlot.id(bytes)))
            if isNamed || !KeySlot.isSound(bytes, slot: slot) { chosen.append(slot) }
        }
        try overwrite(chosen, epoch, in: file)
    }

    /// Overwrites every key that nobody owns: of people who were being made or destroyed when the process was killed.
    /// A damaged slot that somebody owns stays, for its owner's next reader to notice.
    ///
    /// - Returns: how many there were.
    package func destroyAll(except living: Set<KeyReference>) throws -> Int {
        let file = try writable()
        let owned = Set(living.map(\.slot))
        var chosen: [Int] = []
        try file.forEachUsed(of: file.pieces) { slot, bytes in
            let reference = KeyReference(slot: Int64(slot), id: KeySlot.id(bytes))
            if living.contains(reference) { return }
            if !owned.contains(reference.slot) || KeySlot.isSound(bytes, slot: slot) { chosen.append(slot) }
        }
        try overwrite(chosen, in: file)
        return chosen.count
    }

    /// How many of these keys are nowhere in the folder: their slots are empty, hold another key, or lie beyond the end. Whose slot
    /// is damaged is not among them. Reads all slots.
    package func missing(of references: Set<KeyReference>) throws -> Int {
        let file = try opened()
        let slots = Set(references.map(\.slot))
        var found = 0
        try file.forEachUsed(of: file.pieces) { slot, bytes in
            let isThere =
                KeySlot.isSound(bytes, slot: slot)
                ? references.contains(KeyReference(slot: Int64(slot), id: KeySlot.id(bytes)))
                : slots.contains(Int64(slot))
            if isThere { found += 1 }
        }
        return max(0, references.count - found)
    }

    /// Slots that hold something that is no key. Reads and checks them all.
    package func damagedSlots() throws -> [Int64] {
        let file = try opened()
        var damaged: [Int64] = []
        try file.forEachUsed(of: file.pieces) { slot, bytes in
            if !KeySlot.isSound(bytes, slot: slot) { damaged.append(Int64(slot)) }
        }
        return damaged
    }

    /// Empties these slots and those of calls that failed.
    func overwrite(_ slots: [Int], _ epoch: KeyEpoch? = nil, in file: KeySlotFile) throws {
        let doomed = Set(slots).union(unsettled).sorted()
        guard !doomed.isEmpty || epoch != nil else { return }
        unsettled = doomed
        var noise = SlotNoise()
        try file.write(doomed) { _, bytes in noise.fill(bytes) }
        if let epoch { try epochs.write(epoch, to: file) }
        try interrupt?(.overwritten)
        try file.sync()
        if let epoch { epochs.synced(epoch) }
        try interrupt?(.overwrittenSynced)
        try file.write(doomed) { _, bytes in bytes.initializeMemory(as: UInt8.self, repeating: 0) }
        try interrupt?(.cleared)
        free += doomed.reversed()
        unsettled = []
    }
}

/// Bytes that no storage compresses away. They hide nothing, so they need not be unpredictable.
struct SlotNoise {
    private var state = UInt64.random(in: 0...UInt64.max)

    /// SplitMix64.
    mutating func fill(_ bytes: UnsafeMutableRawBufferPointer) {
        for offset in stride(from: 0, to: bytes.count - 7, by: 8) {
            state &+= 0x9E37_79B9_7F4A_7C15
            var value = state
            value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
            value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
            bytes.storeBytes(of: value ^ (value >> 31), toByteOffset: offset, as: UInt64.self)
        }
    }
}
