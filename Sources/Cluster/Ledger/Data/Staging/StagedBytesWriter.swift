/// Numbers, texts and look-ups in few bytes. `StagedBytesReader` reads them.
struct StagedBytesWriter {
    private(set) var bytes: [UInt8] = []

    mutating func put(byte: UInt8) { bytes.append(byte) }

    /// Seven bits a byte, the least significant first.
    mutating func put(number: UInt64) {
        var rest = number
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    mutating func put(count: Int) { put(number: UInt64(count)) }

    /// Small numbers of either sign are short.
    mutating func put(signed number: Int64) {
        put(number: UInt64(bitPattern: (number << 1) ^ (number >> 63)))
    }

    mutating func put(bits: UInt64) {
        for shift in stride(from: UInt64(0), to: 64, by: 8) { bytes.append(UInt8(truncatingIfNeeded: bits >> shift)) }
    }

    /// UTF-8 after its length.
    mutating func put(text: String) {
        put(count: text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }

    mutating func put(lookup: PersonLookup) {
        for number in [lookup.high, lookup.low] { put(bits: number.byteSwapped) }
    }

    /// Bytes after their number, so that a reader can go past them.
    mutating func put(block: StagedBytesWriter) {
        put(count: block.bytes.count)
        bytes.append(contentsOf: block.bytes)
    }

    mutating func removeAll() { bytes.removeAll(keepingCapacity: true) }
}
