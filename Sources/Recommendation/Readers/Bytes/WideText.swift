/// Turns UTF-16 into UTF-8, a chunk at a time. What is not valid becomes U+FFFD.
struct WideText {
    let isBigEndian: Bool
    /// Bytes of a code unit, or units of a pair, that the next chunk completes.
    private var rest: [UInt8] = []

    init(isBigEndian: Bool) {
        self.isBigEndian = isBigEndian
    }

    /// nil: the bytes do not begin with UTF-16's byte order mark.
    init?(byteOrderMark bytes: ArraySlice<UInt8>) {
        if bytes.starts(with: [0xFF, 0xFE]) {
            isBigEndian = false
        } else if bytes.starts(with: [0xFE, 0xFF]) {
            isBigEndian = true
        } else {
            return nil
        }
    }

    /// - Parameter isLast: nothing follows; what is left over is broken.
    mutating func utf8(_ bytes: some Collection<UInt8>, isLast: Bool) -> [UInt8] {
        rest += bytes
        var units: [UInt16] = []
        units.reserveCapacity(rest.count / 2)
        for start in stride(from: 0, to: rest.count - 1, by: 2) {
            let (first, second) = (UInt16(rest[start]), UInt16(rest[start + 1]))
            units.append(isBigEndian ? first << 8 | second : second << 8 | first)
        }
        var left = Array(rest.suffix(rest.count % 2))
        if !isLast, let last = units.last, UTF16.isLeadSurrogate(last) {
            units.removeLast()
            left = Array(rest.suffix(2 + rest.count % 2))
        }
        let isCut = isLast && !left.isEmpty
        rest = isLast ? [] : left
        let text = String(decoding: units, as: UTF16.self)
        return Array(text.utf8) + (isCut ? Array("\u{FFFD}".utf8) : [])
    }

    /// Whether the beginning of a file looks like UTF-16 or UTF-32 without a byte order mark: a quarter of it is NUL.
    static func isLikely(_ beginning: ArraySlice<UInt8>) -> Bool {
        let sample = beginning.prefix(1024)
        return sample.count > 1 && sample.count { $0 == 0 } * 4 >= sample.count
    }
}
