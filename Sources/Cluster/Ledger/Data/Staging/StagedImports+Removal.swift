import Foundation
import Messages

extension StagedImports {
    /// Deletes an import's files. What was in them is lost once their key is destroyed as well: the caller does that.
    func remove(importID: String) throws {
        let prefix = StagedPlace.prefix(importID)
        let names = try names()
        try LedgerFiles.keepOnly(Set(names.filter { !$0.hasPrefix(prefix) }), in: folder)
    }

    /// Deletes every other file in the folder, and what killed processes left of these imports' files.
    func keepOnly(imports: Set<String>) throws {
        let prefixes = Set(imports.map(StagedPlace.prefix))
        let kept = try names().filter { name in
            StagedPlace.isBatch(name) && prefixes.contains { name.hasPrefix($0) }
        }
        try LedgerFiles.keepOnly(Set(kept), in: folder)
    }

    private func names() throws -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder.path)
        } catch {
            throw LedgerError.storage(path: folder.path, reason: "cannot list: \(error.localizedDescription)")
        }
    }
}
