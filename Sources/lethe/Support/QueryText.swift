import Experiments
import Foundation
import Messages

/// Answers for several users, in the order asked.
struct QueryAnswers: Encodable {
    struct Answer: Encodable {
        var user: String
        /// nil: see `error`.
        var reply: QueryReply?
        var error: ClientError?
    }

    var answers: [Answer]
}

/// Answers for people.
package enum QueryText {
    static func of(_ answer: QueryAnswers.Answer) -> String {
        answer.reply.map(of) ?? answer.error?.message ?? ""
    }

    package static func of(_ answer: QueryReply) -> String {
        let rows = answer.items.map { [decimal($0.probability), $0.item, $0.title] }
        var lines = [table([["P(like)", "item", "title"]] + rows)]
        if answer.adapters.isEmpty {
            lines.append("answered by the base model: no clean adapter is there")
        } else {
            let weights = answer.adapters.map { adapter in
                "shard \(adapter.shard) \(decimal(adapter.weight, 2))"
                    + (adapter.stage.map { " (\(StageWords.text($0, of: adapter.slices)))" } ?? "")
            }
            let kind = answer.exact ? "" : ", approximate adapters among them"
            lines.append("weights (\(answer.attention)): \(weights.joined(separator: ", "))\(kind)")
        }
        if let left = answer.leftOut {
            lines.append(
                "not computed, with \(decimal(100 * left.weight, 2)) % of the weight: shards "
                    + left.shards.map(String.init).joined(separator: ", "))
        }
        lines += answer.retrieval.map { [of($0)] } ?? []
        lines += answer.explanation.map { [of($0)] } ?? []
        if !answer.absentShards.isEmpty {
            let absent = answer.absentShards.map(String.init).joined(separator: ", ")
            lines.append("without shards \(absent): in quarantine or untrained")
        }
        return lines.joined(separator: "\n")
    }

    private static func of(_ retrieval: Retrieval) -> String {
        let parts = [
            (retrieval.likedTogether, "liked together with what is liked here"), (retrieval.popular, "liked by most"),
            (retrieval.others, "of the rest, by id"),
        ]
        let named = parts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: ", ")
        return "ranked: \(retrieval.candidates) candidates of \(retrieval.of) items (\(named))"
    }

    private static func of(_ explanation: [QueryReply.ExplainedItem]) -> String {
        let rows = explanation.map { item in
            [
                item.item, String(item.prompt.prefix(16)),
                item.weights.map { "\($0.shard): \(decimal($0.weight))" }.joined(separator: ", "),
                item.weights.compactMap { weight in weight.error.map { "\(weight.shard): \(decimal($0))" } }
                    .joined(separator: ", "),
                item.neighbours.prefix(3).map { String($0.prefix(16)) }.joined(separator: " ")
                    + (item.neighbours.count > 3 ? " … (\(item.neighbours.count))" : ""),
            ]
        }
        return table([["item", "prompt", "ω by shard", "error by shard", "neighbours"]] + rows)
    }
}
