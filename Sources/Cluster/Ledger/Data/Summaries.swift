import Foundation
import GRDB
import Messages
import Recommendation

/// Counts and digests of shards and splits, brought up to date by what changes.
struct Summaries {
    struct Summary {
        var digest = ManifestDigest()
        var prompts = 0
        var likes = 0

        mutating func count(_ prompt: StoredPrompt, _ entry: ManifestDigest.Entry, added: Bool) {
            if added { digest.add(entry) } else { digest.remove(entry) }
            prompts += added ? 1 : -1
            if prompt.prompt.label { likes += added ? 1 : -1 }
        }
    }

    private(set) var shards: [Int: Summary] = [:]
    private(set) var splits: [Split: Summary] = [:]
    /// Of the prompts that adapters are compared on; nil: nothing changed.
    private(set) var references: Summary?
    /// More of them than before.
    var people = 0
    var interactions = 0

    init() {}

    /// From nothing: these shards and all splits.
    init(recounting shards: Set<Int>) {
        references = Summary()
        for shard in shards { self.shards[shard] = Summary() }
        for split in Split.allCases { splits[split] = Summary() }
    }

    /// Counts a prompt where it is counted anew.
    mutating func recount(_ prompt: StoredPrompt) {
        let entry = ManifestDigest.Entry(id: prompt.id, digest: prompt.digest)
        splits[prompt.split]?.count(prompt, entry, added: true)
        if prompt.isReference { references?.count(prompt, entry, added: true) }
        if let shard = prompt.shard { shards[shard]?.count(prompt, entry, added: true) }
    }

    mutating func add(_ prompt: StoredPrompt, _ db: Database) throws { try count(prompt, added: true, db) }
    mutating func remove(_ prompt: StoredPrompt, _ db: Database) throws { try count(prompt, added: false, db) }

    private mutating func count(_ prompt: StoredPrompt, added: Bool, _ db: Database) throws {
        let entry = ManifestDigest.Entry(id: prompt.prompt.id, digest: prompt.digest)
        let split = prompt.prompt.split
        if splits[split] == nil { splits[split] = try Self.read(split, db) }
        splits[split]?.count(prompt, entry, added: added)
        if prompt.isReference {
            if references == nil { references = try Self.readReferences(db) }
            references?.count(prompt, entry, added: added)
        }
        if let shard = prompt.shard {
            if shards[shard] == nil { shards[shard] = try Self.read(shard: shard, db) }
            shards[shard]?.count(prompt, entry, added: added)
        }
    }

    /// Has the shard's digest and counts written also where no prompt changed.
    mutating func touch(shard: Int, _ db: Database) throws {
        if shards[shard] == nil { shards[shard] = try Self.read(shard: shard, db) }
    }

    /// Whether anything of the split is another one.
    func touches(_ split: Split) -> Bool { splits[split] != nil }

    static func read(shard: Int, _ db: Database) throws -> Summary {
        let row = try Row.fetchOne(
            db, sql: "SELECT summary, prompts, likes FROM shards WHERE shard = ?", arguments: [shard])
        guard let row else { throw LedgerError.unknownShard(shard) }
        return try Summary(row: row, in: "shards")
    }

    static func readReferences(_ db: Database) throws -> Summary {
        guard let row = try Row.fetchOne(db, sql: "SELECT prompts, summary FROM reference_prompts") else {
            return Summary()
        }
        let bytes: Data = try row.value("summary", in: "reference_prompts")
        guard let digest = ManifestDigest(bytes: bytes) else {
            throw LedgerError.corrupt(table: "reference_prompts", column: "summary", reason: "is no digest")
        }
        return Summary(digest: digest, prompts: try row.count("prompts", in: "reference_prompts"))
    }

    static func read(_ split: Split, _ db: Database) throws -> Summary {
        let row = try Row.fetchOne(
            db, sql: "SELECT summary, prompts, likes FROM splits WHERE split = ?", arguments: [split.rawValue])
        return try row.map { try Summary(row: $0, in: "splits") } ?? Summary()
    }
}

extension Summaries.Summary {
    fileprivate init(row: Row, in table: String) throws {
        let bytes: Data = try row.value("summary", in: table)
        guard let digest = ManifestDigest(bytes: bytes) else {
            throw LedgerError.corrupt(table: table, column: "summary", reason: "is no digest")
        }
        self.init(
            digest: digest, prompts: try row.count("prompts", in: table), likes: try row.count("likes", in: table))
    }
}

extension Ledger {
    /// Writes counts and digests. Returns the shards whose manifest is another one now, in order.
    func write(_ summaries: Summaries, _ db: Database) throws -> [Int] {
        var changed: [Int] = []
        for (shard, summary) in summaries.shards.sorted(by: { $0.key < $1.key }) {
            let manifest = summary.digest.hexadecimal
            let before = try String.fetchOne(
                db, sql: "SELECT manifest FROM shards WHERE shard = ?", arguments: [shard])
            guard before != manifest else { continue }
            changed.append(shard)
            try dropKey(ofShard: shard, db)
            try db.execute(
                sql: "UPDATE shards SET manifest = ?, summary = ?, prompts = ?, likes = ? WHERE shard = ?",
                arguments: [manifest, summary.digest.bytes, summary.prompts, summary.likes, shard])
            if summary.prompts == 0 { try emptied(shard: shard, manifest: manifest, db) }
        }
        for split in Split.allCases {
            guard let summary = summaries.splits[split] else { continue }
            try db.execute(
                sql: "UPDATE splits SET prompts = ?, likes = ?, digest = ?, summary = ? WHERE split = ?",
                arguments: [
                    summary.prompts, summary.likes, summary.digest.hexadecimal, summary.digest.bytes, split.rawValue,
                ])
        }
        if let references = summaries.references {
            try db.execute(
                sql: "UPDATE reference_prompts SET prompts = ?, summary = ?",
                arguments: [references.prompts, references.digest.bytes])
        }
        if summaries.people != 0 || summaries.interactions != 0 {
            try db.execute(
                sql: "UPDATE totals SET people = people + ?, interactions = interactions + ?",
                arguments: [summaries.people, summaries.interactions])
        }
        return changed
    }
}
