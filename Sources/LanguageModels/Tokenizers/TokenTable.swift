/// Ids by the bytes of their tokens.
///
/// Not a `Dictionary<String, Int32>`: Swift strings are equal when they are canonically equivalent, tokens only when
/// their bytes are.
struct TokenTable: Sendable {
    private var bytes: [UInt8] = []
    /// Entry `e` spans `bounds[e]..<bounds[e + 1]`.
    private var bounds: [Int] = [0]
    private var ids: [Int32] = []
    /// Open addressing with linear probing; −1 is free.
    private var slots: [Int32]

    init(capacity: Int) {
        slots = [Int32](repeating: -1, count: powerOfTwo(atLeast: capacity * 2))
    }

    /// A token that is there already gets the new id.
    mutating func insert(_ token: UnsafeBufferPointer<UInt8>, id: Int32) {
        if ids.count * 2 >= slots.count { grow() }
        let slot = find(token)
        if slots[slot] >= 0 {
            ids[Int(slots[slot])] = id
            return
        }
        slots[slot] = Int32(ids.count)
        bytes.append(contentsOf: token)
        bounds.append(bytes.count)
        ids.append(id)
    }

    mutating func insert(_ token: [UInt8], id: Int32) {
        token.withUnsafeBufferPointer { insert($0, id: id) }
    }

    func id(of token: UnsafeBufferPointer<UInt8>) -> Int32? {
        let entry = slots[find(token)]
        return entry < 0 ? nil : ids[Int(entry)]
    }

    func id(of token: [UInt8]) -> Int32? {
        token.withUnsafeBufferPointer { id(of: $0) }
    }

    /// The same without these ids.
    func without(_ removed: Set<Int32>) -> TokenTable {
        var table = TokenTable(capacity: ids.count)
        bytes.withUnsafeBufferPointer { all in
            for entry in ids.indices where !removed.contains(ids[entry]) {
                table.insert(UnsafeBufferPointer(rebasing: all[bounds[entry]..<bounds[entry + 1]]), id: ids[entry])
            }
        }
        return table
    }

    /// The slot that holds the token, or the free one where it belongs.
    private func find(_ token: UnsafeBufferPointer<UInt8>) -> Int {
        let mask = slots.count - 1
        var slot = Self.hash(token) & mask
        while slots[slot] >= 0, !matches(Int(slots[slot]), token) { slot = (slot + 1) & mask }
        return slot
    }

    private func matches(_ entry: Int, _ token: UnsafeBufferPointer<UInt8>) -> Bool {
        let start = bounds[entry]
        guard bounds[entry + 1] - start == token.count else { return false }
        for index in 0..<token.count where bytes[start + index] != token[index] { return false }
        return true
    }

    private mutating func grow() {
        slots = [Int32](repeating: -1, count: slots.count * 2)
        let mask = slots.count - 1
        bytes.withUnsafeBufferPointer { all in
            for entry in ids.indices {
                let token = UnsafeBufferPointer(rebasing: all[bounds[entry]..<bounds[entry + 1]])
                var slot = Self.hash(token) & mask
                while slots[slot] >= 0 { slot = (slot + 1) & mask }
                slots[slot] = Int32(entry)
            }
        }
    }

    /// FNV-1a.
    private static func hash(_ token: UnsafeBufferPointer<UInt8>) -> Int {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in token { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
        return Int(truncatingIfNeeded: (hash ^ hash >> 32) & 0x7fff_ffff)
    }
}

func powerOfTwo(atLeast count: Int) -> Int {
    var power = 16
    while power < count { power *= 2 }
    return power
}
