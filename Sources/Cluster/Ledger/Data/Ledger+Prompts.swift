import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// Whose prompts are meant.
    enum PromptScope {
        case shard(Int)
        /// Every prompt of the split, whether it has a shard or not.
        case split(Split)
        case everything
    }

    // MARK: manifests and training prompts

    /// - Throws: `LedgerError.unknownShard`.
    package func manifest(shard: Int) throws -> ShardManifest {
        try requireShard(shard)
        return try read { try manifest(of: .shard(shard), $0) }
    }

    /// All training prompts, for the comparison with one adapter.
    package func manifestOfAllTrainingPrompts() throws -> ShardManifest {
        try read { try manifest(of: .split(.train), $0) }
    }

    /// The shard's prompts sorted by id, as in its manifest.
    package func samples(shard: Int) throws -> [TrainingPrompt] {
        try requireShard(shard)
        return try read { try sortedSamples(of: .shard(shard), $0) }
    }

    /// All training prompts sorted by id, as in `manifestOfAllTrainingPrompts`.
    package func allTrainingSamples() throws -> [TrainingPrompt] {
        try read { try sortedSamples(of: .split(.train), $0) }
    }

    /// The shard's prompts with these digests, in the order asked; digests that are no longer the shard's are left out.
    package func trainingPrompts(shard: Int, digests: [String]) throws -> [TrainingPrompt] {
        try requireShard(shard)
        return try read { try stored(digests, in: .shard(shard), $0).compactMap { $0?.prompt.sample } }
    }

    /// Prompts of any split with these digests, in the order asked; digests that are gone are left out.
    package func samples(digests: [String]) throws -> [TrainingPrompt] {
        try read { try stored(digests, in: .everything, $0).compactMap { $0?.prompt.sample } }
    }

    func requireShard(_ shard: Int) throws {
        guard (0..<configuration.shards).contains(shard) else { throw LedgerError.unknownShard(shard) }
    }

    func manifest(of scope: PromptScope, _ db: Database) throws -> ShardManifest {
        var entries: [ShardManifest.Entry] = []
        try forEachPrompt(of: scope, db) { known, prompt in
            entries.append(ShardManifest.Entry(id: prompt.prompt.id, digest: prompt.digest))
            places.note(prompt.digest, of: known.id)
        }
        return ShardManifest(entries: entries)
    }

    private func sortedSamples(of scope: PromptScope, _ db: Database) throws -> [TrainingPrompt] {
        var samples: [TrainingPrompt] = []
        try forEachPrompt(of: scope, db) { samples.append($1.sample) }
        return samples.sorted { $0.id < $1.id }
    }

    /// Person by person, each person's oldest target first.
    func forEachPrompt(
        of scope: PromptScope, _ db: Database, _ body: (KnownPerson, StoredPrompt) throws -> Void
    ) throws {
        guard let context = try promptContext(db) else { return }
        let (condition, arguments): (String, StatementArguments) =
            switch scope {
            case .shard(let shard): ("id IN (SELECT person FROM members WHERE shard = ?)", [shard])
            case .split(.validation): ("validation > 0", [])
            case .split, .everything: ("1", [])
            }
        try forEachPerson(where: condition, arguments: arguments, db) { known in
            for prompt in try prompts(of: known, context) {
                switch scope {
                case .shard(let shard) where prompt.shard != shard: continue
                case .split(let split) where prompt.prompt.split != split: continue
                default: try body(known, prompt)
                }
            }
        }
    }

    /// A prompt and whose it is.
    struct Found {
        var owner: KnownPerson
        var prompt: StoredPrompt
    }

    /// In the order of the digests; nil: there is none (any more).
    func stored(_ digests: [String], in scope: PromptScope, _ db: Database) throws -> [Found?] {
        guard let context = try promptContext(db) else { return digests.map { _ in nil } }
        var wanted = Set(digests)
        // What was handed out and is not where it was is gone.
        let isAnyPlaceUnknown = wanted.contains { places[$0] == nil }
        var found: [String: Found] = [:]
        func take(_ known: KnownPerson, _ prompt: StoredPrompt) {
            if case .shard(let shard) = scope, prompt.shard != shard { return }
            if wanted.remove(prompt.digest) != nil { found[prompt.digest] = Found(owner: known, prompt: prompt) }
        }
        for id in Set(digests.compactMap { places[$0] }).sorted() {
            guard let known = try person(id, db) else { continue }
            for prompt in try prompts(of: known, context) { take(known, prompt) }
        }
        if isAnyPlaceUnknown, !wanted.isEmpty {
            // Handed out before the last start.
            try forEachPrompt(of: scope, db) { known, prompt in
                places.note(prompt.digest, of: known.id)
                take(known, prompt)
            }
        }
        return digests.map { found[$0] }
    }

    // MARK: prompts, people, catalogue

    /// nil before the first import.
    package func promptConfiguration() throws -> PromptConfiguration? {
        try read { try Meta.promptConfiguration.value(PromptConfiguration.self, $0) }
    }

    /// By the user's first appearance, then by time: under tallrec the benchmark's order.
    package func prompts(split: Split) throws -> [StoredPrompt] {
        try read { db in
            var found: [(appearance: Person.Appearance, name: String, prompt: StoredPrompt)] = []
            try forEachPrompt(of: .split(split), db) { known, prompt in
                places.note(prompt.digest, of: known.id)
                found.append((known.person.appearance, known.person.name, prompt))
            }
            // A person's own keep their order.
            let order = found.indices.sorted { left, right in
                let (one, other) = (found[left], found[right])
                return (one.appearance.import, one.appearance.ordinal, one.name, left)
                    < (other.appearance.import, other.appearance.ordinal, other.name, right)
            }
            return order.map { found[$0].prompt }
        }
    }
}
