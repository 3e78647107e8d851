/// Reads little-endian numbers and strings from front to back and refuses to go past the end.
struct ByteCursor {
    let bytes: UnsafeRawBufferPointer
    let path: String
    private(set) var position = 0

    init(_ bytes: UnsafeRawBufferPointer, path: String) {
        self.bytes = bytes
        self.path = path
    }

    var remaining: Int { bytes.count - position }

    func malformed(_ reason: String) -> LanguageModelError {
        .malformedFile(path: path, reason: "\(reason) (at byte \(position))")
    }

    /// The next `count` bytes.
    mutating func take(_ count: Int, of what: String) throws -> UnsafeRawBufferPointer {
        guard count >= 0, count <= remaining else { throw malformed("the file ends inside \(what)") }
        defer { position += count }
        return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
    }

    mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(
        _ type: Number.Type, of what: String
    ) throws -> Number {
        let slice = try take(MemoryLayout<Number>.size, of: what)
        return Number(littleEndian: slice.loadUnaligned(as: type))
    }

    /// A count or a length, refused when it cannot be one.
    mutating func length(of what: String) throws -> Int {
        let value = try number(UInt64.self, of: what)
        guard let length = Int(exactly: value) else { throw malformed("\(what) is absurdly large: \(value)") }
        return length
    }

    /// What is preceded by its length as 64 bits.
    mutating func bytes(of what: String) throws -> UnsafeRawBufferPointer {
        try take(length(of: "the length of \(what)"), of: what)
    }

    /// A string preceded by its length as 64 bits.
    mutating func string(of what: String) throws -> String {
        let slice = try bytes(of: what)
        guard let text = String(validating: slice, as: UTF8.self) else { throw malformed("\(what) is not UTF-8") }
        return text
    }
}
