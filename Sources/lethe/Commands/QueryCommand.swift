import ArgumentParser
import Experiments
import Foundation
import Messages
import Unlearning

struct QueryCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "query",
        abstract: "Ask what a user would like.",
        discussion: """
            With --item, P(like) of these items, each weighing the adapters for its own prompt. With --top, the best of \
            the catalogue that the user has not rated yet: the adapters are weighed once, for the user's history, so \
            that all candidates share one model. The reply names the weights and the adapters.
            """)

    @Option(help: "The user.")
    var user: String

    @Option(parsing: .upToNextOption, help: "Items to ask about.")
    var item: [String] = []

    @Option(help: "Rank the catalogue and return the best N, \(WireLimits.top.inWords).")
    var top: Int?

    @Flag(help: "Say what each item's weights rest on: neighbours among the validation prompts, and errors on them.")
    var explain = false

    @OptionGroup var client: ClientOptions

    func validate() throws {
        guard item.isEmpty != (top == nil) else { throw ValidationError("name either --item or --top") }
        if let top, !WireLimits.top.contains(top) {
            throw ValidationError("--top must be \(WireLimits.top.inWords)")
        }
    }

    func run() throws {
        try client.withClient { coordinator in
            let reply = try coordinator.call(
                .query(.init(user: user, items: item, top: top, explain: explain ? true : nil)), patience: .seconds(600)
            )
            try client.output.emit(json: reply.body) {
                let answer = try ReplyCoding.decode(QueryReply.self, from: reply.body)
                let rows = answer.items.map { [decimal($0.probability), $0.item, $0.title] }
                var lines = [table([["P(like)", "item", "title"]] + rows)]
                if answer.adapters.isEmpty {
                    lines.append("answered by the base model: no clean adapter is there")
                } else {
                    let weights = answer.adapters.map { "shard \($0.shard) \(decimal($0.weight, 2))" }
                    let kind = answer.exact ? "" : ", approximate adapters among them"
                    lines.append("weights (\(answer.attention)): \(weights.joined(separator: ", "))\(kind)")
                }
                lines += answer.explanation.map { [Self.text(of: $0)] } ?? []
                if !answer.absentShards.isEmpty {
                    let absent = answer.absentShards.map(String.init).joined(separator: ", ")
                    lines.append("without shards \(absent): in quarantine or untrained")
                }
                return lines.joined(separator: "\n")
            }
        }
    }

    private static func text(of explanation: [QueryReply.ExplainedItem]) -> String {
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
