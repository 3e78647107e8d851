import GRDB
import Messages

extension Ledger {
    /// Several calls as one transaction, with one commit, one overwriting of keys and one signed head for all of them. Each of the
    /// calls fails alone, as if it had not been made; later ones build on what earlier ones wrote. None may be acknowledged before
    /// this returns.
    ///
    /// - Throws: what kept the transaction from being committed: nothing was written then. What kept its keys from being
    ///   overwritten (`commits` has grown then): all of it was written, and is to be acknowledged only after they are.
    package func together<Result>(_ work: () throws -> Result) throws -> Result {
        guard transaction == nil else { return try work() }
        return try commit { db in
            transaction = db
            defer { transaction = nil }
            let result = try work()
            try requireTransaction(db)
            return result
        }
    }

    /// One call of several.
    func part<Result>(of db: Database, _ work: (Database) throws -> Result) throws -> Result {
        try requireTransaction(db)
        let (keysBefore, followers, head) = (keyChanges, afterCommit.count, sealing.staged)
        let wasAhead = catalogueIsChanging
        hasRunAhead = false
        do {
            let result = try LedgerFiles.mappingErrors(at: database.path) {
                var result: Result?
                try db.inSavepoint {
                    result = try work(db)
                    return .commit
                }
                guard let result else { throw DatabaseError(resultCode: .SQLITE_ABORT) }
                return result
            }
            if !afterWriting.isEmpty { catalogueIsChanging = true }
            for work in afterWriting { work() }
            afterWriting = []
            return result
        } catch {
            if catalogueIsChanging && !wasAhead || hasRunAhead { readAnew() }
            // Reading anew from within the transaction gives what earlier calls wrote, which may yet be undone.
            catalogueIsChanging = true
            afterWriting = []
            afterCommit.removeSubrange(followers...)
            try? keys.destroy(Array(keyChanges.made.dropFirst(keysBefore.made.count)))
            keyChanges = keysBefore
            // What was taken of them sealed what is not to be.
            leaveSpareKeys()
            sealing.staged = head
            throw error
        }
    }

    /// SQLite takes the whole transaction back when, for one, the disk is full; what follows would be committed call by call.
    private func requireTransaction(_ db: Database) throws {
        guard db.isInsideTransaction else {
            throw LedgerError.storage(path: database.path, reason: "the transaction was taken back")
        }
    }
}
