import Files
import Foundation

/// The bytes of a file's text, in UTF-8, a chunk at a time; a pipe will do, since nothing is read twice.
///
/// gz and zst are known by their first bytes, whatever the file is called. A byte order mark in front is dropped; UTF-16 is known by its
/// mark, or by what was declared, and becomes UTF-8.
final class ByteSource {
    private static let chunk = 1 << 18

    let source: SourceFile
    private let file: FileHandle
    private var packed: PackedStream?
    private var decoder: TextDecoder
    private var reachedEnd = false
    /// Text that was looked at already.
    private var pending: [UInt8] = []

    /// - Throws: `RecommendationError.unreadableFile`.
    init(_ source: SourceFile) throws {
        let isStandardInput = source.path == SourceFile.standardInput
        guard let file = isStandardInput ? .standardInput : FileHandle(forReadingAtPath: source.path) else {
            throw RecommendationError.unreadableFile(
                path: source.path, reason: "it does not exist or may not be read")
        }
        self.source = source
        self.file = file
        decoder = TextDecoder(source.encoding)
        var beginning = try atLeast(4, of: rawChunk)
        let packing = FilePacking(beginning: beginning)
        if let packing {
            do {
                packed = try packing.stream(beginning)
            } catch {
                throw refusal("\(error)")
            }
            beginning = try atLeast(4, of: expandedChunk)
        }
        if let objection = FileContents.objection(to: beginning[...], unpackedFrom: packing, path: source.path) {
            throw refusal(objection)
        }
        pending = try decoded(withoutMark(beginning), isLast: beginning.isEmpty)
    }

    deinit {
        if source.path != SourceFile.standardInput { try? file.close() }
    }

    /// The next bytes; empty at the end.
    func next() throws -> [UInt8] {
        while pending.isEmpty, !reachedEnd {
            let bytes = try expandedChunk()
            reachedEnd = bytes.isEmpty
            pending = try decoded(bytes, isLast: reachedEnd)
        }
        defer { pending = [] }
        return pending
    }

    /// The first bytes without taking them; fewer at the end of the file.
    func beginning(_ count: Int) throws -> ArraySlice<UInt8> {
        var bytes = try atLeast(count, of: next)
        swap(&pending, &bytes)
        return pending.prefix(count)
    }

    private func withoutMark(_ bytes: [UInt8]) throws -> [UInt8] {
        if bytes.starts(with: [0xFF, 0xFE, 0, 0]) || bytes.starts(with: [0, 0, 0xFE, 0xFF]) {
            throw refusal("it looks like UTF-32; save it as UTF-8")
        }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) {
            decoder = TextDecoder(source.encoding == nil ? nil : .utf8)
            return Array(bytes.dropFirst(3))
        }
        if let wide = WideText(byteOrderMark: bytes[...]) {
            decoder = .wide(wide)
            return Array(bytes.dropFirst(2))
        }
        if case .wide = decoder { return bytes }
        if WideText.isLikely(bytes[...]) {
            throw refusal(
                "it looks like UTF-16 without a byte order mark; declare it (--encoding utf-16le) or save it as UTF-8")
        }
        return bytes
    }

    private func decoded(_ bytes: [UInt8], isLast: Bool) throws -> [UInt8] {
        do {
            return try decoder.utf8(bytes, isLast: isLast)
        } catch {
            throw refusal("it is declared to be UTF-8 and is not; --encoding windows-1252 may be right")
        }
    }

    /// A pipe may hand out its first bytes one by one.
    private func atLeast(_ count: Int, of chunk: () throws -> [UInt8]) throws -> [UInt8] {
        var bytes = try chunk()
        while bytes.count < count {
            let more = try chunk()
            if more.isEmpty { break }
            bytes += more
        }
        return bytes
    }

    private func expandedChunk() throws -> [UInt8] {
        guard let packed else { return try rawChunk() }
        do {
            return try packed.next(rawChunk)
        } catch let failure as PackedDataFailure {
            throw refusal("\(failure)")
        }
    }

    private func rawChunk() throws -> [UInt8] {
        do {
            return try file.read(upToCount: Self.chunk).map { Array($0) } ?? []
        } catch {
            throw refusal(FileFailure.reason(of: error))
        }
    }

    private func refusal(_ reason: String) -> RecommendationError {
        .unreadableFile(path: source.path, reason: reason)
    }
}
