import Foundation
import GRDB
import Messages

/// What is read beside the ledger, on a connection of its own and from a thread of its own: it waits for no write, and no write
/// waits for it.
///
/// Only what needs neither keys nor what the ledger has in memory. Everything that opens people's records stays with the ledger:
/// keys are read and overwritten by one thread, so that nobody reads half a slot and takes it for damage; and what is
/// written and what is forgotten meanwhile is seen by the same catalogue. A call is one read transaction over few rows, since
/// an open one keeps the write-ahead log from being emptied. It sees what was committed before it began: whoever asked
/// is answered only if nothing was forgotten in between.
package final class LedgerReader {
    /// Where to read.
    package struct Source: Sendable {
        var database: URL
        var files: LedgerOpenFiles?
    }

    private let queue: DatabaseQueue
    private let source: Source
    /// Set once the files were found to be others: no call succeeds from then on.
    package private(set) var displaced: LedgerError?

    /// To be given up before the ledger is closed.
    package init(_ source: Source) throws {
        self.source = source
        var settings = Configuration()
        settings.readonly = true
        settings.busyMode = .timeout(5)
        queue = try LedgerFiles.mappingErrors(at: source.database.path) {
            try DatabaseQueue(path: source.database.path, configuration: settings)
        }
    }

    /// By shard; without those that are quarantined.
    package func adapters() throws -> [AdapterRecord] { try read(AdapterRecord.all) }

    /// Oldest entry first.
    package func auditLog(after sequence: Int, limit: Int) throws -> [AuditEntry] {
        try read { try AuditEntry.page($0, after: sequence, limit: limit) }
    }

    private func read<Result>(_ work: (Database) throws -> Result) throws -> Result {
        if let displaced { throw displaced }
        do {
            try source.files?.check()
        } catch let error as LedgerError {
            displaced = error
            throw error
        }
        return try LedgerFiles.mappingErrors(at: source.database.path) { try queue.read(work) }
    }
}

extension Ledger {
    package var readerSource: LedgerReader.Source { LedgerReader.Source(database: database, files: files) }
}
