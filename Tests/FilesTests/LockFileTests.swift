import Files
import Foundation
import Testing

@Suite("Lock files")
struct LockFileTests {
    @Test("A file is locked once, until the lock goes; a file that nobody made is not locked")
    func exclusive() throws {
        let path = NSTemporaryDirectory() + "/lethe-lock-\(UUID().uuidString)"
        defer { unlink(path) }
        #expect(throws: LockFile.Failure.vanished) { try LockFile(path, makesFile: false) }
        var lock: LockFile? = try LockFile(path)
        #expect(throws: LockFile.Failure.inUse) { try LockFile(path) }
        withExtendedLifetime(lock) {}
        lock = nil
        #expect(throws: Never.self) { try LockFile(path, makesFile: false) }
    }

    @Test("A lock that is given up is free at once, also where a child still has its descriptor")
    func inherited() throws {
        let path = NSTemporaryDirectory() + "/lethe-lock-\(UUID().uuidString)"
        defer { unlink(path) }
        var lock: LockFile? = try LockFile(path)
        // The same open file, as in a child between fork and exec.
        let inherited = dup(try #require(lock).descriptor)
        defer { close(inherited) }
        withExtendedLifetime(lock) {}
        lock = nil
        #expect(throws: Never.self) { try LockFile(path) }
    }

    @Test("A link in the lock's place is not followed")
    func link() throws {
        let path = NSTemporaryDirectory() + "/lethe-lock-\(UUID().uuidString)"
        defer { unlink(path) }
        #expect(symlink("/dev/null", path) == 0)
        #expect(throws: LockFile.Failure.system(FileFailure("cannot open", path, code: ELOOP))) { try LockFile(path) }
    }

    @Test("A lock that cannot be had closes its own file only, not one that another thread opens at the same time")
    func closesOnce() async throws {
        let path = NSTemporaryDirectory() + "/lethe-lock-\(UUID().uuidString)"
        defer { unlink(path) }
        let lock = try LockFile(path)
        await withTaskGroup(of: Int.self) { group in
            for _ in 0..<2 {
                group.addTask {
                    for _ in 0..<20_000 { _ = try? LockFile(path) }
                    return 0
                }
                group.addTask {
                    (0..<20_000).count { _ in
                        let file = open("/dev/null", O_RDONLY | O_CLOEXEC)
                        return file >= 0 && close(file) != 0
                    }
                }
            }
            for await closedByOthers in group { #expect(closedByOthers == 0) }
        }
        withExtendedLifetime(lock) {}
    }
}
