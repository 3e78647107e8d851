import ArgumentParser
import Foundation
import LanguageModels
import Messages
import Unlearning

struct AdaptersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "adapters",
        abstract: "List the adapters, or export them for PEFT.",
        subcommands: [List.self, Export.self, Lineage.self], defaultSubcommand: List.self)

    struct List: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "List the shards' adapters.")

        @OptionGroup var client: ClientOptions

        func run() throws {
            try client.withClient { coordinator in
                let reply = try coordinator.call(.adapters)
                try client.output.emit(json: reply.body) {
                    try ReplyCoding.decode(AdaptersReply.self, from: reply.body).text
                }
            }
        }
    }

    struct Lineage: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Show which training prompts are in which shard, and the margins that the attention weighs by.",
            discussion: """
                With the texts of `lethe prompts` and the options that `adapters list` prints, this is what training the \
                adapters again takes, and what ω of a query is computed from. Prompts go by their ids.
                """)

        @OptionGroup var client: ClientOptions

        func run() throws {
            try client.withClient { coordinator in
                let reply = try coordinator.call(.lineage, patience: .seconds(120))
                try client.output.emit(json: reply.body) {
                    try ReplyCoding.decode(LineageReply.self, from: reply.body).text
                }
            }
        }
    }
}

extension AdaptersReply {
    package var text: String {
        guard !adapters.isEmpty else { return "no adapters" }
        let rows = adapters.map { adapter in
            let training = adapter.training
            return [
                "\(adapter.shard)", String(adapter.name.prefix(16)),
                training.methodText, "\(training.prompts)", decimal(training.seconds, 1),
                training.seconds > 0
                    ? decimal(Double(training.slices?.tokens ?? training.tokens) / training.seconds, 0) : "-",
                String(training.manifest.prefix(16)),
            ]
        }
        return table([["shard", "adapter", "method", "prompts", "seconds", "tokens/s", "manifest"]] + rows)
    }
}

extension LineageReply {
    fileprivate var text: String {
        let prompts = shards.flatMap { shard in shard.prompts.map { ["\(shard.shard)", $0.id, $0.digest] } }
        let header = ["validation prompt", "label"] + margins.map { "shard \($0.shard)" }
        let rows = references.enumerated().map { position, reference in
            [reference.id, reference.label ? "Yes." : "No."]
                + margins.map { decimal(Double($0.margins[position]), 4) }
        }
        return [
            table([["shard", "training prompt", "digest"]] + prompts), table([header] + rows),
            "attention: τ \(decimal(attention.tau, 1)), n \(attention.neighbours)",
        ].joined(separator: "\n\n")
    }
}
