import ArgumentParser
import Foundation
import Messages
import Recommendation

struct AccessCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "access",
        abstract: "Print everything that the cluster has of one person.",
        discussion: """
            Interactions, the prompts that were made from them, the shards and adapters that these reached, the workers' \
            disks that may hold them, and rows in imports in progress: what the person may be told, and what a forget request would touch. Who asked stands in \
            the audit log.
            """)

    @Option(help: "The person's identifier, as it was imported.")
    var user: String

    @OptionGroup var client: ClientOptions

    func run() throws {
        try client.withClient { coordinator in
            let body = try coordinator.call(.access(user: user)).body
            let reply = try ReplyCoding.decode(AccessReply.self, from: body)
            try client.output.emit(reply) { reply.text }
        }
    }
}

extension AccessReply {
    fileprivate var text: String {
        var lines = ["\(user): \(interactions.count) interactions, \(prompts.count) prompts"]
        lines += interactions.map(\.line)
        if let sampled {
            lines.append(
                "\(sampled.count) items drawn by imports as what \(user) may not like, and nothing that \(user) did:")
            let had = Set(interactions.map(\.item))
            lines += sampled.map {
                "  \($0.item)  \($0.title ?? "(no title)")  drawn for \($0.drawnFor)"
                    + (had.contains($0.item) ? "  (never asked about: \(user) has it)" : "")
            }
        }
        if let slice { lines.append("dealt to slice \(slice) of the shard at the import") }
        for prompt in prompts {
            let place = prompt.shard.map { "shard \($0)" } ?? prompt.split.rawValue
            let drawn = prompt.isSampled == true ? " (drawn)" : ""
            lines.append(
                "prompt \(prompt.id.prefix(16)) (\(place)): \(prompt.target)\(drawn) after \(prompt.history.joined(separator: ", "))"
            )
        }
        for shard in shards {
            let adapter = shard.adapter.map { "adapter \($0.prefix(16))" } ?? "no adapter"
            let lag = shard.stage.map { " (\(StageWords.text($0, of: shard.slices))) until the shard is trained again" }
            let state =
                shard.adapter == nil || shard.isCurrent ? "" : lag ?? ", trained before the data was what it is now"
            let earlier = shard.sawEarlier ? ", which saw earlier versions of the prompts" : ""
            lines.append("shard \(shard.shard): \(shard.prompts) prompts, \(adapter)\(state)\(earlier)")
            lines += shard.copies.map { "  may be on the disk of worker \($0.worker) (\($0.name))" }
        }
        for part in staged ?? [] {
            lines.append("\(part.interactions.count) rows in the import in progress \(part.importID):")
            lines += part.interactions.map(\.line)
        }
        if let damaged {
            let shards = damaged.shards.map(String.init).joined(separator: ", ")
            lines.append(
                "a record of \(user) was damaged and is gone; "
                    + (shards.isEmpty ? "no shard had prompts of it" : "it had prompts in shards \(shards)"))
        }
        lines += (spellings ?? []).map { "kept under another spelling, too:\n\($0.text)" }
        return lines.joined(separator: "\n")
    }
}

extension AccessReply.Rating {
    fileprivate var line: String {
        let time = Date(timeIntervalSince1970: Double(timestamp)).formatted(.iso8601)
        return "  \(time)  \(rating.formatted())  \(item)  \(title ?? "(no title)")"
    }
}
