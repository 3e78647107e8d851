import Coordination
import Foundation
import LanguageModels
import Ledger
import Messages
import Recommendation
import Serving
import Unlearning

/// A split as it was read, and what the attention needs to know of it.
struct SplitMaterial: Sendable {
    var parts: [SplitPart?]
    /// Digests of the prompts whose embedding the ledger keeps; nil: the weights are equal whatever is asked.
    var embedded: Set<String>?

    /// The split's prompts, and those whose embedding the attention needs and the ledger does not keep.
    var loaded: LoadedSplit {
        let digests = SplitPart.inOrder(parts).map(\.digest)
        guard let embedded else { return LoadedSplit(digests: digests, missingEmbeddings: [], looksAtQuery: false) }
        return LoadedSplit(
            digests: digests, missingEmbeddings: digests.filter { !embedded.contains($0) }, looksAtQuery: true)
    }
}

extension LedgerService {
    /// Everybody's prompts of a split are read a portion at a time.
    func withSplit(
        _ split: Split, _ done: @escaping (LedgerService, Result<[SplitPart?], ClientError>) -> Void
    ) {
        let reading = ledger.reading(of: split)
        goOnReading({ try $0.ledger.goOn(with: reading) }, then: done)
    }

    func material(
        _ parts: [SplitPart?], _ parameters: SampleAdaptiveAttention.Parameters?
    ) throws -> SplitMaterial {
        guard try preparedAttention(parameters).looksAtQuery else { return SplitMaterial(parts: parts) }
        return SplitMaterial(parts: parts, embedded: try ledger.referencesWithEmbedding())
    }
}

/// What the report of an evaluation is made from.
struct EvaluationBuilding: Sendable {
    var scores: EvaluationScores
    var parts: [SplitPart?]
    var attention: PreparedAttention

    /// The report as a JSON object.
    ///
    /// - Throws: `ClientError` with code `stale` when prompts changed meanwhile.
    func report() throws -> [UInt8] {
        var labels: [String: Bool] = [:]
        for prompt in parts.lazy.compactMap(\.self).flatMap(\.prompts) { labels[prompt.digest] = prompt.label }
        let wanted = try scores.digests.map { digest in
            guard let label = labels[digest] else {
                throw ClientError(
                    code: .stale, message: "the prompts changed during the evaluation; ask again")
            }
            return label
        }
        let base = scores.series.first { if case .base = $0.model { true } else { false } }?.margins
        var variants = scores.series.map { series in
            var isBase: Bool { if case .base = series.model { true } else { false } }
            return variant(
                series.model.title(with: attention.members), margins: series.margins, over: isBase ? nil : base,
                labels: wanted, tokens: series.tokens, seconds: series.seconds)
        }
        let single = scores.series.filter { if case .adapter = $0.model { true } else { false } }
        if single.count > 1 {
            variants.append(
                variant(
                    "mean of outputs", margins: MeanOfOutputs.margins(single.map(\.margins)), over: base,
                    labels: wanted,
                    tokens: single.map(\.tokens).saturatedSum, seconds: single.reduce(0) { $0 + $1.seconds }))
        }
        let reply = EvaluateReply(
            split: scores.split.rawValue, prompts: scores.digests.count, tau: attention.parameters.tau,
            neighbours: attention.parameters.neighbours, exact: attention.members.allSatisfy(\.exact),
            variants: variants, comparisonSeconds: scores.single?.seconds,
            measured: scores.adapters.map { adapter in
                let member = attention.members.first { $0.name == adapter.name }
                return EvaluateReply.Measured(
                    shard: adapter.shard, adapter: adapter.name, stage: member?.stage, slices: member?.slices)
            })
        return Array(try ReplyCoding.encode(reply))
    }

    private func variant(
        _ name: String, margins: [Float], over base: [Float]?, labels: [Bool], tokens: Int, seconds: Double
    ) -> EvaluateReply.Variant {
        EvaluateReply.Variant(
            name: name, Metrics(margins: margins, labels: labels),
            tokensPerSecond: seconds > 0 ? Double(tokens) / seconds : 0,
            aboveBase: base.flatMap { AUCDifference(margins: margins, over: $0, labels: labels) })
    }
}

extension EvaluationScores.Series.Model {
    /// For tables: "APA(ND)", "shard 2", "shard 2 (approximate)", "shard 2 (stage 1 of 4, exact)", "base model".
    ///
    /// - Parameter members: the adapters that answer.
    package func title(with members: [QuestionMaterial.Member]) -> String {
        switch self {
        case .base: "base model"
        case .adapter(let shard, let name):
            "shard \(shard)"
                + (members.first { $0.name == name }.map { member in
                    member.exact
                        ? member.stage.map { " (\(StageWords.text($0, of: member.slices)))" } ?? "" : " (approximate)"
                } ?? "")
        case .aggregate(let rule, .prompt?): "APA(\(rule.rawValue))"
        case .aggregate(let rule, .history?): "APA(\(rule.rawValue)) by history"
        case .aggregate(let rule, nil): "equal weights (\(rule.rawValue))"
        case .single: "one adapter on all data"
        }
    }
}
