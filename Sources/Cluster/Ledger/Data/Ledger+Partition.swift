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
            guard kept > 0 else { return }
            try Meta.embeddingWidth.set(width, db)
            // One entry for all that were wanted, not one for each piece of them.
            if try Int.fetchOne(db, sql: "SELECT wanting FROM totals") == 0 {
                try audit(db, "embeddings", ["width": width], at: time)
            }
        }
    }

    /// Gives every training prompt that has no shard one. Existing prompts stay where they are. Under the hash methods
    /// an import has done it already. Whoever has other things to do in between takes the steps one by one.
    ///
    /// - Returns: shards whose manifest is another one now, in order.
    /// - Throws: `LedgerError.embeddingsMissing`, `.nothingToPartition`.
    @discardableResult
    package func partition(at time: Date) throws -> [Int] {
        var step = try beginPartition()
        while true {
            switch step {
            case .done(let shards): return shards
            case .dealing(let undealt): step = .placing(try undealt.dealt())
            case .gathering, .placing: step = try continuePartition(step, at: time)
            }
        }
    }
}
