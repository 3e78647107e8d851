import Files
import Foundation

/// A list of keys on disk, for whoever changes it.
package struct AllowListFile: Sendable {
    /// Where links lead to: what they lead to is replaced, not they.
    private let path: String
    private let named: String

    package init(_ path: String) {
        named = path
        self.path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    }

    /// Reads the list, changes it and replaces the file, whole or not at all; owner and mode stay. Of several that would do so at
    /// once one does.
    ///
    /// - `makesFile`: whether it may be a new one.
    /// - Throws: `AllowListError`, `FileFailure`, and what the body throws: then nothing is changed.
    package func change<Value>(makesFile: Bool, _ body: (inout AllowListText) throws -> Value) throws -> Value {
        let lock = try lock()
        return try withExtendedLifetime(lock) {
            // Whoever waits for a lock that is gone takes the next one.
            defer { unlink(path + ".lock") }
            var status = stat()
            let isThere = stat(path, &status) == 0
            guard isThere || makesFile else { throw AllowListError(path: named, "there is no such file") }
            var text = isThere ? try AllowSources.text(of: path) : AllowListText()
            let before = text.text
            let value: Value
            do {
                value = try body(&text)
            } catch let error as AllowListError {
                throw AllowListError(path: named, line: error.line, error.reason)
            }
            if !isThere || !text.text.utf8.elementsEqual(before.utf8) {
                try replace(by: text, belongingAs: isThere ? status : nil)
            }
            return value
        }
    }

    private func replace(by text: AllowListText, belongingAs before: stat?) throws {
        // Of one that was killed here: it may be another user's.
        unlink(path + AtomicFile.temporarySuffix)
        do {
            try AtomicFile.write(to: path) { writer throws(FileFailure) in
                // Whoever could read it can, from its first moment under this name on.
                if let before { try writer.belong(as: before) }
                try writer.put(Array(text.text.utf8))
            }
        } catch {
            guard before != nil, error.code == EPERM else { throw error }
            throw AllowListError(
                path: named, "it is another user's or group's, whose it has to stay, and this user cannot give it back")
        }
    }

    private func lock() throws -> LockFile {
        let deadline = ContinuousClock.now + .seconds(5)
        while true {
            do throws(LockFile.Failure) {
                return try LockFile(path + ".lock")
            } catch {
                switch error {
                case .system(let failure): throw failure
                case .inUse, .vanished:
                    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
                    guard FileManager.default.fileExists(atPath: folder) else {
                        throw AllowListError(path: named, "there is no such folder")
                    }
                    guard ContinuousClock.now < deadline else {
                        throw AllowListError(path: named, "somebody else is changing it; try again")
                    }
                    Thread.sleep(forTimeInterval: 0.05)
                }
            }
        }
    }
}
