import Messages
import Recommendation
import Unlearning

/// What people's prompts are made with, beside their records.
struct PromptContext {
    var builder: PromptBuilder
    var catalogue: Catalogue
    /// Entries that count in place of the catalogue's.
    var entries: [Int64: Catalogue.Entry] = [:]
    /// nil: the partition depends on the data, and is recorded.
    var hashPartition: BalancedPartition?
    var partition: PartitionMethod
    /// nil: prompts say nothing of slices.
    var slices: SliceDealing?
    var references: ReferenceSample

    /// A person's interactions as everybody outside of the ledger names them, in the record's order.
    ///
    /// - Throws: `LedgerError.corrupt` for an item that the catalogue does not have.
    func interactions(of person: Person) throws -> [Interaction] {
        try person.interactions(catalogue)
    }

    /// Those that follow from the record; oldest target first.
    ///
    /// - Parameter shard: the person's, under the partition by user.
    func prompts(of person: Person, shard: Int?) throws -> [StoredPrompt] {
        let rows = try interactions(of: person)
        var titles: [String: String] = [:]
        var splits: [InteractionKey: Split] = [:]
        var shards: [InteractionKey: Int] = [:]
        for (kept, row) in zip(person.interactions, rows) {
            if let title = title(of: kept.item) { titles[row.item] = title }
            if let split = kept.split { splits[row.key] = split }
            if let shard = kept.shard { shards[row.key] = shard }
        }
        var negatives: [InteractionKey: [String]] = [:]
        for (kept, row) in zip(person.interactions, rows) where !kept.negatives.isEmpty {
            negatives[row.key] = try person.negatives(of: kept, catalogue)
            for (number, item) in zip(kept.negatives, negatives[row.key] ?? []) {
                if let title = title(of: number) { titles[item] = title }
            }
        }
        var personShard = shard
        if let hashPartition, hashPartition.method == .userHash {
            personShard = hashPartition.shard(of: PartitionSample(id: "", user: person.name))
        }
        var prompts = builder.prompts(
            user: person.name, interactions: rows, titles: { titles[$0] }, splits: splits,
            negatives: negatives)
        if let slices {
            let slice = person.slice ?? slices.slice(ofUser: person.name)
            for index in prompts.indices { prompts[index].slice = slice }
        }
        let digests = prompts.concurrentlyByParts { $0.map(\.digest) }.joined()
        return zip(prompts, digests).map { prompt, digest in
            StoredPrompt(
                prompt: prompt, digest: digest,
                shard: place(of: prompt, personShard: personShard, recorded: shards[prompt.source]),
                isReference: prompt.split == .validation && references.contains(prompt.id))
        }
    }

    /// What prompts call the item; nil: it has no title.
    func title(of item: Int64) -> String? { (entries[item] ?? catalogue[item]).flatMap(name) }

    /// The same of an entry.
    func name(_ entry: Catalogue.Entry) -> String? {
        entry.title.map { builder.name(title: $0, fields: entry.fields) }
    }

    /// Whether the titles of a prompt are too long together.
    func shortens(_ prompt: StoredPrompt) -> Bool {
        builder.shortens(prompt.prompt, titles: { item in catalogue.numbers(of: item).first.flatMap { title(of: $0) } })
    }

    /// nil: no training prompt, or to be dealt out by `partition`.
    private func place(of prompt: Prompt, personShard: Int?, recorded: Int?) -> Int? {
        guard prompt.split == .train else { return nil }
        switch partition {
        // What was drawn for an interaction lies where its own prompt does: they go together.
        case .hash:
            let id = prompt.sampledFor.map(PromptBuilder.promptID) ?? prompt.id
            return hashPartition?.shard(of: PartitionSample(id: id, user: prompt.user))
        case .user, .userHash: return personShard
        case .semantic: return recorded
        }
    }
}

extension Person {
    /// - Throws: `LedgerError.corrupt` for an item that the catalogue does not have.
    func interactions(_ catalogue: Catalogue) throws -> [Interaction] {
        try interactions.map { kept in
            guard let item = catalogue[kept.item] else {
                throw LedgerError.corrupt(
                    table: "people", column: "record", reason: "names an item that is not in the catalogue")
            }
            return Interaction(
                user: name, item: item.token, timestamp: kept.timestamp, rating: kept.rating, ordinal: kept.ordinal)
        }
    }

    /// What was drawn for one of the interactions, as everybody outside of the ledger names it.
    ///
    /// - Throws: `LedgerError.corrupt` for an item that the catalogue does not have.
    func negatives(of kept: Kept, _ catalogue: Catalogue) throws -> [String] {
        try kept.negatives.map { number in
            guard let item = catalogue[number] else {
                throw LedgerError.corrupt(
                    table: "people", column: "record", reason: "names an item that is not in the catalogue")
            }
            return item.token
        }
    }
}
