import Foundation
import LanguageModels
import Recommendation
import Unlearning

extension LedgerService {
    /// The split's prompts, and those whose embedding the attention needs and the ledger does not keep.
    func load(_ split: Split, _ parameters: SampleAdaptiveAttention.Parameters?) throws -> LoadedSplit {
        let digests = try ledger.prompts(split: split).map(\.digest)
        guard try preparedAttention(parameters).looksAtQuery else {
            return LoadedSplit(digests: digests, missingEmbeddings: [], looksAtQuery: false)
        }
        let stored = Set(try ledger.attentionTable().digests)
        return LoadedSplit(
            digests: digests, missingEmbeddings: digests.filter { !stored.contains($0) }, looksAtQuery: true)
    }

    /// ω `[prompts, adapters]`, row by row.
    ///
    /// - Throws: `ClientError` with code `stale` when adapters or prompts changed meanwhile; as `PreparedAttention.weights`.
    func weights(_ request: WeightsRequest) throws -> [Float] {
        let attention = try preparedAttention(request.parameters)
        guard attention.members.map(\.name) == request.adapters else {
            throw ClientError(
                code: LedgerOutcome.stale, message: "the adapters changed during the evaluation; ask again")
        }
        let table = try ledger.attentionTable()
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
                        code: LedgerOutcome.stale, message: "the prompts changed during the evaluation; ask again")
                }
                queries += request.embeddings[(given * table.dimension)..<((given + 1) * table.dimension)]
                given += 1
            }
        }
        return try attention.weights(
            queries: request.digests.count, embeddings: queries,
            ids: request.digests.map { rows[$0].map { table.ids[$0] } ?? "" })
    }

    /// The report as a JSON object.
    func evaluation(_ scores: EvaluationScores) throws -> [UInt8] {
        var labels: [String: Bool] = [:]
        for prompt in try ledger.prompts(split: scores.split) { labels[prompt.digest] = prompt.prompt.label }
        let wanted = try scores.digests.map { digest in
            guard let label = labels[digest] else {
                throw ClientError(
                    code: LedgerOutcome.stale, message: "the prompts changed during the evaluation; ask again")
            }
            return label
        }
        var variants = scores.series.map { series in
            variant(
                name(of: series.model), margins: series.margins, labels: wanted, tokens: series.tokens,
                seconds: series.seconds)
        }
        let single = scores.series.filter { if case .adapter = $0.model { true } else { false } }
        if single.count > 1 {
            variants.append(
                variant(
                    EvaluationReport.Variant.meanOfOutputs.name,
                    margins: EvaluationReport.meanOfOutputs(single.map(\.margins)), labels: wanted,
                    tokens: single.reduce(0) { $0 + $1.tokens }, seconds: single.reduce(0) { $0 + $1.seconds }))
        }
        let parameters = try preparedAttention(scores.parameters).parameters
        let reply = EvaluateReply(
            split: scores.split.rawValue, prompts: scores.digests.count, tau: parameters.tau,
            neighbours: parameters.neighbours, variants: variants, comparisonSeconds: scores.single?.seconds)
        return Array(try ReplyCoding.encode(reply))
    }

    private func variant(
        _ name: String, margins: [Float], labels: [Bool], tokens: Int, seconds: Double
    ) -> EvaluateReply.Variant {
        let metrics = Metrics(margins: margins, labels: labels)
        return EvaluateReply.Variant(
            name: name, auc: metrics.auc, accuracy: metrics.accuracy, logLoss: metrics.logLoss,
            tokensPerSecond: seconds > 0 ? Double(tokens) / seconds : 0)
    }

    private func name(of model: EvaluationScores.Series.Model) -> String {
        switch model {
        case .base: EvaluationReport.Variant.base.name
        case .adapter(let shard, _): EvaluationReport.Variant.shard(shard).name
        case .aggregate(let rule, .prompt?): EvaluationReport.Variant.aggregate(rule).name
        case .aggregate(let rule, .history?): EvaluationReport.Variant.aggregateByHistory(rule).name
        case .aggregate(let rule, nil): EvaluationReport.Variant.equalWeights(rule).name
        case .single: EvaluationReport.Variant.comparison.name
        }
    }
}
