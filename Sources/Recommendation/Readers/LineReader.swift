import Foundation

/// One line of a file, without its line break.
struct Line {
    /// Counted from 1.
    var number: Int
    var bytes: ArraySlice<UInt8>
    /// The line is longer than `LineReader.longestLine`; its bytes were dropped.
    var isTooLong: Bool
}

/// Reads a file line by line, a chunk at a time; a pipe will do, since nothing is read twice.
///
/// Lines end in LF or CR LF, or in CR alone if the first one does. A byte order mark in front is dropped; UTF-16 is known by
/// its mark and becomes UTF-8.
final class LineReader {
    static let longestLine = 1 << 20
    private static let chunk = 1 << 18

    let path: String
    private let file: FileHandle
    private var buffer: ArraySlice<UInt8> = []
    private var number = 0
    private var reachedEnd = false
    private var wide: WideText?
    /// LF, or CR where that alone ends the first line.
    private var lineEnd = UInt8(ascii: "\n")
    /// Lines given back; the last one comes first.
    private var returned: [Line] = []

    /// - Throws: `RecommendationError.unreadableFile`.
    init(path: String) throws {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw RecommendationError.unreadableFile(path: path, reason: "it does not exist or may not be read")
        }
        self.path = path
        self.file = file
        // A pipe may hand out its first bytes one by one.
        repeat { try fill() } while !reachedEnd && buffer.count < 4
        try recogniseEncoding()
        try recogniseLineEnd()
    }

    private func recogniseEncoding() throws {
        func refuse(_ what: String) -> RecommendationError {
            .unreadableFile(path: path, reason: "it looks like \(what); save it as UTF-8")
        }
        if buffer.starts(with: [0xFF, 0xFE, 0, 0]) || buffer.starts(with: [0, 0, 0xFE, 0xFF]) {
            throw refuse("UTF-32")
        }
        if buffer.starts(with: [0xEF, 0xBB, 0xBF]) {
            buffer = buffer.dropFirst(3)
        } else if var decoder = WideText(byteOrderMark: buffer) {
            buffer = decoder.utf8(buffer.dropFirst(2), isLast: reachedEnd)[...]
            wide = decoder
        } else if WideText.isLikely(buffer) {
            throw refuse("UTF-16 without a byte order mark")
        }
    }

    private func recogniseLineEnd() throws {
        let isBreak = { (byte: UInt8) in byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") }
        while !reachedEnd, buffer.count <= Self.longestLine, buffer.dropLast().firstIndex(where: isBreak) == nil {
            try fill()
        }
        guard let first = buffer.firstIndex(where: isBreak), buffer[first] == UInt8(ascii: "\r") else { return }
        if first + 1 == buffer.endIndex || buffer[first + 1] != UInt8(ascii: "\n") { lineEnd = UInt8(ascii: "\r") }
    }

    deinit { try? file.close() }

    /// Name of the file, without its folder.
    var name: String { (path as NSString).lastPathComponent }

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
        let data: Data?
        do {
            data = try file.read(upToCount: Self.chunk)
        } catch {
            throw RecommendationError.unreadableFile(path: path, reason: error.localizedDescription)
        }
        reachedEnd = data?.isEmpty ?? true
        var bytes: [UInt8] = []
        bytes.reserveCapacity(buffer.count + (data?.count ?? 0))
        bytes += buffer
        if wide != nil {
            bytes += wide?.utf8(data ?? Data(), isLast: reachedEnd) ?? []
        } else {
            bytes += data ?? Data()
        }
        buffer = bytes[...]
    }
}
