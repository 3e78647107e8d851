/// Splits lines into fields.
enum DelimitedText {
    /// Fields between plain separators of one or more bytes; nothing is quoted.
    static func split(_ line: ArraySlice<UInt8>, separator: [UInt8]) -> [ArraySlice<UInt8>] {
        guard separator.count > 1 else {
            return line.split(separator: separator[0], omittingEmptySubsequences: false)
        }
        var fields: [ArraySlice<UInt8>] = []
        var start = line.startIndex
        var position = start
        while position < line.endIndex {
            if line[position...].starts(with: separator) {
                fields.append(line[start..<position])
                position += separator.count
                start = position
            } else {
                position += 1
            }
        }
        fields.append(line[start...])
        return fields
    }

    /// Fields that may stand in quotes (RFC 4180). nil: a quote is not closed.
    ///
    /// Inside quotes `""` is a quote; so is `\"` with `backslash`, as Book-Crossing writes it, and so is a quote that no
    /// separator follows, which careless writers leave unescaped.
    static func quoted(_ line: ArraySlice<UInt8>, separator: UInt8, backslash: Bool) -> [ArraySlice<UInt8>]? {
        let quote = UInt8(ascii: "\"")
        guard line.contains(quote) else { return split(line, separator: [separator]) }
        var fields: [ArraySlice<UInt8>] = []
        var position = line.startIndex
        while true {
            guard position < line.endIndex, line[position] == quote else {
                let end = line[position...].firstIndex(of: separator) ?? line.endIndex
                fields.append(line[position..<end])
                guard end < line.endIndex else { return fields }
                position = end + 1
                continue
            }
            var field: [UInt8] = []
            position += 1
            var isOpen = true
            while position < line.endIndex {
                let byte = line[position]
                let next = position + 1 < line.endIndex ? line[position + 1] : separator
                if byte == quote, next == separator {
                    isOpen = false
                    position += 1
                    break
                }
                let isEscape = byte == quote || (backslash && byte == UInt8(ascii: "\\"))
                if isEscape, next == quote, position + 1 < line.endIndex {
                    field.append(quote)
                    position += 2
                } else {
                    field.append(byte)
                    position += 1
                }
            }
            guard !isOpen else { return nil }
            fields.append(field[...])
            guard position < line.endIndex else { return fields }
            position += 1
        }
    }

    /// UTF-8, or ISO 8859-1 when it is not valid UTF-8.
    static func text(_ field: ArraySlice<UInt8>) -> String {
        String(validating: field, as: UTF8.self)
            ?? String(String.UnicodeScalarView(field.map { Unicode.Scalar($0) }))
    }
}
