import Foundation

/// The one rule by which texts name users and items, at every door: import, forget, query and ledger.
///
/// An identifier is the text as it stands in the source, less surrounding white space (Unicode's White_Space), in normal form
/// C. Control characters (NUL among them), line and paragraph separators and byte order marks inside are refused. Of JSON
/// numbers the digits count, so that unsigned 64-bit numbers survive; one with a point or an exponent is no identifier.
public enum Identifier {
    /// Longest accepted identifier as it is kept, in bytes of UTF-8.
    public static let longest = 1024
    /// Longest text that is brought to its normal form at all, which makes three bytes of nine at most, or nine of three.
    private static let longestText = 4 * longest

    /// Why a text names nobody.
    public enum Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        case empty
        case tooLong(bytes: Int)
        case controlCharacter

        public var description: String {
            switch self {
            case .empty: "it is empty"
            case .tooLong(let bytes): "it has \(bytes) bytes, at most \(Identifier.longest) are taken"
            case .controlCharacter: "it has a control character or a byte order mark inside"
            }
        }
    }

    /// The text as it is stored and compared. What is given back is given back again: it is measured in normal form.
    public static func canonical(_ text: String) throws(Refusal) -> String {
        if isPlain(text) { return text }
        let isWhite = { (scalar: Unicode.Scalar) in scalar.properties.isWhitespace }
        let scalars = text.unicodeScalars
        guard let first = scalars.firstIndex(where: { !isWhite($0) }),
            let last = scalars.lastIndex(where: { !isWhite($0) })
        else { throw .empty }
        let trimmed = scalars[first...last]
        guard trimmed.utf8Count <= longestText else { throw .tooLong(bytes: trimmed.utf8Count) }
        guard !trimmed.contains(where: isRefused) else { throw .controlCharacter }
        let text = String(trimmed)
        let kept = text.utf8.allSatisfy { $0 < 0x80 } ? text : normalForm(of: text)
        guard kept.utf8.count <= longest else { throw .tooLong(bytes: kept.utf8.count) }
        return kept
    }

    /// Foundation leaves some sequences of marks without a letter as they are the first time, and not the second.
    private static func normalForm(of text: String) -> String {
        var kept = text.precomposedStringWithCanonicalMapping
        for _ in 0..<4 {
            let again = kept.precomposedStringWithCanonicalMapping
            // By bytes: as strings they are equal.
            if again.utf8.elementsEqual(kept.utf8) { break }
            kept = again
        }
        return kept
    }

    /// Whether the text is printable ASCII without blanks around it: nearly all are, and are as they should be.
    private static func isPlain(_ text: String) -> Bool {
        let bytes = text.utf8
        guard let first = bytes.first, let last = bytes.last, bytes.count <= longest, first != 0x20, last != 0x20 else {
            return false
        }
        return bytes.allSatisfy { (0x20...0x7E).contains($0) }
    }

    private static func isRefused(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        default: scalar == "\u{FEFF}"
        }
    }
}

extension Substring.UnicodeScalarView {
    fileprivate var utf8Count: Int { reduce(0) { $0 + UTF8.width($1) } }
}
