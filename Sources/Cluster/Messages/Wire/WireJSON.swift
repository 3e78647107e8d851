import Foundation

/// JSON as it travels: sorted keys, so that equal messages have equal bytes, and bounded nesting.
public enum WireJSON {
    public static func encode(_ value: some Encodable, kind: String) throws(WireError) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        do {
            return Array(try encoder.encode(value))
        } catch {
            throw .invalidContent(kind: kind, reason: "cannot be written as JSON: \(error)")
        }
    }

    /// It may hold so many `values` at most: the decoder takes memory for each before it looks at any.
    public static func decode<Value: Decodable>(
        _ type: Value.Type, from bytes: some Collection<UInt8>, kind: String, values: Int = .max
    ) throws(WireError) -> Value {
        let bytes = Array(bytes)
        try check(bytes, kind: kind, values: values)
        let decoder = JSONDecoder()
        decoder.nonConformingFloatDecodingStrategy = .convertFromString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        do {
            return try bytes.withUnsafeBytes { bytes in
                // Not copied: a large request is in memory often enough. The decoder does not keep it.
                guard let start = bytes.baseAddress else { return try decoder.decode(type, from: Data()) }
                let data = Data(
                    bytesNoCopy: UnsafeMutableRawPointer(mutating: start), count: bytes.count, deallocator: .none)
                return try decoder.decode(type, from: data)
            }
        } catch {
            throw .invalidContent(kind: kind, reason: reason(error))
        }
    }

    /// The decoder recurses: nesting is counted first, and values are, with brackets and commas inside strings left out.
    static func check(_ bytes: [UInt8], kind: String, values limit: Int = .max) throws(WireError) {
        var depth = 0
        var values = 1
        var inString = false
        var escaped = false
        for byte in bytes {
            if escaped {
                escaped = false
            } else if inString {
                if byte == UInt8(ascii: "\\") { escaped = true }
                if byte == UInt8(ascii: "\"") { inString = false }
            } else {
                switch byte {
                case UInt8(ascii: "\""): inString = true
                case UInt8(ascii: ","): values += 1
                case UInt8(ascii: "{"), UInt8(ascii: "["):
                    depth += 1
                    values += 1
                    guard depth <= WireLimits.depth else {
                        throw .tooLarge(what: "\(kind): nesting of JSON", size: depth, limit: WireLimits.depth)
                    }
                case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
                default: break
                }
            }
        }
        guard values <= limit else { throw .tooLarge(what: "\(kind): values of JSON", size: values, limit: limit) }
    }

    /// What is wrong and where, without the content itself: it may be somebody's data.
    private static func reason(_ error: any Error) -> String {
        func place(_ path: [any CodingKey]) -> String {
            path.isEmpty ? "at the top" : "at " + path.map { String($0.stringValue.prefix(40)) }.joined(separator: ".")
        }
        switch error as? DecodingError {
        case .typeMismatch(_, let context): return "a value of the wrong type \(place(context.codingPath))"
        case .valueNotFound(_, let context): return "a missing value \(place(context.codingPath))"
        case .keyNotFound(let key, let context): return "no \(key.stringValue) \(place(context.codingPath))"
        case .dataCorrupted(let context): return "unreadable JSON \(place(context.codingPath))"
        default: return "unreadable JSON"
        }
    }
}
