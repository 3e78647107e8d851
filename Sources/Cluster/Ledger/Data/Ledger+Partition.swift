import Files
import Foundation
import GRDB
import Messages
import Recommendation
import Unlearning

extension Ledger {
    /// Prompts whose embedding is needed and missing (`LedgerSnapshot.missingEmbeddings`), sorted by id among those of the
    /// people that come first.
    package func samplesWithoutEmbedding(limit: Int) throws -> [TrainingPrompt] {
        try read { db in
            let isDataDependent = configuration.partition.isDataDependent
            return try prompts(where: "wanting > 0", [], limit: limit, db) { known in
                let box = try embeddings(of: known.id, known.key, db)
                return { $0.wantsEmbedding(isDataDependent) && box?[$0.digest] == nil }
            }
        }
    }

    /// - `values`: `[digests, width]`, row by row.
    /// - `digests`: `TrainingPrompt.digest` of each; those no longer wanted are ignored.
    /// - Throws: `LedgerError.embeddingWidth`, `.notFinite`.
    package func store(embeddings values: [Float], of digests: [String], at time: Date) throws {
        guard !digests.isEmpty else { return }
        let width = values.count / digests.count
        guard width > 0 && width * digests.count == values.count else {
            throw LedgerError.embeddingWidth(expected: width, found: values.count)
        }
        guard values.allSatisfy(\.isFinite) else { throw LedgerError.notFinite(what: "an embedding") }
        if let embeddingWidth, embeddingWidth != width {
            throw LedgerError.embeddingWidth(expected: embeddingWidth, found: width)
        }
        try commit { db in
            if let known = try Meta.embeddingWidth.value(Int.self, db), known != width {
                throw LedgerError.embeddingWidth(expected: known, found: width)
            }
            if let dimension = try Int.fetchOne(db, sql: "SELECT dimension FROM partition"), dimension != width {
                throw LedgerError.embeddingWidth(expected: dimension, found: width)
            }
            let isDataDependent = configuration.partition.isDataDependent
            let places = Dictionary(
                digests.enumerated().map { ($0.element, $0.offset) }, uniquingKeysWith: { first, _ in first })
            let context = try promptContext(db)
            var kept = 0
            for (owner, found) in try owners(of: digests, in: .everything, db) {
                var box = try self.embeddings(of: owner.id, owner.key, db) ?? PersonBox(width: width)
                for prompt in found where prompt.wantsEmbedding(isDataDependent) && box[prompt.digest] == nil {
                    guard let index = places[prompt.digest] else { continue }
                    box.set(values[index * width..<(index + 1) * width], of: prompt.digest)
                    kept += 1
                }
                try write(
                    embeddings: box, of: owner.id, prompts: prompts(of: owner, context), owner.key, db)
            }
            if kept > 0 { try Meta.embeddingWidth.set(width, db) }
            try audit(db, "embeddings", ["stored": kept, "ignored": digests.count - kept], at: time)
        }
    }

    /// Gives every training prompt that has no shard one. Existing prompts stay where they are. Under the hash methods
    /// `finishImport` has done it already.
    ///
    /// - Returns: shards whose manifest is another one now, in order.
    /// - Throws: `LedgerError.embeddingsMissing`, `.nothingToPartition`.
    @discardableResult
    package func partition(at time: Date) throws -> [Int] {
        try commit { db in
            guard let context = try promptContext(db) else { throw LedgerError.nothingToPartition }
            var waiting: [Undealt] = []
            var missing = 0
            try forEachPerson(where: "undealt > 0", db) { known in
                let box = try embeddings(of: known.id, known.key, db)
                for prompt in try prompts(of: known, context) where prompt.split == .train && prompt.shard == nil {
                    if let vector = box?[prompt.digest] {
                        waiting.append(Undealt(person: known.id, prompt: prompt, vector: vector))
                    } else {
                        missing += 1
                    }
                }
            }
            guard missing == 0 else { throw LedgerError.embeddingsMissing(count: missing) }
            if waiting.isEmpty {
                let prompts = try Int.fetchOne(db, sql: "SELECT prompts FROM splits WHERE split = 'train'") ?? 0
                if prompts == 0 { throw LedgerError.nothingToPartition }
                return []
            }
            waiting.sort { $0.prompt.id < $1.prompt.id }
            let width = waiting.first?.vector.count ?? 0
            guard waiting.allSatisfy({ $0.vector.count == width }) else {
                throw LedgerError.corrupt(
                    table: "embeddings", column: "vectors", reason: "holds vectors of different widths")
            }
            let partition = try dealt(
                waiting.map(\.sample), waiting.flatMap(\.vector), width, context, at: time, db)
            let changed = try place(waiting, partition, context, db)
            for shard in changed { try giveUpCorrection(shard: shard, .dataChanged, at: time, db) }
            try audit(db, "partition", PartitionDetail(prompts: waiting.count, shards: changed), at: time)
            return changed
        }
    }

    /// A training prompt without a shard.
    private struct Undealt {
        var person: Int64
        var prompt: StoredPrompt
        var vector: [Float]

        var sample: PartitionSample { PartitionSample(id: prompt.id, user: prompt.prompt.user) }
    }

    /// Records the shards. Once dealt out, a training prompt's embedding serves nobody.
    private func place(
        _ waiting: [Undealt], _ partition: BalancedPartition, _ context: PromptContext, _ db: Database
    ) throws -> [Int] {
        var places: [Int64: [InteractionKey: Int]] = [:]
        for entry in waiting {
            guard let shard = partition.shard(of: entry.sample), (0..<configuration.shards).contains(shard) else {
                throw LedgerError.corrupt(path: database.path, reason: "the partition left a prompt out")
            }
            places[entry.person, default: [:]][entry.prompt.prompt.target] = shard
        }
        var (summaries, uses) = (Summaries(), [Int64: Int]())
        for (id, shards) in places.sorted(by: { $0.key < $1.key }) {
            guard let known = try person(id, db) else { continue }
            var person = known.person
            if configuration.partition == .semantic {
                for (index, row) in try context.interactions(of: person).enumerated() {
                    if let shard = shards[row.key] { person.interactions[index].shard = shard }
                }
            }
            let shard = configuration.partition == .user ? shards.values.first : known.shard
            let change = PersonChange(
                before: known, after: person, shard: shard, old: try prompts(of: known, context),
                new: try context.prompts(of: person, shard: shard))
            try write(
                change, &summaries, uses: &uses,
                newKey: { throw LedgerError.corrupt(table: "people", column: "key", reason: "is missing") }, db)
        }
        return try write(summaries, db)
    }

    /// The recorded partition with the new samples in it; the first time also records the centres.
    private func dealt(
        _ samples: [PartitionSample], _ embeddings: [Float], _ width: Int, _ context: PromptContext,
        at time: Date, _ db: Database
    ) throws -> BalancedPartition {
        guard let record = try Row.fetchOne(db, sql: "SELECT dimension, centres FROM partition") else {
            let partition = try BalancedPartition(
                method: configuration.partition, samples: samples, embeddings: embeddings, dimension: width,
                shards: configuration.shards, seed: configuration.seed)
            try db.execute(
                sql: "INSERT INTO partition (id, dimension, centres, time) VALUES (1, ?, ?, ?)",
                arguments: [partition.dimension, Data(LittleEndianFloats.bytes(partition.centres)), time.milliseconds])
            return partition
        }
        let assignments = try assignments(context, db)
        let dimension = try record.count("dimension", in: "partition")
        guard dimension == width else {
            throw LedgerError.corrupt(table: "partition", column: "dimension", reason: "is not that of the embeddings")
        }
        var partition = try BalancedPartition(
            method: configuration.partition, shards: configuration.shards, seed: configuration.seed,
            dimension: dimension, centres: record.floats("centres", in: "partition"), assignments: assignments)
        try partition.add(samples: samples, embeddings: embeddings)
        return partition
    }

    /// Who, or which prompt, lies where already; by key.
    private func assignments(_ context: PromptContext, _ db: Database) throws -> [BalancedPartition.Assignment] {
        var assignments: [BalancedPartition.Assignment] = []
        try forEachPrompt(of: .split(.train), db) { known, prompt in
            guard let shard = prompt.shard else { return }
            guard (0..<configuration.shards).contains(shard) else {
                throw LedgerError.corrupt(table: "people", column: "record", reason: "names no shard of this cluster")
            }
            let key = configuration.partition == .user ? known.person.name : prompt.id
            if assignments.last?.key == key {
                assignments[assignments.count - 1].prompts += 1
            } else {
                assignments.append(BalancedPartition.Assignment(key: key, shard: shard, prompts: 1))
            }
        }
        return assignments.sorted { $0.key < $1.key }
    }

    private struct PartitionDetail: Encodable {
        var prompts: Int
        var shards: [Int]
    }
}
