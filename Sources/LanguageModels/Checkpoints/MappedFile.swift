import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// A file mapped read-only into memory: pages are read when touched and shared between processes on one machine.
package final class MappedFile: @unchecked Sendable {
    // Unchecked: the two stored properties never change and the mapping is read-only.
    package let path: String
    private let bytes: UnsafeRawBufferPointer

    /// - Throws: `LanguageModelError.missingFile` when there is no such file, `.unsupportedCheckpoint` when it cannot be
    ///   read, `.malformedFile` when it is empty.
    package init(path: String) throws {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT || errno == ENOTDIR { throw LanguageModelError.missingFile(path: path) }
            throw LanguageModelError.unsupportedCheckpoint(path: path, reason: String(cString: strerror(errno)))
        }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw LanguageModelError.unsupportedCheckpoint(path: path, reason: "it is not a regular file")
        }
        let size = Int(status.st_size)
        guard size > 0 else { throw LanguageModelError.malformedFile(path: path, reason: "the file is empty") }
        guard let start = mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0), start != MAP_FAILED else {
            throw LanguageModelError.unsupportedCheckpoint(
                path: path, reason: "it cannot be mapped: \(String(cString: strerror(errno)))")
        }
        self.path = path
        bytes = UnsafeRawBufferPointer(start: start, count: size)
    }

    deinit {
        munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
    }

    package var count: Int { bytes.count }

    /// The buffer is valid inside the closure only.
    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try withExtendedLifetime(self) { try body(bytes) }
    }
}
