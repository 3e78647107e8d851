import Foundation

/// A JSON value of a request, before anybody knows what it should be.
indirect enum JSONValue: Hashable, Sendable, Decodable {
    case null
    case bool(Bool)
    /// Also 1.0: JSON knows no difference.
    case integer(Int64)
    case number(Double)
    case text(String)
    case array([JSONValue])
    case object([String: JSONValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        // Texts first: long lists are of these.
        if let text = try? container.decode(String.self) {
            self = .text(text)
        } else if container.decodeNil() {
            self = .null
        } else if let flag = try? container.decode(Bool.self) {
            self = .bool(flag)
        } else if let integer = try? container.decode(Int64.self) {
            self = .integer(integer)
        } else if let number = try? container.decode(Double.self) {
            self = .number(number)
        } else if let array = try? container.decode([JSONValue].self) {
            self = .array(array)
        } else {
            self = .object(try container.decode([String: JSONValue].self))
        }
    }

    /// Keys of all objects in it.
    private var members: Int {
        switch self {
        case .array(let values): values.reduce(0) { $0 + $1.members }
        case .object(let values): values.values.reduce(values.count) { $0 + $1.members }
        default: 0
        }
    }

    /// Nesting of a request.
    static let depth = 16
    /// Values of a request: several times what the longest lists have.
    static let values = 200_000

    /// Reads one JSON value in UTF-8 in which no object has a key twice: of two meanings nobody knows the right one.
    ///
    /// - Throws: `Problem`, 400, which repeats nothing of the content.
    static func parse(_ bytes: [UInt8]) throws(Problem) -> JSONValue {
        guard !bytes.contains(0), String(validating: bytes, as: UTF8.self) != nil else {
            throw .malformed("the body is no JSON in UTF-8")
        }
        // The decoder recurses: nesting is counted before.
        let keys = try scan(bytes)
        guard let value = try? JSONDecoder().decode(JSONValue.self, from: Data(bytes)) else {
            throw .malformed("the body is no JSON")
        }
        guard value.members == keys else { throw .malformed("an object of the body has a key twice") }
        return value
    }

    /// - Returns: how many keys all objects have together: colons outside strings.
    private static func scan(_ bytes: [UInt8]) throws(Problem) -> Int {
        var (depth, keys, isInString, isEscaped) = (0, 0, false, false)
        var values = 1
        for byte in bytes {
            if isEscaped {
                isEscaped = false
            } else if isInString {
                isEscaped = byte == UInt8(ascii: "\\")
                if byte == UInt8(ascii: "\"") { isInString = false }
            } else {
                switch byte {
                case UInt8(ascii: ","):
                    values += 1
                    guard values <= Self.values else { throw .malformed("the body has too many values") }
                case UInt8(ascii: "\""): isInString = true
                case UInt8(ascii: ":"): keys += 1
                case UInt8(ascii: "{"), UInt8(ascii: "["):
                    depth += 1
                    guard depth <= Self.depth else { throw .malformed("the body is nested too deeply") }
                case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
                default: break
                }
            }
        }
        return keys
    }
}
