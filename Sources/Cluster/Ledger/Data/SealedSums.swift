import Crypto
import Files
import Foundation
import GRDB
import Messages
import Recommendation

/// What the names of manifests are the hashes of (`ManifestDigest`), of each shard, each split and the reference prompts: so
/// that a change costs what it changes, and not everybody's prompts.
///
/// One of before taken from one of after is the sum of what came or went, and whoever guesses prompts finds out which. So each
/// lies sealed under a key of its own, which goes with every transaction that takes something out. What came in under a key
/// goes out with it: a key that still exists opens sums of prompts that are still there, and none of others.
extension Ledger {
    /// What is on record; nil: the sum is lost, with its key or otherwise, and has to be counted anew.
    ///
    /// - Throws: `LedgerError.unknownShard`
    func summary(of place: Summaries.Place, _ db: Database) throws -> Summaries.Summary? {
        guard let row = try Row.fetchOne(db, sql: place.select, arguments: place.arguments) else {
            if let shard = place.shard { throw LedgerError.unknownShard(shard) }
            return Summaries.Summary()
        }
        let prompts = try row.count("prompts", in: place.table)
        guard prompts > 0 else { return Summaries.Summary() }
        guard let digest = try sum(of: place, db), try digest.hexadecimal == row.value("name", in: place.table) else {
            return nil
        }
        return Summaries.Summary(digest: digest, prompts: prompts, likes: try row.count("likes", in: place.table))
    }

    /// What the manifest is called by; nil: there is none.
    func name(of place: Summaries.Place, _ db: Database) throws -> String? {
        try Row.fetchOne(db, sql: place.select, arguments: place.arguments)
            .map { try $0.value("name", in: place.table) }
    }

    /// How many reference prompts there are, and what their manifest is called by.
    func references(_ db: Database) throws -> (prompts: Int, digest: String) {
        let (place, table) = (Summaries.Place.references, Summaries.Place.references.table)
        guard let row = try Row.fetchOne(db, sql: place.select) else { return (0, ManifestDigest().hexadecimal) }
        return (try row.count("prompts", in: table), try row.value("name", in: table))
    }

    func write(
        _ summary: Summaries.Summary, called name: String, of place: Summaries.Place, _ db: Database
    ) throws {
        let counts: StatementArguments = [name, summary.prompts, summary.likes]
        switch place {
        case .shard:
            try db.execute(
                sql: "UPDATE shards SET manifest = ?, prompts = ?, likes = ? WHERE shard = ?",
                arguments: counts + place.arguments)
        case .split:
            try db.execute(
                sql: "UPDATE splits SET digest = ?, prompts = ?, likes = ? WHERE split = ?",
                arguments: counts + place.arguments)
        case .references:
            try db.execute(
                sql: "UPDATE reference_prompts SET digest = ?, prompts = ?", arguments: [name, summary.prompts])
        }
    }

    /// Where nothing is left, nothing is kept.
    func seal(_ sums: [(place: Summaries.Place, summary: Summaries.Summary)], _ db: Database) throws {
        var kept: [Summaries.Place: (reference: KeyReference, key: SymmetricKey)] = [:]
        for (place, summary) in sums {
            guard let reference = try reference(ofSum: place, db) else { continue }
            if summary.prompts > 0, !summary.isReduced, let key = try livingKey(reference) {
                kept[place] = (reference, key)
            } else {
                keyChanges.obsolete.append(reference)
            }
        }
        var made = try takeKeysOfSums(sums.count { $0.summary.prompts > 0 && kept[$0.place] == nil })
        for (place, summary) in sums {
            guard summary.prompts > 0 else {
                try db.execute(sql: "DELETE FROM sums WHERE place = ?", arguments: [place.name])
                continue
            }
            guard let owned = kept[place] ?? made.popLast() else {
                throw LedgerError.storage(path: keys.folder.path, reason: "no key was made")
            }
            try insert(sum: summary.digest.bytes, of: place.name, owned, db)
        }
    }

    /// Counts anew what is lost: of an older database beside today's keys, with a damaged slot, or with new keys.
    func recountLostSums(at time: Date) throws {
        let lost = try read { db in
            let shards = try Int.fetchAll(db, sql: "SELECT shard FROM shards ORDER BY shard")
            let places = shards.map { Summaries.Place.shard($0) } + Split.allCases.map { .split($0) } + [.references]
            return try places.filter { try summary(of: $0, db) == nil }
        }
        guard !lost.isEmpty else { return }
        try commit { db in
            var summaries = Summaries()
            for place in lost { try summaries.touch(place, self, db) }
            for shard in try write(summaries, db) { try giveUpCorrection(shard: shard, .dataChanged, at: time, db) }
        }
    }

    /// Seals what a release before left in clear. SQLite leaves copies of a row that moves between pages: all pages of the table
    /// go, overwritten, before any is written, and the purge that follows empties the log.
    func sealOlderSums() throws {
        let older = "FROM sums WHERE slot IS NULL"
        guard try read({ try Bool.fetchOne($0, sql: "SELECT EXISTS (SELECT 1 \(older))") }) == true else { return }
        try commit { db in
            // What cannot be read is counted anew.
            let rows = try Row.fetchAll(db, sql: "SELECT place, sum \(older) ORDER BY place")
            let sums: [(place: String, sum: Data)] = rows.compactMap { row in
                guard let place: String = try? row.value("place", in: "sums"),
                    let sum: Data = try? row.value("sum", in: "sums")
                else { return nil }
                return (place, sum)
            }
            // So are the others, if a file is damaged that has any.
            for row in try Row.fetchAll(db, sql: "SELECT slot, key FROM sums WHERE slot IS NOT NULL") {
                if let reference = KeyReference(readable: row) { keyChanges.obsolete.append(reference) }
            }
            try db.execute(sql: "DELETE FROM sums")
            for (sum, made) in zip(sums, try takeKeysOfSums(sums.count)) {
                try insert(sum: sum.sum, of: sum.place, made, db)
            }
            try Meta.purgePending.set(true, db)
        }
    }

    /// nil: it is not there, or its key is not, or it does not open.
    private func sum(of place: Summaries.Place, _ db: Database) throws -> ManifestDigest? {
        guard let row = try row(ofSum: place, db), let key = try KeyReference(readable: row).flatMap(livingKey),
            let sealed: Data = try? row.value("sum", in: "sums")
        else { return nil }
        return (try? SealedBytes.open(sealed, key: key, context: Self.context(ofSum: place.name)))
            .flatMap { ManifestDigest(bytes: $0) }
    }

    private func reference(ofSum place: Summaries.Place, _ db: Database) throws -> KeyReference? {
        try row(ofSum: place, db).flatMap { KeyReference(readable: $0) }
    }

    private func row(ofSum place: Summaries.Place, _ db: Database) throws -> Row? {
        try Row.fetchOne(
            db, sql: "SELECT slot, key, sum FROM sums WHERE place = ? AND slot IS NOT NULL", arguments: [place.name])
    }

    private func insert(
        sum: Data, of place: String, _ owned: (reference: KeyReference, key: SymmetricKey), _ db: Database
    ) throws {
        try db.execute(
            sql: "INSERT OR REPLACE INTO sums (place, slot, key, sum) VALUES (?, ?, ?, ?)",
            arguments: [
                place, owned.reference.slot, owned.reference.id,
                try Self.sealed(sum, owned.key, Self.context(ofSum: place)),
            ])
    }

    private static func context(ofSum place: String) -> String { "sum of \(place)" }
}

extension Summaries.Place {
    /// In `sums`.
    fileprivate var name: String {
        switch self {
        case .shard(let shard): "shard \(shard)"
        case .split(let split): "split \(split.rawValue)"
        case .references: "references"
        }
    }

    /// Where the counts are, and what the manifest is called by.
    fileprivate var table: String {
        switch self {
        case .shard: "shards"
        case .split: "splits"
        case .references: "reference_prompts"
        }
    }

    fileprivate var select: String {
        switch self {
        case .shard: "SELECT manifest AS name, prompts, likes FROM shards WHERE shard = ?"
        case .split: "SELECT digest AS name, prompts, likes FROM splits WHERE split = ?"
        case .references: "SELECT digest AS name, prompts, 0 AS likes FROM reference_prompts"
        }
    }

    fileprivate var arguments: StatementArguments {
        switch self {
        case .shard(let shard): [shard]
        case .split(let split): [split.rawValue]
        case .references: []
        }
    }
}
