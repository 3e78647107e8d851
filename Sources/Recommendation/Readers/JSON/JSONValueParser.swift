/// Reads one JSON text (RFC 8259) and hands out the values that stand at the ends of its objects' paths.
///
/// Two things are taken that the standard refuses, because writers of data produce them: NaN and Infinity as values, which
/// are no numbers then, and half a surrogate pair, which becomes U+FFFD and is marked.
struct JSONValueParser {
    enum Value: Equatable {
        case text(String, isWhole: Bool)
        /// The source's own digits.
        case number(String)
        /// true, false, null, an array, an empty object or what is no number.
        case other
    }

    struct Leaf {
        /// `a.b.c` for the value of c in the value of b in the value of a.
        var path: String
        var depth: Int
        var value: Value
    }

    struct Malformed: Error {}

    /// Objects and arrays inside each other.
    private static let greatestDepth = 256
    /// Bytes of a path; what lies deeper is checked and not handed out.
    private static let longestPath = 256

    private let bytes: ArraySlice<UInt8>
    private var position: Int
    private var leaves: [Leaf] = []

    /// The leaves of an object, in the order of the source.
    static func leaves(ofObject bytes: ArraySlice<UInt8>) throws(Malformed) -> [Leaf] {
        var parser = JSONValueParser(bytes)
        parser.skipBlanks()
        guard parser.next == UInt8(ascii: "{") else { throw Malformed() }
        try parser.object(path: "", depth: 1)
        parser.skipBlanks()
        guard parser.next == nil else { throw Malformed() }
        return parser.leaves
    }

    private init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    private var next: UInt8? { position < bytes.endIndex ? bytes[position] : nil }

    private mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard let byte = next, UInt32(byte) == character.value else { return false }
        position += 1
        return true
    }

    private mutating func skipBlanks() {
        while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
    }

    /// - Parameter path: of the object; nil: its members are not wanted.
    private mutating func object(path: String?, depth: Int) throws(Malformed) {
        guard take("{"), depth <= Self.greatestDepth else { throw Malformed() }
        skipBlanks()
        if take("}") {
            if let path, depth > 1 { leaves.append(Leaf(path: path, depth: depth - 1, value: .other)) }
            return
        }
        while true {
            skipBlanks()
            let key = try string().text
            skipBlanks()
            guard take(":") else { throw Malformed() }
            let member: String? = path.flatMap { path in
                guard depth > 1 else { return key }
                return path.utf8.count + key.utf8.count < Self.longestPath ? "\(path).\(key)" : nil
            }
            try value(path: member, depth: depth)
            skipBlanks()
            if take("}") { return }
            guard take(",") else { throw Malformed() }
        }
    }

    private mutating func array(depth: Int) throws(Malformed) {
        guard take("["), depth <= Self.greatestDepth else { throw Malformed() }
        skipBlanks()
        if take("]") { return }
        while true {
            try value(path: nil, depth: depth)
            skipBlanks()
            if take("]") { return }
            guard take(",") else { throw Malformed() }
        }
    }

    private mutating func value(path: String?, depth: Int) throws(Malformed) {
        skipBlanks()
        guard let first = next else { throw Malformed() }
        var found = Value.other
        switch first {
        case UInt8(ascii: "{"): return try object(path: path, depth: depth + 1)
        case UInt8(ascii: "["): try array(depth: depth + 1)
        case UInt8(ascii: "\""):
            let (text, isWhole) = try string()
            found = .text(text, isWhole: isWhole)
        default:
            if !["true", "false", "null", "NaN", "Infinity", "-Infinity"].contains(where: { takeWord($0) }) {
                found = .number(try number())
            }
        }
        if let path { leaves.append(Leaf(path: path, depth: depth, value: found)) }
    }

    private mutating func takeWord(_ word: String) -> Bool {
        guard bytes[position...].starts(with: word.utf8) else { return false }
        position += word.utf8.count
        return true
    }

    private mutating func number() throws(Malformed) -> String {
        let start = position
        _ = take("-")
        if !take("0") { try digits() }
        if take(".") { try digits() }
        if take("e") || take("E") {
            if !take("-") { _ = take("+") }
            try digits()
        }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func digits() throws(Malformed) {
        let start = position
        while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
        guard position > start else { throw Malformed() }
    }

    private mutating func string() throws(Malformed) -> (text: String, isWhole: Bool) {
        guard take("\"") else { throw Malformed() }
        let start = position
        while let byte = next, byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { position += 1 }
        let plain = bytes[start..<position]
        if take("\"") { return (String(decoding: plain, as: UTF8.self), true) }
        return try escapedString(Array(plain))
    }

    private mutating func escapedString(_ beginning: [UInt8]) throws(Malformed) -> (text: String, isWhole: Bool) {
        var (text, isWhole) = (beginning, true)
        while let byte = next {
            position += 1
            switch byte {
            case UInt8(ascii: "\""): return (String(decoding: text, as: UTF8.self), isWhole)
            case UInt8(ascii: "\\"):
                let scalar = try escape()
                isWhole = isWhole && scalar != nil
                text.append(contentsOf: String(scalar ?? "\u{FFFD}").utf8)
            case 0..<0x20: throw Malformed()
            default: text.append(byte)
            }
        }
        throw Malformed()
    }

    /// Behind a backslash; nil: half a surrogate pair.
    private mutating func escape() throws(Malformed) -> Unicode.Scalar? {
        guard let byte = next else { throw Malformed() }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"):
            let unit = try codeUnit()
            if let scalar = Unicode.Scalar(unit) { return scalar }
            let behind = position
            guard unit < 0xDC00, take("\\"), take("u"), case let low = try codeUnit(), (0xDC00...0xDFFF).contains(low)
            else {
                position = behind
                return nil
            }
            return Unicode.Scalar(0x10000 + (UInt32(unit) - 0xD800) << 10 + (UInt32(low) - 0xDC00))
        default: throw Malformed()
        }
    }

    private mutating func codeUnit() throws(Malformed) -> UInt16 {
        var unit: UInt16 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw Malformed() }
            position += 1
            unit = unit << 4 | UInt16(digit)
        }
        return unit
    }
}
