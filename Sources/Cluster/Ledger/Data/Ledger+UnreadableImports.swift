import Foundation
import GRDB
import Messages

extension LedgerError {
    /// Whether what is staged of an import cannot be read: it can never be taken in.
    var isOfUnreadableImport: Bool {
        switch self {
        case .unknownImport, .corrupt: true
        default: false
        }
    }
}

extension Ledger {
    /// Does what has to know who and what is staged. An import in progress with a batch that is missing or does not open, or
    /// whose key is lost, can never be taken in: it is dropped, and the work is done anew, so that nobody's request waits for one
    /// that nobody can finish. In `together` both are of the one transaction.
    func droppingUnreadableImports<Result>(at time: Date, _ work: () throws -> Result) throws -> Result {
        while true {
            do {
                return try work()
            } catch let error as LedgerError {
                // One less every time.
                guard let importID = try unreadableImport(error) else { throw error }
                try abandonImport(importID: importID, at: time)
            }
        }
    }

    /// nil: the error says nothing of the kind.
    private func unreadableImport(_ error: LedgerError) throws -> String? {
        func first(where isMeant: (String) -> Bool) throws -> String? {
            let all = try read { try String.fetchAll($0, sql: "SELECT import FROM imports ORDER BY import") }
            return all.first(where: isMeant)
        }
        switch error {
        case .unknownImport(let id): return try first { $0 == id }
        case .corrupt(let path, _) where path.hasSuffix(StagedPlace.suffix):
            let name = URL(fileURLWithPath: path).lastPathComponent
            return try first { name.hasPrefix(StagedPlace.prefix($0)) }
        default: return nil
        }
    }
}
