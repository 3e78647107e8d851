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

    @Test("A link in the lock's place is not followed")
    func link() throws {
        let path = NSTemporaryDirectory() + "/lethe-lock-\(UUID().uuidString)"
        defer { unlink(path) }
        #expect(symlink("/dev/null", path) == 0)
        #expect(throws: LockFile.Failure.system(FileFailure("cannot open", path, code: ELOOP))) { try LockFile(path) }
    }
}
