import Files
import Foundation
import GRDB
import Messages
import Recommendation
import Unlearning

extension Ledger {
    /// Prompts whose embedding is needed and missing (`LedgerSnapshot.missingEmbeddings`): training prompts before
    /// validation prompts, each sorted by id.
    package func samplesWithoutEmbedding(limit: Int) throws -> [TrainingPrompt] {
        try read { db in
            let names = try String.fetchAll(
                db, sql: "SELECT name FROM prompts WHERE needs_embedding = 1 ORDER BY split, name LIMIT ?",
                arguments: [limit])
            return try storedPrompts(named: names, db).map(\.sample)
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
            if let bytes = try Int.fetchOne(db, sql: "SELECT LENGTH(vector) FROM embeddings LIMIT 1"),
                bytes != width * 4
            {
                throw LedgerError.embeddingWidth(expected: bytes / 4, found: width)
            }
            if let dimension = try Int.fetchOne(db, sql: "SELECT dimension FROM partition"), dimension != width {
                throw LedgerError.embeddingWidth(expected: dimension, found: width)
            }
            let find = try db.makeStatement(sql: "SELECT id FROM prompts WHERE digest = ? AND needs_embedding = 1")
            let insert = try db.makeStatement(sql: "INSERT INTO embeddings (prompt, vector) VALUES (?, ?)")
            let mark = try db.makeStatement(sql: "UPDATE prompts SET needs_embedding = 0 WHERE id = ?")
            var kept = 0
            for (index, digest) in digests.enumerated() {
                guard let id = try Int64.fetchOne(find, arguments: [digest]) else { continue }
                try insert.execute(arguments: [
                    id, Data(LittleEndianFloats.bytes(values[index * width..<(index + 1) * width])),
                ])
                try mark.execute(arguments: [id])
                kept += 1
            }
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
            let rows = try Row.fetchAll(
                db,
                sql: """
                    SELECT prompts.id, prompts.name, prompts.user, users.token, embeddings.vector FROM prompts
                    JOIN users ON users.id = prompts.user LEFT JOIN embeddings ON embeddings.prompt = prompts.id
                    WHERE prompts.split = 'train' AND prompts.shard IS NULL ORDER BY prompts.name
                    """)
            if rows.isEmpty {
                let prompts = try Int.fetchOne(db, sql: "SELECT prompts FROM splits WHERE split = 'train'") ?? 0
                if prompts == 0 { throw LedgerError.nothingToPartition }
                return []
            }
            let missing = try rows.count { try $0.decode(DatabaseValue.self, forColumn: "vector").isNull }
            guard missing == 0 else { throw LedgerError.embeddingsMissing(count: missing) }
            let samples = try rows.map {
                PartitionSample(id: try $0.value("name", in: "prompts"), user: try $0.value("token", in: "users"))
            }
            let (embeddings, width) = try rows.vectors("vector", in: "embeddings")
            let partition = try dealt(samples, embeddings, width, at: time, db)

            let place = try db.makeStatement(sql: "UPDATE prompts SET shard = ? WHERE id = ?")
            let placeUser = try db.makeStatement(sql: "UPDATE users SET shard = ? WHERE id = ?")
            // Once dealt out, a training prompt's embedding serves nobody.
            let drop = try db.makeStatement(sql: "DELETE FROM embeddings WHERE prompt = ?")
            var touched = Touched()
            for (row, sample) in zip(rows, samples) {
                guard let shard = partition.shard(of: sample), (0..<configuration.shards).contains(shard) else {
                    throw LedgerError.corrupt(path: database.path, reason: "the partition left a prompt out")
                }
                let id: Int64 = try row.value("id", in: "prompts")
                let user: Int64 = try row.value("user", in: "prompts")
                try place.execute(arguments: [shard, id])
                try drop.execute(arguments: [id])
                if configuration.partition == .user { try placeUser.execute(arguments: [shard, user]) }
                touched.shards.insert(shard)
            }
            let changed = try refresh(touched, db)
            for shard in changed { try giveUpCorrection(shard: shard, .dataChanged, at: time, db) }
            try audit(db, "partition", PartitionDetail(prompts: rows.count, shards: changed), at: time)
            return changed
        }
    }

    /// The recorded partition with the new samples in it; the first time also records the centres.
    private func dealt(
        _ samples: [PartitionSample], _ embeddings: [Float], _ width: Int, at time: Date, _ db: Database
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
        let key = configuration.partition == .user ? "users.token" : "prompts.name"
        let assignments = try Row.fetchAll(
            db,
            sql: """
                SELECT \(key) AS key, prompts.shard, COUNT(*) AS prompts FROM prompts
                JOIN users ON users.id = prompts.user
                WHERE prompts.split = 'train' AND prompts.shard IS NOT NULL
                GROUP BY \(key), prompts.shard
                """
        ).map { row in
            let shard: Int = try row.value("shard", in: "prompts")
            guard (0..<configuration.shards).contains(shard) else {
                throw LedgerError.corrupt(table: "prompts", column: "shard", reason: "is no shard of this cluster")
            }
            return BalancedPartition.Assignment(
                key: try row.value("key", in: "prompts"), shard: shard,
                prompts: try row.count("prompts", in: "prompts"))
        }.sorted { $0.key < $1.key }
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

    private struct PartitionDetail: Encodable {
        var prompts: Int
        var shards: [Int]
    }
}
