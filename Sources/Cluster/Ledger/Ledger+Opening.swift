import Files
import Foundation
import GRDB
import LanguageModels
import Messages
import Recommendation

extension Ledger {
    static func check(_ configuration: ClusterConfiguration) throws {
        guard configuration.referencePrompts > 0 else {
            throw LedgerError.invalidConfiguration(reason: "there must be at least one reference prompt")
        }
        guard WireLimits.shardCount.contains(configuration.shards) else {
            throw LedgerError.invalidConfiguration(
                reason: "the number of shards must be \(WireLimits.shardCount.inWords), not \(configuration.shards)")
        }
    }

    /// What a failed sync left in memory is not what lies on the disk, and SQLite would take it for committed. Unless the last run
    /// ended in order, both files are read from the disk. (Nobody has them open: whoever closes a file loses SQLite's locks on it.)
    ///
    /// - Parameter isChecked: the file is as it was left, and need not be read through.
    static func open(_ database: URL, isChecked: Bool = false) throws -> DatabaseQueue {
        var settings = Configuration()
        settings.journalMode = .wal
        settings.busyMode = .timeout(5)
        settings.prepareDatabase { db in
            // The first has an effect on a new file only.
            try db.execute(sql: "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA secure_delete = ON")
        }
        try LedgerFiles.makePrivateDatabase(database)
        if !isChecked {
            for file in [database.path, database.path + "-wal"] { LedgerFiles.dropCache(of: file) }
        }
        return try LedgerFiles.mappingErrors(at: database.path) {
            let queue = try DatabaseQueue(path: database.path, configuration: settings)
            // GRDB chooses NORMAL for WAL while it opens; an acknowledged forget must survive a loss of power.
            try queue.writeWithoutTransaction {
                try $0.execute(
                    sql: "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = \(Checkpointer.largestLogPages)")
            }
            if !isChecked {
                let problems = try queue.read { try String.fetchAll($0, sql: "PRAGMA quick_check(3)") }
                guard problems == ["ok"] else {
                    throw LedgerError.corrupt(path: database.path, reason: problems.joined(separator: "; "))
                }
            }
            try LedgerSchema.migrate(queue)
            return queue
        }
    }

    /// Makes or reads what is fixed at the first start.
    static func identify(
        _ db: Database, configuration: ClusterConfiguration
    ) throws -> String {
        if let recorded = try Meta.configuration.value(ClusterConfiguration.self, db) {
            try recorded.requireSame(as: configuration)
            try Meta.configuration.set(configuration, db)
        } else {
            try Meta.configuration.set(configuration, db)
            try Meta.cluster.set(UUID().uuidString.lowercased(), db)
            try makeSummaries(db, shards: configuration.shards)
            try makeReferences(db, most: configuration.referencePrompts)
        }
        guard let cluster = try Meta.cluster.value(String.self, db) else {
            throw LedgerError.corrupt(path: "ledger.sqlite", reason: "the cluster's identity is missing")
        }
        return cluster
    }

    /// Of no prompt.
    static func makeSummaries(_ db: Database, shards: Int) throws {
        let empty = ManifestDigest().hexadecimal
        for shard in 0..<shards {
            try db.execute(
                sql: "INSERT INTO shards (shard, manifest, prompts) VALUES (?, ?, 0)", arguments: [shard, empty])
        }
        for split in Split.allCases {
            try db.execute(
                sql: "INSERT INTO splits (split, prompts, likes, digest) VALUES (?, 0, 0, ?)",
                arguments: [split.rawValue, empty])
        }
    }

    /// Names people anew who were named under a key that is lost. It is one transaction, so that one name tells of all.
    private func makeLookupsAnew() throws {
        let first = try read { try Row.fetchOne($0, sql: "SELECT * FROM people ORDER BY id LIMIT 1").map(open) }
        guard let first, first.lookup != lookup(first.person.name.inTodaysSpelling) else { return }
        try commit { db in
            try forEachPerson(db) { known in
                try db.execute(
                    sql: "UPDATE people SET lookup = ? WHERE id = ?",
                    arguments: [lookup(known.person.name.inTodaysSpelling).bytes, known.id])
            }
        }
    }

    func heal(accepting accepted: AcceptedLosses, at time: Date) throws {
        try settleKeys(accepting: accepted, at: time)
        try sealOlderSums()
        try sealOlderCentres()
        try loseDamagedCentres(at: time)
        _ = try read(catalogue)
        try setDamagedPeopleAside(at: time)
        try recountLostSums(at: time)
        try makeLookupsAnew()
        try sealOlderAdapters()
        try withdrawStagesUnderQuarantine(at: time)
        let pending = try read { try Meta.purgePending.value(Bool.self, $0) ?? false }
        try dropAbandonedImports(at: time)
        try stagedImports.keepOnly(files: read(namesOfBatches))
        try noteOlderTombstones()
        try wrapOlderCertificates(at: time)
        if pending { try purge() } else { try deleteUnnamedAdapterFiles() }
        try dropDamagedAdapters(at: time)
        try endAcceptingMissingKeys()
    }
}
