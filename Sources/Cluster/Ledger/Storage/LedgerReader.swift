import Foundation
import GRDB
import Messages
import Recommendation

/// What is read beside the ledger, on a connection of its own and from a thread of its own: it waits for no write, and no write
/// waits for it.
///
/// Only what needs neither keys nor what the ledger has in memory, in one read transaction over few rows each. It sees what was
/// committed before it began: where a forget may have taken something of it away, whoever asked is answered only if none
/// was committed in between.
///
/// Whatever opens people's records (lineage, access, plans of forgets) and the files of adapters stays with the ledger. That
/// none was committed in between would be enough to keep what is forgotten from going out, but not all that is
/// needed:
/// - A slot is overwritten in place, as noise, as zeros and as the next key, without a lock, since one thread uses the
///   folder of keys. A reader beside it would take half a slot for a damaged person, whom the ledger then sets aside.
/// - A slot is another person's soon after. A row of before a commit and a key of after it do not belong together, and
///   nothing but the seal that does not open says so.
/// - An open read transaction keeps the write-ahead log from being emptied, which is to be done before a forget request is
///   finished. Lineage opens everybody's record: as long as it reads, no request would end.
/// - The catalogue, the places of prompts and who is damaged are kept in memory, as of the last write, not of a snapshot.
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

    /// nil before the first import.
    package func promptConfiguration() throws -> PromptConfiguration? {
        try read { try Meta.promptConfiguration.value(PromptConfiguration.self, $0) }
    }

    /// nil: no such request.
    package func evidence(ofForget id: String) throws -> ForgetEvidence? {
        let path = source.database.path
        return try read { try ForgetEvidence.of(request: id, $0, at: path) }
    }

    /// Oldest entry first.
    package func auditLog(after sequence: Int, limit: Int) throws -> [AuditEntry] {
        try read { try AuditEntry.page($0, after: sequence, limit: limit) }
    }

    /// Forget requests in the order in which they came.
    package func requests(_ wanted: ClientRequest.RequestsRequest) throws -> [RequestsReply.Request] {
        try read { try RequestsReply.Request.page($0, wanted) }
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
