import Foundation

/// The cores of a machine as tokens: processes that compute take what is free, piece by piece of work, and give it back.
///
/// While one computes alone, it has all cores; while n do, each takes at most its nth part, rounded up, and whoever finds none
/// waits until one is given back. Tokens are locks on bytes of a file without content, so a process that is killed gives its
/// own back. No more cores are in use than there are, but where a piece takes longer than `patience`: who has waited so long
/// goes on with one thread, and does not wait again before it has had cores. So one that is stopped holds nobody up for long.
///
/// Which process gets what is left to chance and to the clock; results must not depend on how many cores there were.
/// An instance belongs to one thread.
package final class SharedCores {
    package static let countBounds = 1...1024

    package let count: Int
    private let path: String
    private let patience: Duration
    private var file: LockedBytes
    private var held: [Int] = []
    /// The byte that says that this one computes.
    private var place: Int?
    /// The last wait found nothing.
    private var wasInVain = false

    /// Byte by byte: the cores, then the door that one passes at a time, then a place for each process that computes.
    private static let door = 1024
    private static let places = 4096..<(4096 + 1 << 30)
    private static let pause: useconds_t = 500

    /// - `path`: the same for all processes that share; made where it is missing.
    /// - Throws: `FileFailure`, also for a file that is somebody else's.
    package init(_ path: String, count: Int, patience: Duration = .seconds(2)) throws(FileFailure) {
        self.path = path
        self.count = min(max(count, Self.countBounds.lowerBound), Self.countBounds.upperBound)
        self.patience = patience
        file = try LockedBytes(path)
        // Some systems know no such locks: that must not look like cores that are never free.
        guard file.lock(Self.places.upperBound) || errno == EAGAIN || errno == EACCES else {
            throw FileFailure("cannot share cores by", path)
        }
        file.unlock(Self.places.upperBound)
    }

    /// Where this user's processes that may run on the same cores share them. In shared memory, which services with a temporary
    /// folder of their own see as well, and no other machine; otherwise in the temporary folder. Those under one quota of processor
    /// time share what it allows, and nothing with others.
    package static func standardPath(_ cores: AvailableCores = .current) -> String {
        var isFolder: ObjCBool = false
        let shared = "/dev/shm"
        let folder =
            FileManager.default.fileExists(atPath: shared, isDirectory: &isFolder) && isFolder.boolValue
                && access(shared, W_OK) == 0 ? shared : NSTemporaryDirectory()
        return folder + "/lethe-cores-\(getuid())-\(ownCores())\(cores.quota.map { "-" + name(ofQuota: $0) } ?? "")"
    }

    /// The same wherever its group is seen from: in a container each one's path may be the root.
    private static func name(ofQuota path: String) -> String {
        var file = stat()
        guard stat(path, &file) == 0 else { return String(sha256(Array(path.utf8)).prefix(16)) }
        return "\(file.st_dev)-\(file.st_ino)"
    }

    /// The cores that this process may run on, as hexadecimal bits: two processes that are bound to others share nothing.
    private static func ownCores() -> String {
        let status = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
        let name = "Cpus_allowed:"
        guard let line = status.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return "all" }
        let digits = line.dropFirst(name.count).filter(\.isHexDigit).drop { $0 == "0" }
        // Of large machines the name stays one: 1,024 cores are 256 digits.
        return digits.isEmpty ? "all" : digits.count <= 64 ? String(digits) : sha256(Array(digits.utf8))
    }

    /// Waits for cores and takes them; what was taken before is given back.
    ///
    /// - Returns: how many threads may compute until `giveBack`, at least one.
    package func take() -> Int {
        giveBack()
        announce()
        let deadline = ContinuousClock.now + (wasInVain ? .zero : patience)
        var isInside = file.lock(Self.door)
        while !isInside, ContinuousClock.now < deadline {
            usleep(Self.pause)
            isInside = file.lock(Self.door)
        }
        defer { if isInside { file.unlock(Self.door) } }
        let computing = 1 + file.lockedByOthers(in: Self.places, atMost: count)
        let fair = (count + computing - 1) / computing
        repeat {
            for core in 0..<count where held.count < fair && file.lock(core) { held.append(core) }
            if !held.isEmpty {
                wasInVain = !isInside
                return held.count
            }
            usleep(Self.pause)
        } while ContinuousClock.now < deadline
        wasInVain = true
        return 1
    }

    package func giveBack() {
        for core in held { file.unlock(core) }
        held = []
    }

    /// There is nothing more to compute for now: others need not leave cores for this one.
    package func rest() {
        giveBack()
        if let place { file.unlock(place) }
        place = nil
    }

    /// Before the first piece after a rest. A file that was removed meanwhile, as some systems do when a user logs out, is made
    /// again, so that those who come later are met.
    private func announce() {
        guard place == nil else { return }
        if !file.isStill(at: path), let again = try? LockedBytes(path) { file = again }
        let byte = Int.random(in: Self.places)
        if file.lock(byte) { place = byte }
    }
}

/// A file whose bytes are locked one by one, for as long as it is open (Linux: locks of an open file description).
private final class LockedBytes {
    private let descriptor: Int32

    // Not imported: they are behind _GNU_SOURCE.
    private static let getLock: Int32 = 36
    private static let setLock: Int32 = 37

    init(_ path: String) throws(FileFailure) {
        descriptor = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_CREAT, PrivateFiles.fileMode)
        guard descriptor >= 0 else { throw FileFailure("cannot open", path) }
        var found = stat()
        guard fstat(descriptor, &found) == 0, found.st_uid == geteuid() else {
            throw FileFailure("cannot share cores by", path, code: EPERM)
        }
    }

    deinit { if descriptor >= 0 { close(descriptor) } }

    /// Whether it was free and is held now.
    func lock(_ byte: Int) -> Bool {
        var range = Self.range(F_WRLCK, byte..<byte + 1)
        return fcntl(descriptor, Self.setLock, &range) == 0
    }

    func unlock(_ byte: Int) {
        var range = Self.range(F_UNLCK, byte..<byte + 1)
        _ = fcntl(descriptor, Self.setLock, &range)
    }

    /// How many bytes others hold, as far as that is asked.
    func lockedByOthers(in bytes: Range<Int>, atMost limit: Int) -> Int {
        var (open, found) = ([bytes], 0)
        // The system names any one lock of a range: what is left and right of it is asked again.
        while found < limit, let part = open.popLast() {
            guard !part.isEmpty else { continue }
            var range = Self.range(F_WRLCK, part)
            guard fcntl(descriptor, Self.getLock, &range) == 0, range.l_type != Int16(F_UNLCK) else { continue }
            let lower = max(Int(range.l_start), part.lowerBound)
            let upper = range.l_len > 0 ? min(lower + Int(range.l_len), part.upperBound) : part.upperBound
            found += max(upper - lower, 1)
            open.append(part.lowerBound..<lower)
            open.append(max(upper, lower + 1)..<max(part.upperBound, upper, lower + 1))
        }
        return min(found, limit)
    }

    func isStill(at path: String) -> Bool {
        var (held, found) = (stat(), stat())
        return fstat(descriptor, &held) == 0 && stat(path, &found) == 0 && held.st_ino == found.st_ino
            && held.st_dev == found.st_dev
    }

    private static func range(_ kind: Int32, _ bytes: Range<Int>) -> flock {
        var range = flock()
        range.l_type = Int16(kind)
        range.l_whence = Int16(SEEK_SET)
        range.l_start = off_t(bytes.lowerBound)
        range.l_len = off_t(bytes.count)
        return range
    }
}
