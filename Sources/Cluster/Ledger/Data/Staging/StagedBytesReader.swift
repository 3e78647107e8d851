/// Reads what `StagedBytesWriter` wrote. Any bytes are either read or refused; no count is believed that the bytes left
/// cannot hold.
struct StagedBytesReader {
    private let bytes: [UInt8]
    private(set) var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    /// How many bytes are left.
    var left: Int { bytes.count - position }

    mutating func byte() throws(StagedFault) -> UInt8 {
        guard position < bytes.count else { throw .endsEarly }
        let byte = bytes[position]
        position += 1
        return byte
    }

    mutating func number() throws(StagedFault) -> UInt64 {
        var number: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 7) {
            let byte = try byte()
            // The tenth byte has room for one bit.
            guard shift < 63 || byte < 2 else { throw .badNumber }
            number |= UInt64(byte & 0x7f) << shift
            if byte < 0x80 { return number }
        }
        throw .badNumber
    }

    mutating func signed() throws(StagedFault) -> Int64 {
        let number = try number()
        return Int64(bitPattern: number >> 1) ^ -Int64(bitPattern: number & 1)
    }

    mutating func bits() throws(StagedFault) -> UInt64 {
        guard left >= 8 else { throw .endsEarly }
        defer { position += 8 }
        return bytes.withUnsafeBytes {
            UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: position, as: UInt64.self))
        }
    }

    /// Of things that take so many bytes each, at least.
    mutating func count(ofBytes least: Int = 1) throws(StagedFault) -> Int {
        guard let count = Int(exactly: try number()), count <= left / least else { throw .endsEarly }
        return count
    }

    /// Where the bytes of a text or block lie; goes past them.
    mutating func block() throws(StagedFault) -> Range<Int> {
        let count = try count()
        defer { position += count }
        return position..<position + count
    }

    mutating func text() throws(StagedFault) -> String { try text(at: try block()) }

    /// - Parameter place: as `block` gave it.
    func text(at place: Range<Int>) throws(StagedFault) -> String {
        let text = bytes.withUnsafeBufferPointer { all in
            String(validating: UnsafeBufferPointer(rebasing: all[place]), as: UTF8.self)
        }
        guard let text else { throw .badText }
        return text
    }

    mutating func lookup() throws(StagedFault) -> PersonLookup {
        PersonLookup(high: try bits().byteSwapped, low: try bits().byteSwapped)
    }

    /// - Parameter place: as `block` gave it.
    mutating func move(to place: Range<Int>) { position = place.lowerBound }

    func requireEnd() throws(StagedFault) {
        guard left == 0 else { throw .goesOn }
    }
}
