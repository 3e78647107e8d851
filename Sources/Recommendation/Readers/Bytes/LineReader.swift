/// One line of a file, without its line break.
struct Line {
    /// Counted from 1.
    var number: Int
    var bytes: ArraySlice<UInt8>
    /// The line is longer than `LineReader.longestLine`; its bytes were dropped.
    var isTooLong: Bool
}

/// Reads a file line by line, a chunk at a time.
///
/// Lines end in LF or CR LF, or in CR alone if the first one does.
final class LineReader {
    static let longestLine = 1 << 20

    /// Name of the file in reports.
    let name: String
    private let source: ByteSource
    private var buffer: ArraySlice<UInt8> = []
    private var number = 0
    private var reachedEnd = false
    /// LF, or CR where that alone ends the first line.
    private var lineEnd = UInt8(ascii: "\n")
    /// Lines given back; the last one comes first.
    private var returned: [Line] = []

    /// - Throws: `RecommendationError.unreadableFile`.
    convenience init(_ file: SourceFile) throws {
        try self.init(ByteSource(file))
    }

    init(_ source: ByteSource) throws {
        self.source = source
        name = source.source.name
        try fill()
        try recogniseLineEnd()
    }

    private func recogniseLineEnd() throws {
        let isBreak = { (byte: UInt8) in byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") }
        while !reachedEnd, buffer.count <= Self.longestLine, buffer.dropLast().firstIndex(where: isBreak) == nil {
            try fill()
        }
        guard let first = buffer.firstIndex(where: isBreak), buffer[first] == UInt8(ascii: "\r") else { return }
        if first + 1 == buffer.endIndex || buffer[first + 1] != UInt8(ascii: "\n") { lineEnd = UInt8(ascii: "\r") }
    }

    /// The next line, nil at the end.
    func next() throws -> Line? {
        if let line = returned.popLast() { return line }
        var isTooLong = false
        var searched = buffer.startIndex
        while true {
            if let end = buffer[searched...].firstIndex(of: lineEnd) {
                let bytes = buffer[buffer.startIndex..<end]
                buffer = buffer[(end + 1)...]
                return line(bytes, isTooLong: isTooLong)
            }
            if reachedEnd {
                guard !buffer.isEmpty || isTooLong else { return nil }
                let bytes = buffer
                buffer = []
                return line(bytes, isTooLong: isTooLong)
            }
            if buffer.count > Self.longestLine {
                isTooLong = true
                buffer = []
            }
            let held = buffer.count
            try fill()
            searched = buffer.startIndex + held
        }
    }

    /// Makes lines, in their order in the file, the next ones again.
    func giveBack(_ lines: [Line]) {
        returned += lines.reversed()
    }

    private func line(_ bytes: ArraySlice<UInt8>, isTooLong: Bool) -> Line {
        number += 1
        let isTooLong = isTooLong || bytes.count > Self.longestLine
        let content = bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes
        return Line(number: number, bytes: isTooLong ? [] : content, isTooLong: isTooLong)
    }

    /// Appends a chunk. The buffer is made anew, so that lines handed out keep their bytes without copying.
    private func fill() throws {
        let more = try source.next()
        reachedEnd = more.isEmpty
        var bytes: [UInt8] = []
        bytes.reserveCapacity(buffer.count + more.count)
        bytes += buffer
        bytes += more
        buffer = bytes[...]
    }
}
