import LanguageModels
import Messages
import Unlearning

/// The adapters that may answer at one moment and how to weigh them for a query (arXiv 2404.10327).
package struct PreparedAttention: Sendable {
    package typealias Member = QuestionMaterial.Member

    /// By shard. Where weights rest on rows of the error table, the adapters whose row is complete; if none is, or the
    /// weights are equal, all.
    package let members: [Member]
    package let parameters: SampleAdaptiveAttention.Parameters
    /// nil: equal weights, because nothing was tuned, τ is 0, no row is complete, or there is no validation prompt.
    private let attention: SampleAdaptiveAttention?

    /// - `parameters`: nil when nothing was tuned yet.
    package init(
        table: AttentionTable, parameters: SampleAdaptiveAttention.Parameters?, adapters: [AdapterRecord]
    ) throws {
        try self.init(
            table: table, parameters: parameters,
            members: adapters.map {
                let slices = $0.report.isStage ? $0.report.slices : nil
                return Member(
                    shard: $0.shard, name: $0.name, exact: $0.report.isExact, stage: slices?.stage,
                    slices: slices?.count)
            })
    }

    /// - `candidates`: the adapters that may answer, by shard.
    package init(
        table: AttentionTable, parameters chosenParameters: SampleAdaptiveAttention.Parameters?,
        members candidates: [Member]
    ) throws {
        let looksAtRows = chosenParameters.map { $0.tau != 0 } ?? false
        let rows =
            looksAtRows
            ? Dictionary(table.rows.map { ($0.adapter, $0) }, uniquingKeysWith: { first, _ in first }) : [:]
        let weighed = candidates.filter { rows[$0.name] != nil }
        let chosen = weighed.isEmpty ? candidates : weighed
        members = chosen
        parameters = chosenParameters ?? Self.equalWeights
        if weighed.isEmpty || table.ids.isEmpty {
            attention = nil
            return
        }
        // Rows in the order of the members.
        let errors = chosen.map { member in
            rows[member.name].map {
                SampleAdaptiveAttention.errors(margins: $0.margins, labels: table.labels)
            } ?? []
        }
        attention = try SampleAdaptiveAttention(
            ids: table.ids, embeddings: table.embeddings, dimension: table.dimension, errors: errors,
            parameters: parameters)
    }

    /// Until something was tuned.
    package static let equalWeights = SampleAdaptiveAttention.Parameters(tau: 0, neighbours: 20)

    /// Whether weights depend on the query at all.
    package var looksAtQuery: Bool { attention != nil && parameters.tau != 0 && members.count > 1 }

    /// ω `[queries, members]`, row by row.
    ///
    /// - `embeddings`: `[queries, hidden]`; not looked at when `looksAtQuery` is false.
    /// - `ids`: prompt ids, where queries may be validation prompts: those are not their own neighbours.
    package func weights(queries: Int, embeddings: [Float], ids: [String]? = nil) throws -> [Float] {
        guard let attention, looksAtQuery else {
            return [Float](repeating: members.isEmpty ? 0 : 1 / Float(members.count), count: queries * members.count)
        }
        return try attention.weights(for: embeddings, ids: ids)
    }

    /// One for each query; nil where the weights do not depend on it.
    ///
    /// - Parameter embeddings: `[queries, hidden]`.
    package func explanations(embeddings: [Float]) throws -> [SampleAdaptiveAttention.Explanation]? {
        guard let attention, looksAtQuery else { return nil }
        return try attention.explanations(for: embeddings)
    }
}

extension AttentionTable {
    /// Equal weights rest on nothing.
    package static let empty = AttentionTable(digests: [], ids: [], labels: [], embeddings: [], dimension: 0, rows: [])
}
