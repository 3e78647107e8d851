import Compute
import Crypto
import Foundation

/// The memory of packed weights: a file that all processes of a machine map read-only, or the process's own memory.
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

    /// First page: magic, the key's hash, the number of bytes that follow the page.
    private static let headerBytes = 4096

    private static func header(key: Key, bytes: Int) -> [UInt8] {
        var header = Array("LETHEWT1\(key.hash)\(bytes)\n".utf8)
        header += [UInt8](repeating: 0, count: headerBytes - header.count)
        return header
    }

    private static func map(path: String, key: Key, bytes: Int) -> WeightRegion? {
        let file = Glibc.open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var status = stat()
        guard fstat(file, &status) == 0, Int(status.st_size) == headerBytes + bytes else { return nil }
        // Private and writable: oneDNN may clear the padding of a layout, which is zero already.
        guard
            let base = mmap(nil, headerBytes + bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, file, 0),
            base != MAP_FAILED
        else { return nil }
        let found = UnsafeRawBufferPointer(start: base, count: headerBytes)
        guard found.elementsEqual(header(key: key, bytes: bytes)) else {
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
        try? FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let temporary = "\(path).\(getpid()).partial"
        let file = Glibc.open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
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
        base.copyMemory(from: header(key: key, bytes: bytes), byteCount: headerBytes)
        guard msync(base, headerBytes + bytes, MS_SYNC) == 0, fsync(file) == 0, rename(temporary, path) == 0 else {
            return false
        }
        complete = true
        return true
    }
}
