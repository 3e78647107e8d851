import Foundation

/// One line of a file, without its line break.
struct Line {
    /// Counted from 1.
    var number: Int
    var bytes: ArraySlice<UInt8>
    /// The line is longer than `LineReader.longestLine`; its bytes were dropped.
    var isTooLong: Bool
}

/// Reads a file line by line, a chunk at a time. Lines end in LF or CR LF; a byte order mark in front is dropped.
final class LineReader {
    static let longestLine = 1 << 20
    private static let chunk = 1 << 18

    let path: String
    private let file: FileHandle
    private var buffer: ArraySlice<UInt8> = []
    private var number = 0
    private var reachedEnd = false
    /// Lines given back; the last one comes first.
    private var returned: [Line] = []

    /// - Throws: `RecommendationError.unreadableFile`.
    init(path: String) throws {
        guard let file = FileHandle(forReadingAtPath: path) else {
            throw RecommendationError.unreadableFile(path: path, reason: "it does not exist or may not be read")
        }
        self.path = path
        self.file = file
        try fill()
        if buffer.starts(with: [0xEF, 0xBB, 0xBF]) { buffer = buffer.dropFirst(3) }
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
            if let end = buffer[searched...].firstIndex(of: UInt8(ascii: "\n")) {
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
        guard let data, !data.isEmpty else {
            reachedEnd = true
            return
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(buffer.count + data.count)
        bytes += buffer
        bytes += data
        buffer = bytes[...]
    }
}
