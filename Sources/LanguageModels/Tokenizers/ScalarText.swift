/// What the splitting patterns of byte-level tokenizers ask about a scalar.
///
/// Letters and numbers are those of Unicode 16, as in the reference library's regular expressions. Its `Digits` step alone
/// already knows the 13 numbers that Unicode 17 added; here they are no numbers.
enum ScalarClass: UInt8 {
    /// `\p{L}`
    case letter
    /// `\p{N}`
    case number
    /// `\s`, that is the property White_Space.
    case space
    case other

    private static let ascii: [ScalarClass] = (0..<128).map { ScalarClass(properties: Unicode.Scalar($0 as UInt8)) }

    init(_ scalar: Unicode.Scalar) {
        self = scalar.value < 128 ? Self.ascii[Int(scalar.value)] : ScalarClass(properties: scalar)
    }

    /// Unicode's version in the reference library's regular expressions. Classes must not change with the standard
    /// library: training depends on them.
    private static let unicodeVersion = 16

    fileprivate static func isKnown(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.age.map { $0.major <= unicodeVersion } ?? true
    }

    private init(properties scalar: Unicode.Scalar) {
        guard Self.isKnown(scalar) else {
            self = .other
            return
        }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
        case .decimalNumber, .letterNumber, .otherNumber: self = .number
        default: self = scalar.properties.isWhitespace ? .space : .other
        }
    }
}

/// What the patterns that split before capitals ask.
enum LetterCase: Hashable {
    /// `\p{Lu}` and `\p{Lt}`
    case capital
    /// `\p{Ll}`
    case small
    /// `\p{Lm}`, `\p{Lo}` and `\p{M}`, which both of their classes hold.
    case either
    case none

    init(_ scalar: Unicode.Scalar) {
        guard ScalarClass.isKnown(scalar) else {
            self = .none
            return
        }
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .titlecaseLetter: self = .capital
        case .lowercaseLetter: self = .small
        case .modifierLetter, .otherLetter, .nonspacingMark, .spacingMark, .enclosingMark: self = .either
        default: self = .none
        }
    }
}

/// A text as scalars with their classes and places in UTF-8.
struct ScalarText {
    private(set) var values: [UInt32] = []
    private(set) var classes: [ScalarClass] = []
    /// Byte offset of every scalar, and the number of bytes at the end.
    private(set) var offsets: [Int] = []

    init(_ text: Substring) {
        let capacity = text.utf8.count
        values.reserveCapacity(capacity)
        classes.reserveCapacity(capacity)
        offsets.reserveCapacity(capacity + 1)
        var offset = 0
        for scalar in text.unicodeScalars {
            values.append(scalar.value)
            classes.append(ScalarClass(scalar))
            offsets.append(offset)
            offset += UTF8.width(scalar)
        }
        offsets.append(offset)
    }

    var count: Int { values.count }

    func letterCase(_ index: Int) -> LetterCase {
        Unicode.Scalar(values[index]).map { LetterCase($0) } ?? .none
    }
}
