import Foundation
import GRDB
import Messages
import Recommendation

/// One person as a ledger of before has them: rows in five tables.
struct OlderUser {
    struct OlderPrompt {
        var row: Int64
        var name: String
        var digest: String
        var shard: Int?
        /// Places in the record of the interactions that it was made from.
        var places: [Int]
    }

    var person: Person
    /// Under the partition by user.
    var shard: Int?
    /// Workers' disks may hold prompts under it.
    var key: KeyReference?
    var prompts: [OlderPrompt] = []

    /// - Parameter isByPrompt: the partition deals prompts out by their content, and records it.
    init?(_ id: Int64, isByPrompt: Bool, _ old: Database) throws {
        guard
            let row = try Row.fetchOne(
                old, sql: "SELECT token, ordinal, shard, slot, key FROM users WHERE id = ?", arguments: [id])
        else { return nil }
        shard = try row.optional("shard", in: "users")
        if try row.optional("slot", in: "users") as Int64? != nil { key = try KeyReference(row: row, in: "users") }
        person = Person(
            name: try row.value("token", in: "users"),
            appearance: Person.Appearance(import: 0, ordinal: try row.value("ordinal", in: "users")),
            interactions: [])
        var places: [Int64: Int] = [:]
        let interactions = try Row.fetchAll(
            old,
            sql: """
                SELECT id, item, timestamp, rating, ordinal, split FROM interactions WHERE user = ?
                ORDER BY timestamp, ordinal, id
                """, arguments: [id])
        for row in interactions {
            places[try row.value("id", in: "interactions")] = person.interactions.count
            person.interactions.append(
                Person.Kept(
                    item: try row.value("item", in: "interactions"),
                    timestamp: try row.value("timestamp", in: "interactions"),
                    rating: try row.value("rating", in: "interactions"),
                    ordinal: try row.value("ordinal", in: "interactions"),
                    split: try row.optionalChoice("split", in: "interactions")))
        }
        try takeSeen(id, places, old)
        try takePrompts(id, places, isByPrompt: isByPrompt, old)
    }

    private mutating func takeSeen(_ id: Int64, _ places: [Int64: Int], _ old: Database) throws {
        let rows = try Row.fetchAll(
            old,
            sql: """
                SELECT interaction, seen.shard FROM seen JOIN interactions ON interactions.id = interaction
                WHERE user = :user
                UNION SELECT interaction, correction_seen.shard FROM correction_seen
                JOIN interactions ON interactions.id = interaction WHERE user = :user ORDER BY 1, 2
                """, arguments: ["user": id])
        for row in rows {
            guard let place = places[try row.value("interaction", in: "seen")] else { continue }
            person.interactions[place].seen.append(
                Person.Seen(shard: try row.value("shard", in: "seen"), epoch: 0))
        }
    }

    private mutating func takePrompts(
        _ id: Int64, _ places: [Int64: Int], isByPrompt: Bool, _ old: Database
    ) throws {
        let rows = try Row.fetchAll(
            old, sql: "SELECT id, name, digest, shard, target FROM prompts WHERE user = ? ORDER BY id", arguments: [id])
        for row in rows {
            let number: Int64 = try row.value("id", in: "prompts")
            let target: Int64 = try row.value("target", in: "prompts")
            let shard: Int? = try row.optional("shard", in: "prompts")
            let history = try Int64.fetchAll(
                old, sql: "SELECT interaction FROM prompt_history WHERE prompt = ? ORDER BY position",
                arguments: [number])
            if isByPrompt, let place = places[target] { person.interactions[place].shard = shard }
            prompts.append(
                OlderPrompt(
                    row: number, name: try row.value("name", in: "prompts"),
                    digest: try row.value("digest", in: "prompts"), shard: shard,
                    places: (history + [target]).compactMap { places[$0] }))
        }
    }
}
