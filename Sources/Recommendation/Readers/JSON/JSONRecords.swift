/// The objects of a file of JSON: one a line, or the elements of one array, however that is broken into lines.
final class JSONRecords {
    private let lines: LineReader?
    private let elements: JSONElements?
    let name: String

    /// - Throws: `RecommendationError.unreadableFile`.
    init(_ file: SourceFile) throws {
        let source = try ByteSource(file)
        name = file.name
        let isArray = JSONElements.isArray(try source.beginning(4096))
        elements = isArray ? JSONElements(source) : nil
        lines = isArray ? nil : try LineReader(source)
    }

    /// The next line or element, nil at the end.
    func next() throws -> Line? { try elements?.next() ?? lines?.next() }
}

/// Cuts an array into its elements without looking into them. Memory holds one element, of at most a line's greatest length.
final class JSONElements {
    private let source: ByteSource
    private var chunk: ArraySlice<UInt8> = []
    private var line = 1
    private var isInside = false
    private var isAfter = false

    init(_ source: ByteSource) {
        self.source = source
    }

    /// Whether the file is an array of objects, or an empty one; other arrays may be a line of many.
    static func isArray(_ beginning: ArraySlice<UInt8>) -> Bool {
        let marks = beginning.lazy.filter { !isBlank($0) }.prefix(2)
        return [Array("[{".utf8), Array("[]".utf8)].contains(Array(marks))
    }

    /// - Throws: `RecommendationError.unreadableFile`: the array ends too early, so that nobody knows what is missing.
    func next() throws -> Line? {
        while let byte = try peek() {
            if Self.isBlank(byte) || (isInside && byte == UInt8(ascii: ",")) {
                advance(byte)
            } else if !isInside, !isAfter {
                // The opening bracket.
                isInside = true
                advance(byte)
            } else if isInside, byte == UInt8(ascii: "]") {
                (isInside, isAfter) = (false, true)
                advance(byte)
            } else {
                if isAfter, byte == UInt8(ascii: "[") {
                    throw RecommendationError.unreadableFile(
                        path: source.source.path,
                        reason: "another array follows in line \(line); make it one array, or one object a line")
                }
                // What stands behind the array is no object of it, and is refused as a whole.
                return try element(toTheEnd: isAfter)
            }
        }
        if isInside { throw notClosed(since: line) }
        return nil
    }

    private func element(toTheEnd: Bool) throws -> Line {
        let number = line
        var bytes: [UInt8] = []
        var (depth, isTooLong, isInString, isEscaped) = (0, false, false, false)
        while let byte = try peek() {
            if !toTheEnd, depth == 0, !isInString, byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") { break }
            advance(byte)
            if bytes.count < LineReader.longestLine { bytes.append(byte) } else { isTooLong = true }
            if isInString {
                // No string goes over a line's end: one that is not closed costs its own element.
                isInString = (byte != UInt8(ascii: "\"") || isEscaped) && byte != UInt8(ascii: "\n")
                isEscaped = byte == UInt8(ascii: "\\") && !isEscaped
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): (isInString, isEscaped) = (true, false)
            case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"): depth -= 1
            default: break
            }
        }
        if try !toTheEnd && peek() == nil { throw notClosed(since: number) }
        // Behind the array nothing is an object of it.
        return Line(
            number: number, bytes: isTooLong || toTheEnd ? [UInt8(ascii: "]")] : bytes[...], isTooLong: isTooLong)
    }

    private func notClosed(since line: Int) -> RecommendationError {
        .unreadableFile(
            path: source.source.path,
            reason: "its array is not closed: the file is cut, or the object of line \(line) is broken")
    }

    private func peek() throws -> UInt8? {
        if chunk.isEmpty { chunk = try source.next()[...] }
        return chunk.first
    }

    private func advance(_ byte: UInt8) {
        if byte == UInt8(ascii: "\n") { line += 1 }
        chunk = chunk.dropFirst()
    }

    private static func isBlank(_ byte: UInt8) -> Bool { [0x20, 0x09, 0x0A, 0x0D].contains(byte) }
}
