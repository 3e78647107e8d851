/// How a file's bytes are text, where it is declared. A byte order mark in the file says more than a declaration.
public enum TextEncoding: String, Codable, CaseIterable, Sendable {
    case utf8 = "utf-8"
    case windows1252 = "windows-1252"
    case latin1 = "iso-8859-1"
    case utf16LittleEndian = "utf-16le"
    case utf16BigEndian = "utf-16be"
}

/// Turns a file's text into UTF-8, a chunk at a time.
enum TextDecoder {
    /// UTF-8, or what is not: decided field by field (`DelimitedText.text`).
    case undeclared
    /// The beginning of a character that the next chunk completes.
    case utf8(rest: [UInt8])
    case windows1252
    case latin1
    case wide(WideText)

    init(_ encoding: TextEncoding?) {
        self =
            switch encoding {
            case nil: .undeclared
            case .utf8: .utf8(rest: [])
            case .windows1252: .windows1252
            case .latin1: .latin1
            case .utf16LittleEndian: .wide(WideText(isBigEndian: false))
            case .utf16BigEndian: .wide(WideText(isBigEndian: true))
            }
    }

    struct NotUTF8: Error {}

    /// - Parameter isLast: nothing follows; what is left over is broken.
    mutating func utf8(_ bytes: [UInt8], isLast: Bool) throws(NotUTF8) -> [UInt8] {
        switch self {
        case .undeclared: return bytes
        case .windows1252: return Self.utf8(bytes, Windows1252.scalar)
        case .latin1: return Self.utf8(bytes) { Unicode.Scalar($0) }
        case .wide(var wide):
            let text = wide.utf8(bytes, isLast: isLast)
            self = .wide(wide)
            return text
        case .utf8(let rest):
            let all = rest + bytes
            let whole = isLast ? all.count : all.count - Self.unfinished(all)
            guard String(validating: all[..<whole], as: UTF8.self) != nil else { throw NotUTF8() }
            self = .utf8(rest: Array(all[whole...]))
            return Array(all[..<whole])
        }
    }

    private static func utf8(_ bytes: [UInt8], _ scalar: (UInt8) -> Unicode.Scalar) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count + bytes.count / 8)
        for byte in bytes {
            if byte < 0x80 {
                text.append(byte)
            } else {
                text.append(contentsOf: String(scalar(byte)).utf8)
            }
        }
        return text
    }

    /// Bytes at the end that begin a character which goes on.
    private static func unfinished(_ bytes: [UInt8]) -> Int {
        for count in 1...3 where count <= bytes.count {
            let byte = bytes[bytes.count - count]
            if byte & 0xC0 == 0x80 { continue }
            let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1
            return length > count ? count : 0
        }
        return 0
    }
}

/// ISO 8859-1 with letters and punctuation where that has control characters, as browsers read both
/// (encoding.spec.whatwg.org).
enum Windows1252 {
    static func scalar(_ byte: UInt8) -> Unicode.Scalar {
        (0x80...0x9F).contains(byte) ? upper[Int(byte) - 0x80] : Unicode.Scalar(byte)
    }

    private static let upper = Array(
        ("\u{20AC}\u{81}\u{201A}\u{192}\u{201E}\u{2026}\u{2020}\u{2021}\u{2C6}\u{2030}\u{160}\u{2039}\u{152}\u{8D}\u{17D}\u{8F}"
            + "\u{90}\u{2018}\u{2019}\u{201C}\u{201D}\u{2022}\u{2013}\u{2014}\u{2DC}\u{2122}\u{161}\u{203A}\u{153}\u{9D}\u{17E}\u{178}")
            .unicodeScalars)
}
