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

        mutating func count(_ prompt: StoredPrompt, _ entry: ManifestDigest.Entry) {
            digest.add(entry)
            prompts += 1
            if prompt.prompt.label { likes += 1 }
        }

        mutating func add(_ other: Summary) {
            digest.add(other.digest)
            prompts += other.prompts
            likes += other.likes
        }

        mutating func remove(_ other: Summary) {
            digest.remove(other.digest)
            prompts -= other.prompts
            likes -= other.likes
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
        splits[prompt.split]?.count(prompt, entry)
        if prompt.isReference { references?.count(prompt, entry) }
        if let shard = prompt.shard { shards[shard]?.count(prompt, entry) }
    }

    mutating func add(_ prompts: [StoredPrompt], _ db: Database) throws {
        for part in Self.summed(prompts) { try combine(part, { $0.add($1) }, db) }
    }

    mutating func remove(_ prompts: [StoredPrompt], _ db: Database) throws {
        for part in Self.summed(prompts) { try combine(part, { $0.remove($1) }, db) }
    }

    mutating func add(_ person: PersonSummary, _ db: Database) throws {
        try combine(Self.summed(person), { $0.add($1) }, db)
    }

    mutating func remove(_ person: PersonSummary, _ db: Database) throws {
        try combine(Self.summed(person), { $0.remove($1) }, db)
    }

    private static func summed(_ person: PersonSummary) -> Summaries {
        var sums = Summaries()
        for part in person.parts {
            let sum = Summary(digest: part.entries.digest, prompts: part.prompts, likes: part.likes)
            sums.splits[part.place.split, default: Summary()].add(sum)
            if part.place.isReference {
                var references = sums.references ?? Summary()
                references.add(sum)
                sums.references = references
            }
            if let shard = part.place.shard { sums.shards[shard, default: Summary()].add(sum) }
        }
        return sums
    }

    /// Of these prompts alone. Expanding their entries is most of what somebody's prompts cost.
    private static func summed(_ prompts: [StoredPrompt]) -> [Summaries] {
        guard !prompts.isEmpty else { return [] }
        return prompts.concurrentlyByParts { prompts in
            var sums = Summaries()
            for prompt in prompts {
                let entry = ManifestDigest.Entry(id: prompt.id, digest: prompt.digest)
                sums.splits[prompt.split, default: Summary()].count(prompt, entry)
                if prompt.isReference {
                    var references = sums.references ?? Summary()
                    sums.references = nil
                    references.count(prompt, entry)
                    sums.references = references
                }
                if let shard = prompt.shard { sums.shards[shard, default: Summary()].count(prompt, entry) }
            }
            return sums
        }
    }

    private mutating func combine(
        _ sums: Summaries, _ operation: (inout Summary, Summary) -> Void, _ db: Database
    ) throws {
        for (split, sum) in sums.splits {
            var known = try splits[split] ?? Self.read(split, db)
            operation(&known, sum)
            splits[split] = known
        }
        if let sum = sums.references {
            var known = try references ?? Self.readReferences(db)
            operation(&known, sum)
            references = known
        }
        for (shard, sum) in sums.shards {
            var known = try shards[shard] ?? Self.read(shard: shard, db)
            operation(&known, sum)
            shards[shard] = known
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
