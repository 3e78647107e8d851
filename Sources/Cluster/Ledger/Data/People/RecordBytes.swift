import Messages

/// Appends the parts of a record.
struct RecordWriter {
    private(set) var bytes: [UInt8] = []

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    mutating func byte(_ byte: UInt8) { bytes.append(byte) }

    /// Seven bits a byte, the least significant first (LEB128): one byte below 128, ten from 2^63 on.
    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// For numbers that are seldom negative: what is takes ten bytes.
    mutating func varint(_ value: some FixedWidthInteger & SignedInteger) {
        varint(UInt64(truncatingIfNeeded: value))
    }

    /// For numbers of either sign: small ones are short (zig-zag: 0, -1, 1, -2 are 0, 1, 2, 3).
    mutating func signedVarint(_ value: Int64) {
        varint(UInt64(bitPattern: (value << 1) ^ (value >> 63)))
    }

    /// Eight bytes, the least significant first: every bit survives, also of what is no number.
    mutating func double(_ value: Double) {
        withUnsafeBytes(of: value.bitPattern.littleEndian) { bytes.append(contentsOf: $0) }
    }

    /// As they are, without their number.
    mutating func raw(_ other: [UInt8]) { bytes.append(contentsOf: other) }

    /// Its length in bytes of UTF-8, then these.
    mutating func text(_ text: String) {
        varint(text.utf8.count)
        bytes.append(contentsOf: text.utf8)
    }
}

/// Takes a record's parts in the order in which they were appended, whatever the bytes are.
///
/// All throw `LedgerError.corrupt`, which never says what a value is: it may say something about a person.
struct RecordReader {
    private let bytes: [UInt8]
    private var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var remaining: Int { bytes.count - position }

    mutating func byte() throws(LedgerError) -> UInt8 {
        guard position < bytes.count else { throw .record("ends early") }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func varint() throws(LedgerError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while true {
            let byte = try byte()
            guard shift < 63 || byte <= 1 else { throw .record("has a number of more than 64 bits") }
            value |= UInt64(byte & 0x7F) << shift
            if byte < 0x80 { return value }
            shift += 7
        }
    }

    mutating func integer() throws(LedgerError) -> Int64 { Int64(bitPattern: try varint()) }

    mutating func number() throws(LedgerError) -> Int {
        guard let number = Int(exactly: try integer()) else { throw .record("has a number too large for this machine") }
        return number
    }

    mutating func signedInteger() throws(LedgerError) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// A number of things that follow: no more than there are bytes for, so that room for them can be reserved.
    /// - Parameter smallest: bytes that each takes at least.
    mutating func count(ofAtLeast smallest: Int) throws(LedgerError) -> Int {
        guard let count = Int(exactly: try varint()), count <= remaining / smallest else {
            throw .record("promises more than it holds")
        }
        return count
    }

    mutating func double() throws(LedgerError) -> Double {
        var bits: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 64, by: 8) { bits |= UInt64(try byte()) << shift }
        return Double(bitPattern: bits)
    }

    mutating func raw(_ count: Int) throws(LedgerError) -> [UInt8] {
        guard (0...remaining).contains(count) else { throw .record("ends early") }
        defer { position += count }
        return Array(bytes[position..<position + count])
    }

    mutating func text() throws(LedgerError) -> String {
        let end = try count(ofAtLeast: 1) + position
        guard let text = String(validating: bytes[position..<end], as: UTF8.self) else {
            throw .record("has a name that is no text")
        }
        position = end
        return text
    }

    func expectEnd() throws(LedgerError) {
        guard remaining == 0 else { throw .record("goes on after its end") }
    }
}

extension LedgerError {
    /// - Parameter fault: never a value.
    static func record(_ fault: String) -> LedgerError {
        .corrupt(path: "ledger.sqlite", reason: "a person's record \(fault)")
    }
}
