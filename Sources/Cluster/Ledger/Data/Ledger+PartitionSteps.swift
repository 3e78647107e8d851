import Files
import Foundation
import GRDB
import Messages
import Recommendation
import Unlearning

extension Ledger {
    /// - Throws: `LedgerError.nothingToPartition`.
    package func beginPartition() throws -> PartitionStep {
        try read { try begun($0) }
    }

    private func begun(_ db: Database, after changed: Set<Int> = []) throws -> PartitionStep {
        guard try recordedPrompts(db) != nil else { throw LedgerError.nothingToPartition }
        return .gathering(
            UndealtPrompts(
                method: configuration.partition, seed: configuration.seed, lastForget: try lastForget(db),
                changed: changed))
    }

    /// One portion; nothing is done in `dealing` and `done`.
    ///
    /// - `seconds`: how long it may take, about; what it writes is one transaction.
    /// - Throws: `LedgerError.embeddingsMissing`, `.nothingToPartition`.
    package func continuePartition(
        _ step: PartitionStep, seconds: Double = 0.05, at time: Date
    ) throws -> PartitionStep {
        let clock = ContinuousClock()
        let end = clock.now + .seconds(min(seconds, 1e9))
        switch step {
        case .gathering(let undealt): return try read { try gather(undealt, while: { clock.now < end }, $0) }
        case .placing(let dealt):
            return try commit { try place(dealt, while: { clock.now < end }, at: time, $0) }
        case .dealing, .done: return step
        }
    }

    private func lastForget(_ db: Database) throws -> Int64 {
        try Int64.fetchOne(db, sql: "SELECT MAX(number) FROM forget_requests") ?? 0
    }

    private func gather(
        _ before: UndealtPrompts, while hasTime: () -> Bool, _ db: Database
    ) throws -> PartitionStep {
        guard let context = try promptContext(db) else { throw LedgerError.nothingToPartition }
        var undealt = before
        repeat {
            let next = try Int64.fetchOne(
                db, sql: "SELECT id FROM people WHERE undealt > 0 AND id > ? ORDER BY id LIMIT 1",
                arguments: [undealt.last])
            guard let next else { return try gathered(undealt, db) }
            undealt.last = next
            if let known = try person(next, db) { try gather(known, context, into: &undealt, db) }
        } while hasTime()
        return .gathering(undealt)
    }

    private func gather(
        _ known: KnownPerson, _ context: PromptContext, into undealt: inout UndealtPrompts, _ db: Database
    ) throws {
        let box = try embeddings(of: known.id, known.key, db)
        let all = try prompts(of: known, context)
        // What was drawn for a prompt goes where it goes.
        let prompts = Dictionary(
            all.filter { $0.prompt.split == .train && $0.shard == nil }.map { ($0.prompt.source, 1) },
            uniquingKeysWith: +)
        for prompt in all where prompt.isUndealt {
            guard let vector = box?[prompt.digest] else {
                undealt.missing += 1
                continue
            }
            if undealt.entries.isEmpty { undealt.width = vector.count }
            guard vector.count == undealt.width else {
                throw LedgerError.corrupt(
                    table: "embeddings", column: "vectors", reason: "holds vectors of different widths")
            }
            undealt.entries.append(
                UndealtPrompts.Entry(
                    person: known.id, target: prompt.prompt.target,
                    sample: PartitionSample(id: prompt.id, user: prompt.prompt.user),
                    prompts: prompts[prompt.prompt.target] ?? 1))
            undealt.vectors += vector
        }
    }

    private func gathered(_ all: UndealtPrompts, _ db: Database) throws -> PartitionStep {
        guard all.missing == 0 else { throw LedgerError.embeddingsMissing(count: all.missing) }
        guard !all.entries.isEmpty else {
            let prompts = try Int.fetchOne(db, sql: "SELECT prompts FROM splits WHERE split = 'train'") ?? 0
            if prompts == 0 { throw LedgerError.nothingToPartition }
            return .done(all.changed.sorted())
        }
        var undealt = all
        undealt.loads = try Row.fetchAll(db, sql: "SELECT prompts FROM shards ORDER BY shard")
            .map { try $0.count("prompts", in: "shards") }
        guard undealt.loads.count == configuration.shards else {
            throw LedgerError.corrupt(table: "shards", column: "shard", reason: "are not those of this cluster")
        }
        if let recorded = try centres(db) {
            guard recorded.dimension == undealt.width else {
                throw LedgerError.corrupt(
                    table: "partition", column: "dimension", reason: "is not that of the embeddings")
            }
            (undealt.centres, undealt.record) = (recorded.dealtTo, try recordOfCentres(db))
        }
        return .dealing(undealt)
    }

    /// Once dealt out, a training prompt's embedding serves nobody.
    private func place(
        _ before: DealtPrompts, while hasTime: () -> Bool, at time: Date, _ db: Database
    ) throws -> PartitionStep {
        let recorded = try recordOfCentres(db)
        // Centres that somebody is part of who was forgotten since are not written down; and who was dealt to centres that are
        // others now is dealt anew.
        let isOutdated = try recorded == nil && (lastForget(db) != before.lastForget || !areThere(before.parts, db))
        if recorded != before.record || isOutdated {
            if before.placed > 0 { try auditPartition(before, at: time, db) }
            return try begun(db, after: before.changed)
        }
        guard let context = try promptContext(db) else { throw LedgerError.nothingToPartition }
        var dealt = before
        if recorded == nil {
            dealt.record = try record(
                centres: dealt.centres, dimension: dealt.width, madeOf: dealt.parts, at: time, db)
        }
        var (summaries, uses) = (Summaries(), CatalogueCounts())
        repeat {
            guard dealt.next < dealt.places.count else { break }
            let place = dealt.places[dealt.next]
            dealt.next += 1
            guard let known = try person(place.person, db),
                let change = try self.change(of: known, placing: place.shards, context, &dealt.placed)
            else { continue }
            try write(
                change, &summaries, uses: &uses,
                newKey: { throw LedgerError.corrupt(table: "people", column: "key", reason: "is missing") }, db)
        } while hasTime()
        let changed = try write(summaries, db)
        for shard in changed { try giveUpCorrection(shard: shard, .dataChanged, at: time, db) }
        dealt.changed.formUnion(changed)
        guard dealt.next >= dealt.places.count else { return .placing(dealt) }
        try auditPartition(dealt, at: time, db)
        return .done(dealt.changed.sorted())
    }

    private func auditPartition(_ dealt: DealtPrompts, at time: Date, _ db: Database) throws {
        try audit(
            db, "partition", PartitionDetail(prompts: dealt.placed, shards: dealt.changed.sorted()), at: time)
    }

    /// - Returns: nil: nobody's prompts are without a shard any more.
    private func change(
        of known: KnownPerson, placing shards: [InteractionKey: Int], _ context: PromptContext, _ placed: inout Int
    ) throws -> PersonChange? {
        let old = try prompts(of: known, context)
        let waiting = Set(old.filter(\.isUndealt).map(\.prompt.target)).intersection(shards.keys)
        guard !waiting.isEmpty else { return nil }
        placed += waiting.count
        var person = known.person
        var shard = known.shard
        if configuration.partition == .semantic {
            for (index, row) in try context.interactions(of: person).enumerated() where waiting.contains(row.key) {
                person.interactions[index].shard = shards[row.key]
            }
        } else {
            // All of a person's are dealt to one.
            shard = shards.values.max()
        }
        return PersonChange(
            before: known, after: person, shard: shard, old: old, new: try context.prompts(of: person, shard: shard))
    }

    private struct PartitionDetail: Encodable {
        var prompts: Int
        var shards: [Int]
    }
}

extension StoredPrompt {
    /// Whether it is a training prompt that still has no shard; one that was drawn for another goes where that goes.
    var isUndealt: Bool { prompt.split == .train && shard == nil && prompt.sampledFor == nil }
}
