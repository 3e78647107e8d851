import Foundation

/// Files that are replaced whole or not at all, also when the power fails.
package enum AtomicFile {
    /// Of the file that is written first, beside the target. Who opens a directory deletes such leftovers.
    package static let temporarySuffix = ".lethe-temporary"

    /// Takes the file's bytes, piece by piece; of no use after the closure that it was handed to.
    package struct Writer {
        fileprivate let descriptor: Int32
        fileprivate let path: String

        package func put(_ bytes: some ContiguousBytes) throws(FileFailure) {
            let failure: FileFailure? = bytes.withUnsafeBytes { buffer in
                var done = 0
                while done < buffer.count {
                    let rest = UnsafeRawBufferPointer(rebasing: buffer[done...])
                    let count = Foundation.write(descriptor, rest.baseAddress, rest.count)
                    if count < 0, errno == EINTR { continue }
                    guard count > 0 else { return FileFailure("cannot write", path) }
                    done += count
                }
                return nil
            }
            if let failure { throw failure }
        }

        /// Owner, group and mode become those of another file, as far as they are not: before the file has its name.
        package func belong(as other: stat) throws(FileFailure) {
            var own = stat()
            guard fstat(descriptor, &own) == 0 else { throw FileFailure("cannot read", path) }
            if own.st_uid != other.st_uid || own.st_gid != other.st_gid {
                guard fchown(descriptor, other.st_uid, other.st_gid) == 0 else {
                    throw FileFailure("cannot give its owner to", path)
                }
            }
            guard fchmod(descriptor, other.st_mode & 0o7777) == 0 else {
                throw FileFailure("cannot set the mode of", path)
            }
        }
    }

    /// Only its owner can read the file.
    package static func write(_ bytes: some ContiguousBytes, to path: String) throws(FileFailure) {
        try write(to: path) { writer throws(FileFailure) in try writer.put(bytes) }
    }

    /// Writes a temporary file beside the target, syncs it, renames it over the target and syncs the directory. A failure
    /// leaves the target as it was and no temporary file.
    ///
    /// - `body`: writes the contents, in order.
    package static func write(
        to path: String, _ body: (Writer) throws(FileFailure) -> Void
    ) throws(FileFailure) {
        let temporary = path + temporarySuffix
        let descriptor = open(
            temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, PrivateFiles.fileMode)
        guard descriptor >= 0 else { throw FileFailure("cannot make", temporary) }
        do throws(FileFailure) {
            defer { close(descriptor) }
            try body(Writer(descriptor: descriptor, path: temporary))
            guard fsync(descriptor) == 0 else { throw FileFailure("cannot write", temporary) }
        } catch {
            unlink(temporary)
            throw error
        }
        guard rename(temporary, path) == 0 else {
            let failure = FileFailure("cannot replace", path)
            unlink(temporary)
            throw failure
        }
        try syncDirectory(FilePath.folder(of: path))
    }

    /// A file that does not exist counts as removed. The directory is not synced.
    package static func remove(_ path: String) throws(FileFailure) {
        guard unlink(path) == 0 || errno == ENOENT else { throw FileFailure("cannot delete", path) }
    }

    /// Makes renames and deletions in a directory durable.
    package static func syncDirectory(_ path: String) throws(FileFailure) {
        let descriptor = open(path.isEmpty ? "." : path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileFailure("cannot open", path) }
        defer { close(descriptor) }
        guard fsync(descriptor) == 0 else { throw FileFailure("cannot sync", path) }
    }

    package static func read(_ path: String) throws(FileFailure) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw FileFailure("cannot open", path) }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = buffer.withUnsafeMutableBytes { Foundation.read(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw FileFailure("cannot read", path) }
            if count == 0 { return bytes }
            bytes.append(contentsOf: buffer[..<count])
        }
    }

    /// nil when there is no such file, or it cannot be read.
    package static func contents(_ path: String) -> [UInt8]? { try? read(path) }
}
