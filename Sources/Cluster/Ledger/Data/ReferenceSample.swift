import Foundation
import GRDB
import Messages
import Recommendation

/// Which validation prompts adapters are compared on: what every new adapter is scored on, and what the attention over adapters
/// rests on. All of them as long as they are few enough; of more a sample by a keyed hash of their ids.
///
/// At level n one in 2ⁿ counts. The level rises when there are too many, and never falls: a prompt that left the sample does
/// not come back, and which are in it depends on ids and level alone. A data directory of a release that had no samples keeps
/// all.
struct ReferenceSample: Equatable {
    /// Halvings, up to 63.
    var level: Int
    var seed: UInt64

    func contains(_ id: String) -> Bool { level == 0 || mark(id) >> UInt64(64 - level) == 0 }

    /// What decides: 64 bits, evenly spread.
    func mark(_ id: String) -> UInt64 { FieldHash.number(["reference", String(seed), id]) }

    /// The lowest level, not below this one, at which so many of the marks are left at most.
    func level(keeping most: Int, of marks: [UInt64]) -> Int {
        var level = level
        while level < 63, marks.count(where: { level > 0 ? $0 >> UInt64(64 - level) == 0 : true }) > most { level += 1 }
        return level
    }
}

extension Ledger {
    func referenceSample(_ db: Database) throws -> ReferenceSample {
        let level = try Row.fetchOne(db, sql: "SELECT level FROM reference_prompts")
            .map { try $0.count("level", in: "reference_prompts") }
        guard (level ?? 0) < 64 else {
            throw LedgerError.corrupt(table: "reference_prompts", column: "level", reason: "is no possible level")
        }
        return ReferenceSample(level: level ?? 0, seed: configuration.seed)
    }

    /// - Parameter most: nil: there is no limit.
    static func makeReferences(_ db: Database, most: Int?) throws {
        try db.execute(
            sql: "INSERT OR REPLACE INTO reference_prompts (id, most, level, prompts, digest) VALUES (1, ?, 0, 0, ?)",
            arguments: [most, ManifestDigest().hexadecimal])
    }

    /// Halves the sample as often as it takes. That goes through those who are in it: with every halving twice as many come
    /// before the next.
    func boundReferences(_ db: Database) throws {
        let table = "reference_prompts"
        guard let row = try Row.fetchOne(db, sql: "SELECT most, prompts FROM reference_prompts"),
            let most: Int = try row.optional("most", in: table), try row.count("prompts", in: table) > most,
            let old = try promptContext(db)
        else { return }
        var marks: [UInt64] = []
        try forEachPerson(where: "reference > 0", db) { known in
            for prompt in try prompts(of: known, old) where prompt.isReference {
                marks.append(old.references.mark(prompt.id))
            }
        }
        try db.execute(
            sql: "UPDATE reference_prompts SET level = ?",
            arguments: [old.references.level(keeping: most, of: marks)])
        let new = try promptContext(db)
        var (summaries, uses) = (Summaries(), CatalogueCounts())
        try forEachPerson(where: "reference > 0", db) { known in
            let change = PersonChange(
                before: known, after: known.person, shard: known.shard, old: try prompts(of: known, old),
                new: try prompts(of: known, new))
            try write(
                change, &summaries, uses: &uses,
                newKey: { throw LedgerError.corrupt(table: "people", column: "key", reason: "is missing") }, db)
        }
        _ = try write(summaries, db)
    }
}
