import Compute
import Crypto
import Dispatch
import Files
import Foundation

/// The memory of packed weights: a file that a user's processes on one machine share, or the process's own memory.
///
/// Weights decide every adapter's bytes, and the base model's digest does not cover this file. So it is private to its
/// owner (0600, below a directory of 0700), one that others could have written is not used, and each process compares its
/// SHA-256 with the one in its header when it opens it. The bytes that are hashed are those that are used later: a process
/// that may write the file could still change them afterwards, while pages are shared, and nothing here would notice. That
/// is only the same user (or root), who could as well change the process; and whoever can do that can also write a header
/// that fits. Against a disk that changes bits after the opening nothing is done either. With `--weight-cache none` every
/// process packs its own weights from the checkpoint.
final class WeightRegion: @unchecked Sendable {
    /// Everything the bytes depend on.
    struct Key {
        var digest: String
        var description: String

        var name: String { "\(digest.prefix(16))-\(hash.prefix(16)).weights" }
        var hash: String {
            SHA256.hash(data: Data("\(digest)\n\(description)".utf8)).map { String(format: "%02x", $0) }.joined()
        }
    }

    let pointer: UnsafeMutableRawPointer
    private let release: () -> Void

    private init(pointer: UnsafeMutableRawPointer, release: @escaping () -> Void) {
        self.pointer = pointer
        self.release = release
    }

    deinit { release() }

    /// The cached file if there is a valid one, else a new one; without a directory, or when nothing can be written there
    /// (a full disk, say), plain memory.
    static func open(
        directory: String?, key: Key, bytes: Int, fill: (UnsafeMutableRawPointer) throws -> Void
    ) throws -> WeightRegion {
        if let directory {
            let path = (directory as NSString).appendingPathComponent(key.name)
            if let cached = map(path: path, key: key, bytes: bytes) { return cached }
            if try write(directory: directory, path: path, key: key, bytes: bytes, fill: fill),
                let cached = map(path: path, key: key, bytes: bytes)
            {
                return cached
            }
        }
        let memory = try AlignedMemory(bytes: bytes)
        try fill(memory.pointer)
        return WeightRegion(pointer: memory.pointer) { withExtendedLifetime(memory) {} }
    }

    /// First page: magic, the key's hash, the digest of the bytes that follow the page, their number.
    private static let headerBytes = 4096

    private static func header(key: Key, content: UnsafeRawBufferPointer) -> [UInt8] {
        var header = Array("LETHEWT2\(key.hash)\(digest(of: content))\(content.count)\n".utf8)
        header += [UInt8](repeating: 0, count: headerBytes - header.count)
        return header
    }

    private static func map(path: String, key: Key, bytes: Int) -> WeightRegion? {
        let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, Int(status.st_size) == headerBytes + bytes else { return nil }
        guard status.st_uid == geteuid(), status.st_mode & 0o022 == 0 else { return nil }
        if status.st_mode & 0o077 != 0 { _ = fchmod(file, PrivateFiles.fileMode) }
        // Private and writable: oneDNN may clear the padding of a layout, which is zero already.
        guard
            let base = mmap(nil, headerBytes + bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file, 0),
            base != MAP_FAILED
        else { return nil }
        let found = UnsafeRawBufferPointer(start: base, count: headerBytes)
        let content = UnsafeRawBufferPointer(start: base + headerBytes, count: bytes)
        guard found.elementsEqual(header(key: key, content: content)) else {
            munmap(base, headerBytes + bytes)
            return nil
        }
        nonisolated(unsafe) let start = base
        return WeightRegion(pointer: base + headerBytes) { munmap(start, headerBytes + bytes) }
    }

    /// Writes the file under a temporary name and renames it when it is on the disk; false when that is not possible.
    private static func write(
        directory: String, path: String, key: Key, bytes: Int, fill: (UnsafeMutableRawPointer) throws -> Void
    ) throws -> Bool {
        guard PrivateFiles.makeDirectory(directory) else { return false }
        PrivateFiles.tighten(directory)
        let temporary = "\(path).\(getpid()).partial"
        let file = Glibc.open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, PrivateFiles.fileMode)
        guard file >= 0 else { return false }
        defer { close(file) }
        var complete = false
        defer { if !complete { unlink(temporary) } }
        // Reserves the blocks, so that a full disk is an error here and no signal later.
        guard posix_fallocate(file, 0, off_t(headerBytes + bytes)) == 0,
            let base = mmap(nil, headerBytes + bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), base != MAP_FAILED
        else { return false }
        defer { munmap(base, headerBytes + bytes) }
        try fill(base + headerBytes)
        let content = UnsafeRawBufferPointer(start: base + headerBytes, count: bytes)
        base.copyMemory(from: header(key: key, content: content), byteCount: headerBytes)
        guard msync(base, headerBytes + bytes, MS_SYNC) == 0, fsync(file) == 0, rename(temporary, path) == 0 else {
            return false
        }
        complete = true
        return true
    }

    /// SHA-256 over the SHA-256 of each piece of 4 MiB, computed on all cores; hexadecimal.
    private static func digest(of content: UnsafeRawBufferPointer) -> String {
        let piece = 4 << 20
        let count = (content.count + piece - 1) / piece
        nonisolated(unsafe) let content = content
        let digests = UnsafeMutableBufferPointer<SHA256.Digest?>.allocate(capacity: count)
        digests.initialize(repeating: nil)
        defer { digests.deallocate() }
        nonisolated(unsafe) let results = digests
        DispatchQueue.concurrentPerform(iterations: count) { index in
            let end = min((index + 1) * piece, content.count)
            var hash = SHA256()
            hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: content[(index * piece)..<end]))
            results[index] = hash.finalize()
        }
        var whole = SHA256()
        for case .some(let digest) in digests { digest.withUnsafeBytes { whole.update(bufferPointer: $0) } }
        return whole.finalize().map { String(format: "%02x", $0) }.joined()
    }
}
