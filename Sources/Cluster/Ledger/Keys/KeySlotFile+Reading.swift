import Files
import Foundation
import Messages

extension KeySlotFile {
    /// Whether a later release wrote the file.
    static func isOfLaterRelease(_ path: String) throws -> Bool {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            if errno == ENOENT { return false }
            throw LedgerError(FileFailure("cannot open", path))
        }
        defer { close(descriptor) }
        return KeyFolderHeader.isOfLaterRelease(try firstPage(descriptor, path))
    }

    /// Shorter where the file is.
    static func firstPage(_ descriptor: Int32, _ path: String) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: KeyFolderHeader.size)
        do {
            let count = try bytes.withUnsafeMutableBytes { try read(descriptor, path, $0, at: 0) }
            return Array(bytes[..<count])
        } catch let failure as FileFailure {
            throw LedgerError(failure)
        }
    }

    /// What stands in one of two places. Nothing where the file ends before, or where the disk does not read it any more, as after
    /// a write that was cut short: then the other place counts.
    func note(at offset: Int, _ size: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: size)
        do {
            let count = try bytes.withUnsafeMutableBytes { try Self.read(descriptor, path, $0, at: offset) }
            return Array(bytes[..<count])
        } catch let failure as FileFailure {
            guard failure.code == EIO else { throw LedgerError(failure) }
            return []
        }
    }

    /// - Returns: how much was read; less than asked for where the file ends.
    static func read(
        _ descriptor: Int32, _ path: String, _ buffer: UnsafeMutableRawBufferPointer, at offset: Int
    ) throws(FileFailure) -> Int {
        var done = 0
        while done < buffer.count {
            let rest = UnsafeMutableRawBufferPointer(rebasing: buffer[done...])
            let count = pread(descriptor, rest.baseAddress, rest.count, offset + done)
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileFailure("cannot read", path) }
            if count == 0 { break }
            done += count
        }
        return done
    }
}
