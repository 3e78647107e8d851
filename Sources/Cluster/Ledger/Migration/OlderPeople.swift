import Crypto
import Files
import Foundation
import GRDB
import Messages
import Recommendation
import Unlearning

/// People of a ledger of before, on their way into sealed records.
struct OlderPeople {
    private let ledger: Ledger
    private let context: PromptContext?
    private var summaries = Summaries()
    private var uses = CatalogueCounts()
    /// Serial of each shard's adapter.
    private let adapters: [Int: Int64]
    /// Shards whose prompts are not those that the ledger of before had.
    private var changed: Set<Int> = []

    init(_ ledger: Ledger, _ old: Database, _ db: Database) throws {
        self.ledger = ledger
        context = try ledger.promptContext(db)
        adapters = try Row.fetchAll(db, sql: "SELECT shard, serial FROM adapters").reduce(into: [:]) {
            $0[try $1.value("shard", in: "adapters")] = try $1.value("serial", in: "adapters")
        }
    }

    mutating func take(_ id: Int64, _ old: Database, _ db: Database) throws {
        guard let user = try OlderUser(id, isByPrompt: ledger.configuration.partition == .semantic, old) else { return }
        var person = user.person
        let built = try context?.prompts(of: person, shard: user.shard) ?? []
        // What an adapter was trained on, and is otherwise now: prompts of before there was a bound on titles.
        let now = Dictionary(built.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
        let before = Set(user.prompts.map(\.name))
        for prompt in user.prompts {
            guard let shard = prompt.shard,
                now[prompt.name].map({ $0.digest == prompt.digest && $0.shard == shard }) != true
            else { continue }
            changed.insert(shard)
            guard adapters[shard] != nil else { continue }
            for place in prompt.places where !person.interactions[place].seen.contains(where: { $0.shard == shard }) {
                person.interactions[place].seen.append(Person.Seen(shard: shard, epoch: 0))
            }
        }
        for prompt in built where !before.contains(prompt.id) { if let shard = prompt.shard { changed.insert(shard) } }

        let change = PersonChange(before: nil, after: person, shard: user.shard, old: [], new: built)
        let known = try user.key.flatMap { reference in
            try ledger.livingKey(reference).map { (reference: reference, key: $0) }
        }
        var key: SymmetricKey?
        let number = try ledger.write(
            change, &summaries, uses: &uses,
            newKey: {
                let chosen = try known ?? ledger.takeKey()
                key = chosen.key
                return chosen
            }, db)
        guard let number, let key else { return }
        try takeBoxes(user, number, built, key, old, db)
    }

    private func takeBoxes(
        _ user: OlderUser, _ number: Int64, _ built: [StoredPrompt], _ key: SymmetricKey, _ old: Database,
        _ db: Database
    ) throws {
        let isDataDependent = ledger.configuration.partition.isDataDependent
        let wanted = Set(built.filter { $0.wantsEmbedding(isDataDependent) }.map(\.digest))
        var box: PersonBox?
        for prompt in user.prompts where wanted.contains(prompt.digest) {
            guard
                let row = try Row.fetchOne(
                    old, sql: "SELECT vector FROM embeddings WHERE prompt = ?", arguments: [prompt.row])
            else { continue }
            let vector = try row.floats("vector", in: "embeddings")
            box = box ?? PersonBox(width: vector.count)
            box?.set(vector, of: prompt.digest)
        }
        if box != nil { try ledger.write(embeddings: box, of: number, prompts: built, key, db) }
        let reference = Set(built.filter(\.isReference).map(\.digest))
        for (shard, serial) in adapters.sorted(by: { $0.key < $1.key }) {
            var box = PersonBox(width: 1)
            for prompt in user.prompts where reference.contains(prompt.digest) {
                let margin = try Double.fetchOne(
                    old, sql: "SELECT margin FROM margins WHERE shard = ? AND prompt = ?",
                    arguments: [shard, prompt.row])
                if let margin { box.set([Float(margin)], of: prompt.digest) }
            }
            if !box.values.isEmpty {
                try ledger.write(margins: box, before: 0, of: number, adapter: serial, key, db)
            }
        }
    }

    /// Counts, names the manifests by today's definition, and takes over what is kept for corrections.
    mutating func finish(_ old: Database, _ db: Database) throws {
        let before = try Row.fetchAll(old, sql: "SELECT shard, manifest FROM shards").reduce(into: [Int: String]()) {
            $0[try $1.value("shard", in: "shards")] = try $1.value("manifest", in: "shards")
        }
        for shard in before.keys.sorted() { try summaries.touch(.shard(shard), ledger, db) }
        _ = try ledger.write(summaries, db)
        for (shard, manifest) in before.sorted(by: { $0.key < $1.key }) where !changed.contains(shard) {
            let today = try String.fetchOne(db, sql: "SELECT manifest FROM shards WHERE shard = ?", arguments: [shard])
            guard let today, today != manifest else { continue }
            try rename(manifest, to: today, db)
        }
        try takeCorrections(old, db)
        try takeTuning(old, db)
    }

    /// The same prompts under the name that they have today.
    private func rename(_ manifest: String, to today: String, _ db: Database) throws {
        for (table, column) in [
            ("adapters", "manifest"), ("copies", "manifest"), ("forget_copies", "manifest"),
            ("forget_shards", "old_manifest"), ("forget_shards", "new_manifest"), ("dropped_adapters", "manifest"),
            ("damaged_adapters", "manifest"),
        ] {
            try db.execute(
                sql: "UPDATE OR REPLACE \(table) SET \(column) = ? WHERE \(column) = ?", arguments: [today, manifest])
        }
        for (table, column) in [("adapters", "report"), ("forget_shards", "training")] {
            try db.execute(
                sql: """
                    UPDATE \(table) SET \(column) = json_set(\(column), '$.manifest', ?)
                    WHERE json_extract(\(column), '$.manifest') = ?
                    """, arguments: [today, manifest])
        }
    }

    private func takeCorrections(_ old: Database, _ db: Database) throws {
        for shard in try ledger.correctedShards(db) {
            let made = try ledger.takeKey()
            try db.execute(
                sql: "UPDATE corrections SET changes_slot = ?, changes_key = ? WHERE shard = ?",
                arguments: [made.reference.slot, made.reference.id, shard])
            var now: [String: StoredPrompt] = [:]
            try ledger.forEachPrompt(of: .shard(shard), db) { now[$1.id] = $1 }
            var changes: [CorrectionChange] = []
            var original: Set<String> = []
            let rows = try Row.fetchCursor(
                old, sql: "SELECT * FROM correction_prompts WHERE shard = ? ORDER BY name", arguments: [shard])
            while let row = try rows.next() {
                let name: String = try row.value("name", in: "correction_prompts")
                original.insert(name)
                guard let prompt: TrainingPrompt = try row.optionalJSON("prompt", in: "correction_prompts") else {
                    continue
                }
                changes.append(
                    CorrectionChange(
                        name: name, old: prompt, new: now[name]?.sample,
                        forgotten: try row.value("forgotten", in: "correction_prompts")))
            }
            for (name, prompt) in now.sorted(by: { $0.key < $1.key }) where !original.contains(name) {
                changes.append(CorrectionChange(name: name, old: nil, new: prompt.sample, forgotten: 0))
            }
            try ledger.keep(changes, shard: shard, db)
        }
    }

    private func takeTuning(_ old: Database, _ db: Database) throws {
        guard let row = try Row.fetchOne(old, sql: "SELECT * FROM tuning") else { return }
        let basis: String = try row.value("basis", in: "tuning")
        let validation = try String.fetchOne(old, sql: "SELECT digest FROM splits WHERE split = 'validation'")
        let isCurrent = try basis == ledger.tuningBasis(old, references: validation ?? "")
        try db.execute(
            sql: """
                INSERT INTO tuning (id, tau, neighbours, rule, embedding, basis, time) VALUES (1, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [
                row.value("tau", in: "tuning") as Double, row.value("neighbours", in: "tuning") as Int,
                row.value("rule", in: "tuning") as String, row.value("embedding", in: "tuning") as String,
                isCurrent ? ledger.tuningBasis(db) : basis, row.value("time", in: "tuning") as Int64,
            ])
    }
}
