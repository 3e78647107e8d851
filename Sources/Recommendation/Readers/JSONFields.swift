import Foundation

/// The values of a JSON object that are texts or numbers; of numbers the source's own digits.
struct JSONFields {
    /// In the order of the source.
    private(set) var keys: [String] = []
    private var values: [Value] = []

    private enum Value {
        case text(String)
        case number(String)
        case other
    }

    struct NotWhole: Error, CustomStringConvertible {
        var number: String
        var description: String { "\(number.prefix(40)) is no whole number; write it as text" }
    }

    /// nil: not a JSON object, or one that has a key twice.
    init?(_ bytes: ArraySlice<UInt8>) {
        // The decoder checks the syntax; what it makes of numbers is not used.
        guard let texts = try? JSONDecoder().decode([String: Text].self, from: Data(bytes)) else { return nil }
        var scanner = JSONScanner(bytes)
        for member in scanner.members() {
            guard let key = try? JSONDecoder().decode(String.self, from: Data(member.key)), !keys.contains(key) else {
                return nil
            }
            keys.append(key)
            if let number = member.number {
                values.append(.number(String(decoding: number, as: UTF8.self)))
            } else {
                values.append(texts[key]?.text.map(Value.text) ?? .other)
            }
        }
        guard keys.count == texts.count else { return nil }
    }

    /// nil: no such column, or neither text nor number.
    func text(_ column: Int?) -> String? {
        guard let column, values.indices.contains(column) else { return nil }
        switch values[column] {
        case .text(let text), .number(let text): return text
        case .other: return nil
        }
    }

    /// As `text`, for what names somebody: 1.0 and 1e3 could be written otherwise and are refused.
    func identifier(_ column: Int?) throws(NotWhole) -> String? {
        if let column, values.indices.contains(column), case .number(let number) = values[column],
            number.contains(where: { ".eE".contains($0) })
        {
            throw NotWhole(number: number)
        }
        return text(column)
    }

    private struct Text: Decodable {
        var text: String?

        init(from decoder: any Decoder) throws {
            text = try? decoder.singleValueContainer().decode(String.self)
        }
    }
}

/// Finds the members of an object whose syntax was checked before.
private struct JSONScanner {
    struct Member {
        /// With its quotes.
        var key: ArraySlice<UInt8>
        /// nil: not a number.
        var number: ArraySlice<UInt8>?
    }

    private let bytes: ArraySlice<UInt8>
    private var position: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    mutating func members() -> [Member] {
        var members: [Member] = []
        skip { $0 != UInt8(ascii: "{") }
        position += 1
        while true {
            skip { $0 != UInt8(ascii: "\"") && $0 != UInt8(ascii: "}") }
            guard position < bytes.endIndex, bytes[position] == UInt8(ascii: "\"") else { return members }
            let start = position
            skipString()
            let key = bytes[start..<position]
            skip { $0 != UInt8(ascii: ":") }
            position += 1
            skip(Self.isBlank)
            members.append(Member(key: key, number: skipValue()))
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }

    private mutating func skip(_ condition: (UInt8) -> Bool) {
        while position < bytes.endIndex, condition(bytes[position]) { position += 1 }
    }

    /// From the opening quote to behind the closing one.
    private mutating func skipString() {
        position += 1
        while position < bytes.endIndex, bytes[position] != UInt8(ascii: "\"") {
            position += bytes[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        position = min(position + 1, bytes.endIndex)
    }

    /// Behind the value; its bytes if it is a number.
    private mutating func skipValue() -> ArraySlice<UInt8>? {
        guard position < bytes.endIndex else { return nil }
        let start = position
        var depth = 0
        while position < bytes.endIndex {
            switch bytes[position] {
            case UInt8(ascii: "\""):
                skipString()
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return number(bytes[start..<position]) }
                depth -= 1
            case UInt8(ascii: ",") where depth == 0: return number(bytes[start..<position])
            default: break
            }
            position += 1
        }
        return nil
    }

    private func number(_ value: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard let first = value.first, first == UInt8(ascii: "-") || (0x30...0x39).contains(first) else { return nil }
        return value.prefix { !Self.isBlank($0) }
    }
}
