import Foundation

/// A file that only its owner can read, whole on the disk before it has its name, and which never replaces another one. Gone
/// without a trace unless it is published.
struct NewFile: ~Copyable {
    private let path: String
    private let temporary: String

    /// - Throws: `invalidKey`
    init(_ text: String, for path: String) throws(ZeroMQError) {
        self.path = path
        // A name that nobody else has: what was left by who was killed is in nobody's way.
        temporary = "\(Self.folder(of: path))/.lethe-key-\(UInt64.random(in: 0 ... .max))"
        try Self.write(Array(text.utf8), to: temporary, for: path)
    }

    deinit { unlink(temporary) }

    /// Gives the file its name.
    ///
    /// - Throws: `invalidKey`, also where there is a file of that name.
    func publish() throws(ZeroMQError) {
        if link(temporary, path) != 0 {
            // There are file systems without links.
            guard [EPERM, EOPNOTSUPP, ENOSYS].contains(errno) else { throw Self.failure("make", path, errno) }
            close(try Self.made(path, for: path))
            guard rename(temporary, path) == 0 else {
                let failure = Self.failure("make", path, errno)
                unlink(path)
                throw failure
            }
        }
        let folder = open(Self.folder(of: path), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { return }
        fsync(folder)
        close(folder)
    }

    /// As if it had never been published.
    func takeBack() { unlink(path) }

    private static func write(_ bytes: [UInt8], to temporary: String, for path: String) throws(ZeroMQError) {
        let descriptor = try made(temporary, for: path)
        defer { close(descriptor) }
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return try fail() }
            done += count
        }
        guard fsync(descriptor) == 0 else { return try fail() }

        func fail() throws(ZeroMQError) {
            let failure = failure("write", path, errno)
            unlink(temporary)
            throw failure
        }
    }

    /// The descriptor of a new file whose mode holds from the first byte on.
    private static func made(_ new: String, for path: String) throws(ZeroMQError) -> Int32 {
        let descriptor = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw failure("make", path, errno) }
        return descriptor
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func failure(_ verb: String, _ path: String, _ code: Int32) -> ZeroMQError {
        .invalidKey(reason: "cannot \(verb) the key file \(path): \(String(cString: strerror(code)))")
    }
}
