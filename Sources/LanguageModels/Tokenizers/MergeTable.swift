/// Which neighbours merge, how early, and into what.
struct MergeTable: Sendable {
    struct Merge {
        /// Lower merges first.
        var rank: UInt32
        var id: Int32
    }

    private struct Slot: Sendable {
        var pair: UInt64 = .max
        var rank: UInt32 = 0
        var id: Int32 = 0

        var left: Int32 { Int32(truncatingIfNeeded: pair >> 32) }
        var right: Int32 { Int32(truncatingIfNeeded: pair) }
    }

    private var slots: [Slot]
    private var count = 0

    init(capacity: Int) {
        slots = [Slot](repeating: Slot(), count: powerOfTwo(atLeast: capacity * 2))
    }

    /// A pair that is there already gets the new rank, as in the reference library.
    mutating func insert(_ left: Int32, _ right: Int32, rank: UInt32, id: Int32) {
        if count * 2 >= slots.count { grow() }
        let slot = find(Self.pair(left, right))
        if slots[slot].pair == .max { count += 1 }
        slots[slot] = Slot(pair: Self.pair(left, right), rank: rank, id: id)
    }

    @inline(__always)
    func merge(_ left: Int32, _ right: Int32) -> Merge? {
        let slot = slots[find(Self.pair(left, right))]
        return slot.pair == .max ? nil : Merge(rank: slot.rank, id: slot.id)
    }

    func makes(oneOf ids: Set<Int32>) -> Bool {
        slots.contains { $0.pair != .max && ids.contains($0.id) }
    }

    /// The same without the merges that make one of these tokens.
    func without(_ ids: Set<Int32>) -> MergeTable {
        var table = MergeTable(capacity: count)
        for slot in slots where slot.pair != .max && !ids.contains(slot.id) {
            table.insert(slot.left, slot.right, rank: slot.rank, id: slot.id)
        }
        return table
    }

    @inline(__always)
    private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
    }

    @inline(__always)
    private func find(_ pair: UInt64) -> Int {
        let mask = slots.count - 1
        var slot = Int(truncatingIfNeeded: (pair &* 0x9e37_79b9_7f4a_7c15) >> 32) & mask
        while slots[slot].pair != pair, slots[slot].pair != .max { slot = (slot + 1) & mask }
        return slot
    }

    private mutating func grow() {
        let old = slots
        slots = [Slot](repeating: Slot(), count: old.count * 2)
        for slot in old where slot.pair != .max { slots[find(slot.pair)] = slot }
    }
}
