import GRDB
import Messages

/// What the attention rests on, as it was read; the table is made of it where nobody waits.
package struct AttentionParts: Sendable {
    package struct Adapter: Equatable, Sendable {
        package var shard: Int
        /// Content name.
        package var name: String
        var serial: Int64
    }

    /// A reference prompt that has an embedding.
    struct Prompt: Sendable {
        var digest: String
        var id: String
        var label: Bool
        var embedding: [Float]
        /// By adapter of the person; nil: it is missing.
        var margins: [Float?]
    }

    /// Whoever has reference prompts.
    struct Person: Sendable {
        /// Those there were when the person was read; of one that came later nobody who was not read again has a margin.
        var adapters: [Adapter]
        var prompts: [Prompt]
    }

    /// All that may answer, by shard.
    package let adapters: [Adapter]
    let people: [Person]

    /// The prompts, and the rows of the adapters that have a margin for all of them.
    ///
    /// - Throws: `LedgerError.corrupt`.
    package func table() throws -> AttentionTable {
        let prompts = people.flatMap(promptsUnderPresent).sorted { $0.id < $1.id }
        let width = prompts.first?.embedding.count ?? 0
        guard prompts.allSatisfy({ $0.embedding.count == width }) else {
            throw LedgerError.corrupt(
                table: "embeddings", column: "vectors", reason: "holds vectors of different widths")
        }
        var table = AttentionTable(
            digests: prompts.map(\.digest), ids: prompts.map(\.id), labels: prompts.map(\.label),
            embeddings: prompts.flatMap(\.embedding), dimension: width, rows: [])
        for (index, adapter) in adapters.enumerated() {
            let margins = prompts.compactMap { $0.margins[index] }
            guard margins.count == prompts.count else { continue }
            table.rows.append(AttentionTable.Row(shard: adapter.shard, adapter: adapter.name, margins: margins))
        }
        return table
    }

    private func promptsUnderPresent(of person: Person) -> [Prompt] {
        guard person.adapters != adapters else { return person.prompts }
        let places = Dictionary(
            zip(person.adapters.map(\.serial), person.adapters.indices), uniquingKeysWith: { first, _ in first })
        return person.prompts.map { prompt in
            var prompt = prompt
            prompt.margins = adapters.map { adapter in places[adapter.serial].flatMap { prompt.margins[$0] } }
            return prompt
        }
    }
}

/// The error table on its way: every adapter has a row of margins with each person that has reference prompts.
package final class AttentionReading {
    /// As of the last portion.
    fileprivate var adapters: [AttentionParts.Adapter] = []
    /// Of the ledger when the adapters were read.
    fileprivate var commits: Int?
    fileprivate var people: PeopleReading<AttentionParts.Person>?

    package init() {}
}

extension Ledger {
    /// A portion of it. Adapters that come or go meanwhile begin nothing anew: rows of one that comes are written after it, and whoever
    /// gets them is read again.
    ///
    /// - Returns: nil: it goes on.
    package func goOn(
        with reading: AttentionReading, for span: Duration = .milliseconds(5)
    ) throws -> AttentionParts? {
        if reading.commits != commits {
            let present = try read(attentionAdapters)
            // Else everybody goes on sharing the list of before.
            if reading.adapters != present { reading.adapters = present }
            reading.commits = commits
        }
        let people =
            reading.people
            ?? PeopleReading(
                where: "reference > 0", readsValues: true,
                atOnce: Self.rowsOfStep / max(1, reading.adapters.count)
            ) { [unowned self, unowned reading] known, context, db in
                AttentionParts.Person(
                    adapters: reading.adapters,
                    prompts: try referencePrompts(of: known, context, under: reading.adapters, db))
            }
        reading.people = people
        guard let found = try goOn(with: people, for: span) else { return nil }
        reading.people = nil
        return AttentionParts(adapters: reading.adapters, people: found)
    }

    /// Digests of the reference prompts that have an embedding.
    package func referencesWithEmbedding() throws -> Set<String> {
        let people = PeopleReading(where: "reference > 0", readsValues: true, atOnce: .max) {
            [unowned self] known, context, db in
            try referencePrompts(of: known, context, under: [], db).map(\.digest)
        }
        while true {
            if let found = try goOn(with: people, for: .seconds(60)) { return Set(found.joined()) }
        }
    }

    /// Rows of margins that are opened before the time is looked at: some ten milliseconds.
    private static let rowsOfStep = 4096

    private func attentionAdapters(_ db: Database) throws -> [AttentionParts.Adapter] {
        try Row.fetchAll(db, sql: "SELECT shard, name, serial FROM adapters ORDER BY shard").map { row in
            AttentionParts.Adapter(
                shard: try row.value("shard", in: "adapters"), name: try row.value("name", in: "adapters"),
                serial: try row.value("serial", in: "adapters"))
        }
    }

    private func referencePrompts(
        of known: KnownPerson, _ context: PromptContext, under adapters: [AttentionParts.Adapter], _ db: Database
    ) throws -> [AttentionParts.Prompt] {
        guard let vectors = try embeddings(of: known.id, known.key, db) else { return [] }
        let references = try prompts(of: known, context).filter(\.isReference)
        guard !references.isEmpty else { return [] }
        let boxes = try adapters.map { try margins(of: known.id, adapter: $0.serial, known.key, db) }
        return references.compactMap { prompt in
            vectors[prompt.digest].map { vector in
                AttentionParts.Prompt(
                    digest: prompt.digest, id: prompt.id, label: prompt.prompt.label, embedding: vector,
                    margins: boxes.map { $0?[prompt.digest]?.first })
            }
        }
    }
}
