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

    /// The content of a field that stands in quotes because quotes stand in it, as pandas writes `"The ""Great"" Film"` and
    /// as nobody who quotes nothing would; every other field as it is.
    static func unquotedSparingly(_ field: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let quote = UInt8(ascii: "\"")
        guard field.count >= 4, field.first == quote, field.last == quote else { return field }
        let inner = field.dropFirst().dropLast()
        var (content, isSecond, hasQuote) = ([UInt8](), false, false)
        for byte in inner {
            if byte == quote, !isSecond {
                (isSecond, hasQuote) = (true, true)
                continue
            }
            guard !isSecond || byte == quote else { return field }
            isSecond = false
            content.append(byte)
        }
        return hasQuote && !isSecond ? content[...] : field
    }

    /// The separator that a first line `sep=;` declares, as spreadsheets write and read it.
    static func declaredSeparator(_ line: ArraySlice<UInt8>) -> UInt8? {
        let bare = line.filter { $0 != UInt8(ascii: "\"") }
        guard bare.count == 5, bare.prefix(4).map({ $0 | 0x20 }).elementsEqual("sep=".utf8.map { $0 | 0x20 }) else {
            return nil
        }
        return bare[4]
    }

    /// UTF-8, or Windows-1252, which ISO 8859-1 is part of, when it is not valid UTF-8.
    static func text(_ field: ArraySlice<UInt8>) -> String {
        String(validating: field, as: UTF8.self)
            ?? String(String.UnicodeScalarView(field.map(Windows1252.scalar)))
    }
}
