import Foundation
import GRDB
import Messages

/// Single values, stored as JSON.
enum Meta: String {
    case configuration, cluster
    /// In ledgers of earlier versions only.
    case tombstoneKey = "tombstone key"
    case tombstoneKeyCheck = "tombstone key check"
    case promptConfiguration = "prompt configuration"
    case trainingRequested = "training requested"
    case purgePending = "purge pending"
    /// Seconds since 1970: workers' copies of before are not on record. Absent: all are.
    case copiesSince = "copies since"
    /// There is a key folder.
    case keysMade = "keys made"
    /// `AcceptedKeys`, until the audit log says so.
    case acceptedKeys = "accepted keys"
    /// `[KeysPutAside]`
    case keysPutAside = "keys put aside"
    /// `RecordedKeyEpoch`; absent: a release before wrote last.
    case keyEpoch = "key epoch"
    /// A `SignedStatement` of an `AuditHead`: of the last entry of the log.
    case auditHead = "audit head"
    /// Of the last start of a coordinator.
    case generation
    /// The generation of another coordinator that came after the last start.
    case supersededBy = "superseded by"
    case promptsChange = "prompts change"
    /// Values of the embeddings that are there.
    case embeddingWidth = "embedding width"
    /// The greatest `adapters.serial` that was given out.
    case lastAdapter = "last adapter"
    /// Items left the catalogue, and SQLite may have left copies of them.
    case catalogueTraces = "catalogue traces"
    case olderTombstones = "older tombstones"
    /// There are tombstones of whole pairs.
    case wholePairs = "whole pairs"
    /// People were dealt to slices otherwise than by the hash.
    case dealtSlices = "dealt slices"
    /// Another process may have answered.
    case leasesGranted = "leases granted"
    /// Of the last start of a coordinator, a `RecordedStart`.
    case start = "start options"
    /// Ids of workers by the public keys that are bound to them.
    case workerKeys = "worker keys"
    /// How many commits failed and were written over afterwards.
    case failedCommits = "failed commits"

    func value<Value: Decodable>(_ type: Value.Type, _ db: Database) throws -> Value? {
        let row = try Row.fetchOne(db, sql: "SELECT value FROM meta WHERE key = ?", arguments: [rawValue])
        return try row?.json("value", in: "meta")
    }

    /// As it is stored.
    func text(_ db: Database) throws -> Data? {
        try Data.fetchOne(db, sql: "SELECT value FROM meta WHERE key = ?", arguments: [rawValue])
    }

    func set(_ value: some Encodable, _ db: Database) throws {
        try set(text: JSONEncoder.stable.encode(value), db)
    }

    /// - Parameter text: JSON.
    func set(text: Data, _ db: Database) throws {
        try db.execute(sql: "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", arguments: [rawValue, text])
    }

    func remove(_ db: Database) throws {
        try db.execute(sql: "DELETE FROM meta WHERE key = ?", arguments: [rawValue])
    }
}
