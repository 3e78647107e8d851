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
/// Used from one thread. Every mutating call is one transaction (WAL, synchronous=FULL) and durable when it returns; several
/// may share one (`together`). What was asked for and what was trained leaves an entry of the audit log in the same
/// transaction; pieces of it (batches of an import, rows of margins) do not. When a call throws, nothing of it was written; where
/// the disk failed at the very commit, a kill may bring it back, and whole (`overwriteFailedCommit`).
///
/// Files, below the data directory: `ledger.sqlite` (with `-wal` and `-shm` while open), `ledger.lock`, `imports/` (batches of
/// imports in progress, sealed), `adapters/<content name>.sealed`, `certificate.key` (Ed25519), `tombstone.key`
/// (`TombstoneKey`), `audit.head` (`AuditHead`), `ledger.closed` (`CleanEnd`), and `keys/` (`KeyFolder`), which may lie elsewhere. A copy of the database without the keys recognises
/// nobody and signs nothing; a copy of `audit.head` in other hands shows whether the log was cut or rewritten since. All
/// have mode 0600 and the directories 0700 from their first byte on, whatever the umask; those of an earlier release are
/// tightened when the ledger is opened.
package final class Ledger {
    package let directory: URL
    package let configuration: ClusterConfiguration
    /// Random, made at the first start: names the cluster.
    package let cluster: String

    private(set) var queue: DatabaseQueue
    let database: URL
    let adapterDirectory: URL
    /// What people's records, workers' disks and the adapters' files are sealed with.
    let keys: KeyFolder
    let signingKey: Curve25519.Signing.PrivateKey
    /// Key of the tombstones and of the names that the audit log uses for people.
    let tombstoneKey: SymmetricKey
    /// Key of `PersonLookup`.
    let lookupKey: SymmetricKey
    let stagedImports: StagedImports
    /// Who has rows in an import in progress, as far as it was asked for.
    var stagedPeople: [String: Set<PersonLookup>] = [:]
    /// Where the portions of imports under way go on.
    var readers: [String: KeptReader] = [:]
    /// What imports under way name, as far as it was asked for.
    var takenItems: [String: Set<String>] = [:]
    /// What imports under way draw negatives from.
    var takenPools: [String: NegativePool] = [:]
    /// nil: to be read.
    var cachedCatalogue: Catalogue?
    /// A transaction changed the catalogue in memory, and may yet fail.
    var catalogueIsChanging = false
    /// People whose record did not open when the catalogue was read.
    var damagedPeople: [Int64] = []
    var places = PromptPlaces()
    /// A call changed what is in memory before it was made to its end.
    var hasRunAhead = false
    /// What follows once the transaction that is under way is committed.
    var afterCommit: [() -> Void] = []
    /// What follows in memory once the write that is under way is made: later ones of the same transaction build on it. If that
    /// is not committed, all of it is read anew.
    var afterWriting: [() -> Void] = []
    /// The transaction that calls are part of (`together`); nil: each is one of its own.
    var transaction: Database?
    /// The last forget request whose traces the last purge removed; nil: not known, since the start.
    var purgedRequest: Int64?
    /// Transactions that were committed since the ledger was opened.
    package var commits = 0
    var keyChanges = KeyChanges()
    /// Of committed transactions, and not overwritten yet.
    var obsoleteKeys: [KeyReference] = []
    /// Of the transaction that is under way, where it touches keys.
    var stagedEpoch: KeyEpoch?
    /// Committed, and not in the key folder yet.
    var unwrittenEpoch: KeyEpoch?
    /// Made by transactions whose commit failed, which may come back with them after a kill (`overwriteFailedCommit`).
    var doubtfulKeys: [KeyReference] = []
    /// Keys that were put aside and were not known to be gone when the ledger was opened.
    var keysAside: [KeysPutAside] = []
    /// Paths that somebody said at this start were destroyed, and of which nothing is on record.
    var destroyedBefore: [String] = []
    /// By this start.
    var acceptedKeys: AcceptedKeys?
    /// Simulates that the process is killed, for tests.
    package var interrupt: ((CommitStep) throws -> Void)?
    /// Simulates that a commit lies on the disk and was reported as failed, for tests.
    package var failCommit: (() throws -> Void)?
    /// The partitions that depend on nobody's data need no record; nil under the others.
    let hashPartition: BalancedPartition?
    /// As it was when it was asked for last; nil: to be read whole.
    var cachedSnapshot: KnownSnapshot?
    var knownStageData: KnownStageData?
    /// `Meta.olderTombstones`, once it was read.
    var olderTombstones: Bool?
    /// Training prompts that one shard may get.
    package var promptsOfAShard = WireLimits.promptsOfAShard
    /// nil: to be counted, by reading everybody's prompts.
    var cachedShortened: ShortenedPrompts?
    /// nil: to be counted.
    var tombstoneCount: Int?
    /// The last that was read, with its bytes.
    var knownPrompts: (text: Data, value: PromptConfiguration)?
    var sealing = AuditSealing()
    var headPlaces = AuditHeadPlaces()
    private(set) var checkpointer = Checkpointer()
    /// By forgets since `takeTouched`, also by those that were not committed.
    var touched = ForgottenBasis()
    /// Under way.
    var peopleReadings: [any PeopleWatching] = []
    /// Counts writes of people's records since the ledger was opened, also of those that were not committed: what was made of
    /// them before another number is not told any more.
    package internal(set) var peopleRevision = 0
    /// The same of forget requests that found something.
    package internal(set) var forgetRevision = 0
    /// Counts what prompts call items otherwise.
    var namesRevision = 0
    /// The same, for whoever computes something of prompts.
    var forgottenLately = ForgottenLately()
    /// Adapters that were found damaged or lost and are still to be taken away (`dropIfDamaged`).
    package var foundDamaged: Set<String> = []
    /// Set once the data directory was found to be another one: no call succeeds from then on.
    package private(set) var displaced: LedgerError?
    /// nil: while it is being opened.
    private(set) var files: LedgerOpenFiles?
    /// Values of an embedding; nil: not known yet, `requireEmbeddings` says it.
    var embeddingWidth: Int?
    /// nil: closed.
    private var lock: LockFile?

    /// How long the batches of an import that nobody continues are kept, in seconds. A client sends one again at once, or has
    /// given up.
    package static let stagingLifetime: TimeInterval = 3600

    /// Opens the ledger, or makes it at the first start; heals what a crash left behind: adapter files that are not in
    /// the ledger, a forget request whose clean-up did not complete, imports that nobody continued for an hour. Reads every
    /// adapter's file: those that are damaged or gone are taken away.
    ///
    /// - `keys`: where the keys lie that people's records, adapters and workers' disks are sealed with.
    /// - `accepted`: what the operator said may be missing.
    /// - `interrupt`: as the property, from the first commit on.
    /// - Throws: `LedgerError.configurationChanged`, `.keyUnusable`, `.olderThanHead`, `.inUse`, `.corrupt`, `.diskFull`, `.storage`.
    package init(
        directory: URL, configuration: ClusterConfiguration, keys options: KeyOptions = KeyOptions(),
        accepting accepted: AcceptedLosses = [], at time: Date = Date(),
        interrupt: ((CommitStep) throws -> Void)? = nil
    ) throws {
        try Ledger.check(configuration)
        try configuration.corrections.check()
        self.directory = directory
        self.configuration = configuration
        self.interrupt = interrupt
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
        try RecordMigration.removeLeftovers(beside: database)
        let queue = try Ledger.open(database, isChecked: CleanEnd.take(of: database))
        let cluster = try LedgerFiles.mappingErrors(at: database.path) {
            try queue.write { try Ledger.identify($0, configuration: configuration) }
        }
        self.cluster = cluster
        let isOlder = try LedgerSchema.isOlder(queue)
        keys = try LedgerFiles.mappingErrors(at: database.path) {
            try KeyFolder.open(
                options, beside: directory, queue, cluster: cluster, acceptsNew: accepted.contains(.keys))
        }
        let tombstones = try LedgerFiles.mappingErrors(at: database.path) {
            try TombstoneKey.obtain(
                directory.appendingPathComponent(TombstoneKey.file), queue,
                acceptsNew: accepted.contains(.tombstoneKey))
        }
        tombstoneKey = tombstones.key
        lookupKey = tombstones.key.derived(for: "look-up")
        signingKey = try SigningKeyFile.obtain(
            directory.appendingPathComponent(SigningKeyFile.file), queue,
            acceptsNew: accepted.contains(.certificateKey))
        stagedImports = try StagedImports(folder: directory.appendingPathComponent("imports"))
        self.queue = queue
        if isOlder { try sealRecords() }
        files = try LedgerOpenFiles(
            lock: lock.descriptor, lockFile: directory.appendingPathComponent("ledger.lock"), database: database)
        self.lock = lock
        try openHead(accepting: accepted, at: time)
        if isOlder { _ = try commit { try audit($0, "records sealed", [String: Int](), at: time) } }
        if tombstones.isReplacement {
            _ = try commit { try audit($0, "new tombstone key", [String: Int](), at: time) }
        }
        try Ledger.requireGone(options.destroyed)
        let areReplaced = try keysWereReplaced()
        try heal(accepting: areReplaced ? accepted.union([.keys]) : accepted, at: time)
        try auditAcceptedKeys(areReplaced, at: time)
        try settleKeysPutAside(destroyed: options.destroyed, at: time)
    }

    /// Raw Ed25519 public key (32 bytes) that verifies this ledger's certificates.
    package var publicKey: Data { signingKey.publicKey.rawRepresentation }

    /// Closes the database; the ledger must not be used afterwards.
    package func close() throws {
        try sealIfPending()
        let isOurs = (try? requireSameFiles()) != nil
        // What fails is made up for at the next start.
        if isOurs { try? destroyObsoleteKeys() }
        checkpointer.close()
        try LedgerFiles.mappingErrors(at: database.path) { try queue.close() }
        if isOurs { CleanEnd.note(of: database) }
        keys.close()
        lock = nil
    }

    /// Takes the people of an older file over into a new one, which takes its place.
    private func sealRecords() throws {
        let old = queue
        queue = try Ledger.open(RecordMigration.newFile(beside: database))
        _ = try old.read { old in try writingKeys { try takeOver(old, into: $0) } }
        try queue.writeWithoutTransaction { _ = try $0.checkpoint(.truncate) }
        try queue.close()
        try old.writeWithoutTransaction { _ = try $0.checkpoint(.full) }
        try RecordMigration.holdLog(of: database)
        try old.close()
        try RecordMigration.exchange(database)
        queue = try Ledger.open(database)
        // Of somebody who was made twice, and of nobody: they have no owner.
        obsoleteKeys += keyChanges.obsolete
    }

    // MARK: transactions

    /// Nobody else has the file open, and one thread uses the ledger: what is read belongs together. (GRDB's `read` sets
    /// `query_only` and takes it back, and SQLite prepares every statement anew after either.)
    func read<Result>(_ work: (Database) throws -> Result) throws -> Result {
        if let transaction {
            return try LedgerFiles.mappingErrors(at: database.path) { try work(transaction) }
        }
        try requireSameFiles()
        return try LedgerFiles.mappingErrors(at: database.path) { try queue.unsafeRead(work) }
    }

    /// One transaction, or a part of one that fails alone (`together`). What went into files that no name leads to any more is
    /// not acknowledged, nor is what gave up keys that could not be overwritten.
    func commit<Result>(_ work: (Database) throws -> Result) throws -> Result {
        if transaction != nil { return try writingKeys(work) }
        try requireSameFiles()
        sealing.staged = nil
        let result = try writingKeys { db in
            let result = try work(db)
            try signHead(db)
            try interrupt?(.beforeCommit)
            return result
        }
        obsoleteKeys += keyChanges.obsolete
        try interrupt?(.afterCommit)
        try destroyObsoleteKeys()
        try interrupt?(.afterKeys)
        try requireSameFiles()
        sealIfDue()
        checkpointer.committed(to: database)
        return result
    }

    func requireSameFiles() throws {
        if let displaced { throw displaced }
        do {
            try files?.check()
        } catch let error as LedgerError {
            displaced = error
            throw error
        }
    }
}
