import Crypto
import Files
import Foundation
import GRDB
import LanguageModels
import Messages
import Recommendation
import Unlearning

/// The coordinator's durable store: everything a process needs after a crash, in SQLite.
///
/// Used from one thread. Every mutating call is one transaction (WAL, synchronous=FULL) that also writes an entry of the
/// audit log, and is durable when it returns. When a call throws, nothing of it was written.
///
/// Files, below the data directory: `ledger.sqlite` (with `-wal` and `-shm` while open), `ledger.lock`,
/// `adapters/<content name>.sealed`, `certificate.key` (Ed25519), `tombstone.key` (`TombstoneKey`), `audit.head`
/// (`AuditHead`), and `keys/` (`KeyFolder`), which may lie elsewhere. A copy of the database without the keys recognises
/// nobody and signs nothing; a copy of `audit.head` in other hands shows whether the log was cut or rewritten since. All
/// have mode 0600 and the directories 0700 from their first byte on, whatever the umask; those of an earlier release are
/// tightened when the ledger is opened.
package final class Ledger {
    package let directory: URL
    package let configuration: ClusterConfiguration
    /// Random, made at the first start: names the cluster.
    package let cluster: String

    let queue: DatabaseQueue
    let database: URL
    let adapterDirectory: URL
    /// What workers' disks and the adapters' files are sealed with.
    let keys: KeyFolder
    let signingKey: Curve25519.Signing.PrivateKey
    /// Key of the tombstones and of the names that the audit log uses for people.
    let tombstoneKey: SymmetricKey
    var keyChanges = KeyChanges()
    /// Of committed transactions, and not overwritten yet.
    var obsoleteKeys: [KeyReference] = []
    /// Simulates that the process is killed, for tests.
    package var interrupt: ((CommitStep) throws -> Void)?
    /// The partitions that depend on nobody's data need no record; nil under the others.
    let hashPartition: BalancedPartition?
    /// Dropped by every mutating call.
    var cachedSnapshot: LedgerSnapshot?
    /// `Meta.olderTombstones`, once it was read.
    var olderTombstones: Bool?
    /// Training prompts that one shard may get.
    package var promptsOfAShard = WireLimits.promptsOfAShard
    var cachedShortened: ShortenedPrompts?
    var purgesAtOnce = true
    var sealing = AuditSealing()
    /// Adapters that were found damaged or lost and are still to be taken away (`dropIfDamaged`).
    package var foundDamaged: Set<String> = []
    /// Set once the data directory was found to be another one: no call succeeds from then on.
    package private(set) var displaced: LedgerError?
    private let files: LedgerOpenFiles
    /// Values of an embedding; nil: not known yet, `requireEmbeddings` says it.
    var embeddingWidth: Int?
    /// nil: closed.
    private var lock: LockFile?

    /// How long the batches of an import that nobody continues are kept.
    static let stagingLifetime: TimeInterval = 24 * 3600

    /// Opens the ledger, or makes it at the first start; heals what a crash left behind: adapter files that are not in
    /// the ledger, a forget request whose clean-up did not complete, imports that nobody continued for a day. Reads every
    /// adapter's file: those that are damaged or gone are taken away.
    ///
    /// - `keys`: where the keys lie that adapters and workers' disks are sealed with.
    /// - `accepted`: what the operator said may be missing.
    /// - Throws: `LedgerError.configurationChanged`, `.keyUnusable`, `.olderThanHead`, `.inUse`, `.corrupt`, `.diskFull`, `.storage`.
    package init(
        directory: URL, configuration: ClusterConfiguration, keys options: KeyOptions = KeyOptions(),
        accepting accepted: AcceptedLosses = [], at time: Date = Date()
    ) throws {
        try Ledger.check(configuration)
        try configuration.corrections.check()
        self.directory = directory
        self.configuration = configuration
        hashPartition =
            configuration.partition.isDataDependent
            ? nil
            : try BalancedPartition(
                method: configuration.partition, samples: [], embeddings: [], dimension: 0,
                shards: configuration.shards, seed: configuration.seed)
        database = directory.appendingPathComponent("ledger.sqlite")
        adapterDirectory = directory.appendingPathComponent("adapters")
        try LedgerFiles.makeDirectory(directory)
        try LedgerFiles.makeDirectory(adapterDirectory)
        LedgerFiles.tighten(directory)
        let lock = try LedgerFiles.lock(directory.appendingPathComponent("ledger.lock"))
        let queue = try Ledger.open(database)
        self.queue = queue
        cluster = try LedgerFiles.mappingErrors(at: database.path) {
            try queue.write { try Ledger.identify($0, configuration: configuration) }
        }
        keys = try LedgerFiles.mappingErrors(at: database.path) { [cluster] in
            try KeyFolder.open(
                options, beside: directory, queue, cluster: cluster, acceptsNew: accepted.contains(.keys))
        }
        files = try LedgerOpenFiles(
            lock: lock.descriptor, lockFile: directory.appendingPathComponent("ledger.lock"), database: database)
        let tombstones = try LedgerFiles.mappingErrors(at: database.path) {
            try TombstoneKey.obtain(
                directory.appendingPathComponent(TombstoneKey.file), queue,
                acceptsNew: accepted.contains(.tombstoneKey))
        }
        tombstoneKey = tombstones.key
        let hasNewTombstoneKey = tombstones.isReplacement
        signingKey = try SigningKeyFile.obtain(
            directory.appendingPathComponent(SigningKeyFile.file), queue,
            acceptsNew: accepted.contains(.certificateKey))
        self.lock = lock
        try openHead(accepting: accepted, at: time)
        if hasNewTombstoneKey { _ = try commit { try audit($0, "new tombstone key", [String: Int](), at: time) } }
        try heal(at: time)
    }

    /// Raw Ed25519 public key (32 bytes) that verifies this ledger's certificates.
    package var publicKey: Data { signingKey.publicKey.rawRepresentation }

    /// Closes the database; the ledger must not be used afterwards.
    package func close() throws {
        try sealIfPending()
        try LedgerFiles.mappingErrors(at: database.path) { try queue.close() }
        keys.close()
        lock = nil
    }

    // MARK: opening

    private static func check(_ configuration: ClusterConfiguration) throws {
        guard WireLimits.shardCount.contains(configuration.shards) else {
            throw LedgerError.invalidConfiguration(
                reason: "the number of shards must be \(WireLimits.shardCount.inWords), not \(configuration.shards)")
        }
    }

    private static func open(_ database: URL) throws -> DatabaseQueue {
        var settings = Configuration()
        settings.journalMode = .wal
        settings.busyMode = .timeout(5)
        settings.prepareDatabase { db in
            try db.execute(sql: "PRAGMA secure_delete = ON")
        }
        try LedgerFiles.makePrivateDatabase(database)
        return try LedgerFiles.mappingErrors(at: database.path) {
            let queue = try DatabaseQueue(path: database.path, configuration: settings)
            // GRDB chooses NORMAL for WAL while it opens; an acknowledged forget must survive a loss of power.
            try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            let problems = try queue.read { try String.fetchAll($0, sql: "PRAGMA quick_check(3)") }
            guard problems == ["ok"] else {
                throw LedgerError.corrupt(path: database.path, reason: problems.joined(separator: "; "))
            }
            try LedgerSchema.migrator.migrate(queue)
            return queue
        }
    }

    /// Makes or reads what is fixed at the first start.
    private static func identify(
        _ db: Database, configuration: ClusterConfiguration
    ) throws -> String {
        if let recorded = try Meta.configuration.value(ClusterConfiguration.self, db) {
            try recorded.requireSame(as: configuration)
            try Meta.configuration.set(configuration, db)
        } else {
            try Meta.configuration.set(configuration, db)
            try Meta.cluster.set(UUID().uuidString.lowercased(), db)
            let empty = ShardManifest(entries: []).digest
            for shard in 0..<configuration.shards {
                try db.execute(
                    sql: "INSERT INTO shards (shard, manifest, prompts) VALUES (?, ?, 0)", arguments: [shard, empty])
            }
            for split in Split.allCases {
                try db.execute(
                    sql: "INSERT INTO splits (split, prompts, digest) VALUES (?, 0, ?)",
                    arguments: [split.rawValue, empty])
            }
        }
        guard let cluster = try Meta.cluster.value(String.self, db) else {
            throw LedgerError.corrupt(path: "ledger.sqlite", reason: "the cluster's identity is missing")
        }
        return cluster
    }

    private func heal(at time: Date) throws {
        try settleKeys()
        try sealOlderAdapters()
        let abandoned = time.addingTimeInterval(-Ledger.stagingLifetime)
        let (pending, stale) = try read { db in
            (
                try Meta.purgePending.value(Bool.self, db) ?? false,
                try String.fetchAll(
                    db, sql: "SELECT import FROM staged_batches GROUP BY import HAVING MAX(time) < ? ORDER BY import",
                    arguments: [abandoned.milliseconds])
            )
        }
        for id in stale { try abandonImport(importID: id, at: time) }
        try noteOlderSpellings()
        try wrapOlderCertificates(at: time)
        try applyTitleBudget(at: time)
        if pending { try purge() } else { try deleteUnnamedAdapterFiles() }
        try dropDamagedAdapters(at: time)
    }

    // MARK: transactions

    /// A setting of the database connection, for tests.
    package func setting(_ name: String) throws -> String? {
        try read { try String.fetchOne($0, sql: "PRAGMA \(name)") }
    }

    /// What somebody with another SQLite client reads in the file, for tests: the first column of the rows, as text.
    package func inspect(_ sql: String) throws -> [String] {
        try read { try String.fetchAll($0, sql: sql) }
    }

    /// What somebody with another SQLite client could do to the file, for tests.
    package func tamper(_ sql: String) throws {
        try commit { try $0.execute(sql: sql) }
    }

    /// Every column of every table, for tests.
    package func columns() throws -> [(table: String, column: String)] {
        try read { db in
            try Row.fetchAll(
                db,
                sql: """
                    SELECT m.name AS "table", p.name AS "column" FROM sqlite_master m JOIN pragma_table_info(m.name) p
                    WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE 'grdb%' ORDER BY 1, p.cid
                    """
            ).map { (try $0.value("table", in: "sqlite_master"), try $0.value("column", in: "sqlite_master")) }
        }
    }

    /// Runs work as if the process were killed right after each commit, before its clean-up; for tests.
    package func withoutPurging(_ work: () throws -> Void) rethrows {
        purgesAtOnce = false
        defer { purgesAtOnce = true }
        try work()
    }

    /// Makes the disk look full beyond this many more pages of the database, for tests.
    package func limitGrowth(toPages pages: Int) throws {
        try read { db in
            let now = try Int.fetchOne(db, sql: "PRAGMA page_count") ?? 0
            try db.execute(sql: "PRAGMA max_page_count = \(now + pages)")
        }
    }

    func read<Result>(_ work: (Database) throws -> Result) throws -> Result {
        try requireSameFiles()
        return try LedgerFiles.mappingErrors(at: database.path) { try queue.read(work) }
    }

    /// One transaction. What went into files that no name leads to any more is not acknowledged, nor is what gave up keys that
    /// could not be overwritten.
    func commit<Result>(_ work: (Database) throws -> Result) throws -> Result {
        try requireSameFiles()
        cachedSnapshot = nil
        cachedShortened = nil
        sealing.staged = nil
        let result = try writingKeys { db in
            let result = try work(db)
            try interrupt?(.beforeCommit)
            return result
        }
        obsoleteKeys += keyChanges.obsolete
        try interrupt?(.afterCommit)
        try destroyObsoleteKeys()
        try interrupt?(.afterKeys)
        try requireSameFiles()
        sealIfDue()
        return result
    }

    func requireSameFiles() throws {
        if let displaced { throw displaced }
        do {
            try files.check()
        } catch let error as LedgerError {
            displaced = error
            throw error
        }
    }
}
