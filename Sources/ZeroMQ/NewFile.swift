import Foundation

/// A file that only its owner can read, whole on the disk before it has its name, and which never replaces another one. Gone
/// without a trace unless it is published.
struct NewFile: ~Copyable {
    private let path: String
    private let temporary: String
    /// Locked as long as this process lives and writes the file.
    private let descriptor: Int32

    /// - Throws: `invalidKey`
    init(_ text: String, for path: String) throws(ZeroMQError) {
        self.path = path
        Self.removeLeftovers(of: path)
        // A name that nobody else has: what is left by who is killed is in nobody's way.
        temporary = "\(Self.folder(of: path))/\(Self.prefix(of: path))\(UInt64.random(in: 0 ... .max))"
        descriptor = try Self.write(Array(text.utf8), to: temporary, for: path)
    }

    deinit {
        unlink(temporary)
        close(descriptor)
    }

    /// Of who was killed while the same file was made: what is left may be a second name of a secret key.
    private static func removeLeftovers(of path: String) {
        let (folder, prefix) = (folder(of: path), prefix(of: path))
        for name in ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted() {
            guard name.hasPrefix(prefix), UInt64(name.dropFirst(prefix.count)) != nil else { continue }
            let file = open("\(folder)/\(name)", O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
            guard file >= 0 else { continue }
            // Who holds the lock is still at it.
            if flock(file, LOCK_EX | LOCK_NB) == 0 { unlink("\(folder)/\(name)") }
            close(file)
        }
    }

    /// Of the temporary names for a file. Where its own name leaves no room in them, for all such files.
    private static func prefix(of path: String) -> String {
        let name = path.split(separator: "/").last ?? ""
        return ".lethe-key-\(name.utf8.count <= 200 ? name : "")-"
    }

    /// Gives the file its name.
    ///
    /// - Throws: `invalidKey`, also where there is a file of that name.
    func publish() throws(ZeroMQError) {
        if link(temporary, path) != 0 {
            // There are file systems without links.
            guard [EPERM, EOPNOTSUPP, ENOSYS].contains(errno) else { throw Self.failure("make", path, errno) }
            let place = try Self.placeholder(path)
            defer { close(place) }
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

    /// The descriptor of an empty file of this name, which nobody else replaces: a new one, or that of who was killed before
    /// anything took its place.
    private static func placeholder(_ path: String) throws(ZeroMQError) -> Int32 {
        let new = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        if new >= 0 {
            if flock(new, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK { return new }
            // Somebody took it for one that was left, and goes on with it.
            close(new)
            throw failure("make", path, EEXIST)
        }
        let failure = failure("make", path, errno)
        let left = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard left >= 0 else { throw failure }
        var status = stat()
        guard fstat(left, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size == 0,
            status.st_uid == geteuid(), flock(left, LOCK_EX | LOCK_NB) == 0
        else {
            close(left)
            throw failure
        }
        return left
    }

    private static func write(_ bytes: [UInt8], to temporary: String, for path: String) throws(ZeroMQError) -> Int32 {
        let descriptor = try made(temporary, for: path)
        _ = flock(descriptor, LOCK_EX | LOCK_NB)
        var done = 0
        while done < bytes.count {
            let count = bytes[done...].withUnsafeBytes { Foundation.write(descriptor, $0.baseAddress, $0.count) }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return try fail() }
            done += count
        }
        guard fsync(descriptor) == 0 else { return try fail() }
        return descriptor

        func fail() throws(ZeroMQError) -> Int32 {
            let failure = failure("write", path, errno)
            unlink(temporary)
            close(descriptor)
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
