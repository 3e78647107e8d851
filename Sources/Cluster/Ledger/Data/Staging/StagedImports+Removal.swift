import Files
import Foundation
import Messages

extension StagedImports {
    /// Deletes an import's files. What was in them is lost once their key is destroyed as well: the caller does that.
    func remove(importID: String) throws {
        let prefix = StagedPlace.prefix(importID)
        let names = try names()
        try LedgerFiles.keepOnly(Set(names.filter { !$0.hasPrefix(prefix) }), in: folder)
    }

    /// Deletes every file but these: also what killed processes left of these imports' batches.
    func keepOnly(files: Set<String>) throws { try LedgerFiles.keepOnly(files, in: folder) }

    /// Deletes files that were written anew: what was in them is lost once their keys are destroyed as well.
    func remove(_ places: [StagedPlace]) throws {
        for place in places {
            guard unlink(place.path) == 0 || errno == ENOENT else {
                throw LedgerError(FileFailure("cannot delete", place.path))
            }
        }
        if !places.isEmpty { try LedgerFiles.synchronise(directory: folder) }
    }

    private func names() throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder.path)
        } catch {
            throw LedgerError.storage(path: folder.path, reason: "cannot list: \(FileFailure.reason(of: error))")
        }
    }
}
