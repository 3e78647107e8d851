import Foundation
import GRDB

/// Takes over into the database what stands in its write-ahead log, on a connection and a thread of its own.
///
/// SQLite does it in the midst of the commit that makes the log longer than 1,000 pages: one of forty acknowledged forgets waited
/// for the writing and the two syncs of all of them. A checkpoint beside the writer keeps nobody waiting; but while
/// commits follow each other without a pause it never gets to the log's end, so that the log grows. Where it
/// is `largestLogPages` long, the commit does the rest, which is little.
struct Checkpointer {
    /// Commits after which it begins.
    static let commits = 32
    /// 32 MB.
    static let largestLogPages = 8000

    private var waiting = 0
    private var connection: DatabaseQueue?

    /// After every commit.
    mutating func committed(to database: URL) {
        waiting += 1
        guard waiting >= Self.commits else { return }
        waiting = 0
        if connection == nil {
            var settings = Configuration()
            settings.busyMode = .timeout(5)
            connection = try? DatabaseQueue(path: database.path, configuration: settings)
        }
        // One that fails leaves the log as it is: the commit that finds it too long reports what is wrong.
        connection?.asyncWriteWithoutTransaction { _ = try? $0.checkpoint(.passive) }
    }

    /// Waits for the one that is under way: SQLite refuses a checkpoint beside another at once, however long it may wait for
    /// other locks.
    func settle() { connection?.writeWithoutTransaction { _ in } }

    /// Before the ledger's own connection: who closes the database last empties its log.
    mutating func close() {
        try? connection?.close()
        connection = nil
    }
}
