import Foundation
import GRDB
import Messages

/// What a start went by that is no part of the cluster's configuration: hints for the next one.
package struct RecordedStart: Codable, Hashable, Sendable {
    /// An absolute path.
    package var model: String?
    /// `DoubleCheckRule.text`.
    package var doubleCheck: String?
    /// An absolute path; nil: beside the data.
    package var keysDirectory: String?
    /// Workers that there should be; nil: nobody said.
    package var expectedWorkers: Int?

    package init(
        model: String? = nil, doubleCheck: String? = nil, keysDirectory: String? = nil, expectedWorkers: Int? = nil
    ) {
        self.model = model
        self.doubleCheck = doubleCheck
        self.keysDirectory = keysDirectory
        self.expectedWorkers = expectedWorkers
    }
}

/// What a data directory says of how its coordinator was started last.
package struct RecordedConfiguration: Sendable {
    package var cluster: ClusterConfiguration
    package var start: RecordedStart
    /// The cluster's id.
    package var name: String?

    package init(cluster: ClusterConfiguration, start: RecordedStart, name: String?) {
        self.cluster = cluster
        self.start = start
        self.name = name
    }
}

extension Ledger {
    /// Reads what is on record without opening the ledger: needs no keys and no model, and changes nothing.
    ///
    /// - Returns: nil where no cluster was started yet.
    /// - Throws: `LedgerError.inUse` while a coordinator has the directory, `.corrupt`, `.storage`.
    package static func recorded(in directory: URL) throws -> RecordedConfiguration? {
        let database = directory.appendingPathComponent("ledger.sqlite")
        guard FileManager.default.fileExists(atPath: database.path) else { return nil }
        let lock = try LedgerFiles.lock(directory.appendingPathComponent("ledger.lock"))
        return try withExtendedLifetime(lock) {
            // A reader of SQLite's makes them where they are not, and leaves them. They go while the lock is still held: after
            // that they may be a coordinator's.
            let made = ["-wal", "-shm"].map { database.path + $0 }
                .filter { !FileManager.default.fileExists(atPath: $0) }
            defer { for file in made { unlink(file) } }
            return try LedgerFiles.mappingErrors(at: database.path) {
                var settings = Configuration()
                settings.readonly = true
                settings.busyMode = .timeout(5)
                let queue = try DatabaseQueue(path: database.path, configuration: settings)
                let found = try queue.read { db -> RecordedConfiguration? in
                    // A first start that was killed may have left a file without anything in it.
                    guard try db.tableExists("meta"),
                        let cluster = try Meta.configuration.value(ClusterConfiguration.self, db)
                    else { return nil }
                    return RecordedConfiguration(
                        cluster: cluster, start: try Meta.start.value(RecordedStart.self, db) ?? RecordedStart(),
                        name: try Meta.cluster.value(String.self, db))
                }
                try queue.close()
                return found
            }
        }
    }

    /// Remembers what this start goes by.
    package func record(_ start: RecordedStart) throws {
        guard try read({ try Meta.start.value(RecordedStart.self, $0) }) != start else { return }
        try commit { try Meta.start.set(start, $0) }
    }
}
