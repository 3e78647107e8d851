import ArgumentParser
import Foundation
import LanguageModels
import Messages

struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train every shard that is behind its data.",
        discussion: "Training goes on by itself when data is imported or forgotten later. Nothing is trained twice.")

    @Flag(help: "Wait until every shard is current.")
    var wait = false

    @OptionGroup var client: ClientOptions

    func run() throws {
        try client.withClient { coordinator in
            guard wait else {
                let accepted = try ReplyCoding.decode(AcceptedReply.self, from: coordinator.call(.train).body)
                try client.output.emit(accepted.report, done: "the training is ordered") {
                    "accepted as \(accepted.report.id); follow it with `lethe status`"
                }
                return
            }
            let done = try ReplyCoding.decode(AcceptedReply.self, from: coordinator.complete(.train))
            let adapters = try ReplyCoding.decode(AdaptersReply.self, from: coordinator.call(.adapters).body)
            try client.output.emit(
                TrainSummary(operation: done.report.id, shards: adapters.adapters), done: "every shard is current"
            ) {
                adapters.text
            }
        }
    }

    private struct TrainSummary: Encodable {
        var operation: String
        var shards: [AdaptersReply.Adapter]
    }
}
