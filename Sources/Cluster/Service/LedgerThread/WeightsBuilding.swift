import Coordination
import Messages
import Serving
import Unlearning

/// The weights of an evaluation's prompts, computed where nobody waits for them.
package struct WeightsBuilding: Sendable {
    private let request: WeightsRequest
    private let attention: PreparedAttention
    private let table: AttentionTable

    /// - `table`: the error table as it is.
    /// - `members`: the adapters that may answer, by shard.
    /// - Throws: `ClientError` with code `stale` when adapters changed meanwhile; as `PreparedAttention.init`.
    package init(
        _ request: WeightsRequest, _ table: AttentionTable, parameters: SampleAdaptiveAttention.Parameters?,
        members: [QuestionMaterial.Member]
    ) throws {
        attention = try PreparedAttention(table: table, parameters: parameters, members: members)
        guard attention.members.map(\.name) == request.adapters else {
            throw ClientError(code: .stale, message: "the adapters changed during the evaluation; ask again")
        }
        (self.request, self.table) = (request, table)
    }

    /// ω `[prompts, adapters]`, row by row.
    ///
    /// - Throws: `ClientError` with code `stale` when prompts changed meanwhile; as `PreparedAttention.weights`.
    package func weights() throws -> [Float] {
        var rows: [String: Int] = [:]
        for (row, digest) in table.digests.enumerated() { rows[digest] = row }
        var queries: [Float] = []
        queries.reserveCapacity(request.digests.count * table.dimension)
        var given = 0
        for digest in request.digests {
            if request.scope == .prompt, let row = rows[digest] {
                queries += table.embeddings[(row * table.dimension)..<((row + 1) * table.dimension)]
            } else {
                guard (given + 1) * table.dimension <= request.embeddings.count else {
                    throw ClientError(
                        code: .stale, message: "the prompts changed during the evaluation; ask again")
                }
                queries += request.embeddings[(given * table.dimension)..<((given + 1) * table.dimension)]
                given += 1
            }
        }
        // One that was to be computed has come into the table since: those behind it would take each other's.
        guard !attention.looksAtQuery || given * table.dimension == request.embeddings.count else {
            throw ClientError(code: .stale, message: "the prompts changed during the evaluation; ask again")
        }
        return try attention.weights(
            queries: request.digests.count, embeddings: queries,
            ids: request.digests.map { rows[$0].map { table.ids[$0] } ?? "" })
    }
}
