import ArgumentParser
import Foundation
import Messages

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "Show workers, shards, progress and pending requests.")

    @Flag(help: "Show it again every second until interrupted.")
    var watch = false

    @OptionGroup var client: ClientOptions

    func run() throws {
        try client.withClient { coordinator in
            repeat {
                let reply = try coordinator.call(.status)
                let terminal = Terminal.output
                if watch, !client.json, terminal.isRich { try Output.write("\u{1B}[H\u{1B}[2J") }
                try client.output.emit(json: reply.body) {
                    try StatusText(ReplyCoding.decode(StatusReply.self, from: reply.body), on: terminal).text
                }
                if watch {
                    fflush(nil)
                    Thread.sleep(forTimeInterval: 1)
                }
            } while watch
        }
    }
}
