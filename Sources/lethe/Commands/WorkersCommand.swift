import ArgumentParser
import Messages

struct WorkersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers",
        abstract: "Show the workers, and send single ones away.",
        subcommands: [
            ListWorkers.self, DrainWorker.self, PauseWorker.self, ResumeWorker.self, RemoveWorker.self,
            ForgetCopyCommand.self,
        ], defaultSubcommand: ListWorkers.self)
}

/// Those that are here, and those that are away until they are removed.
struct ListWorkers: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show the workers, what they do and what their disks may hold. The default.",
        discussion: """
            Workers that are away stay on the list, also over a restart of the coordinator, until they are removed; those that \
            run with --ephemeral leave it when they say that they left nothing behind.
            """)

    @OptionGroup var client: ClientOptions

    private struct List: Encodable {
        var workers: [StatusReport.Worker]
        var expectedWorkers: Int?
        /// Of those that are expected, how many are not here.
        var missingWorkers: Int?
    }

    func run() throws {
        try client.withClient { coordinator in
            let report = try ReplyCoding.decode(StatusReply.self, from: coordinator.call(.status).body).report
            let presence = WorkerPresence(report)
            let list = List(
                workers: report.workers, expectedWorkers: report.expectedWorkers, missingWorkers: presence.missing)
            try client.output.emit(list) {
                guard !report.workers.isEmpty else { return presence.text ?? "no workers" }
                let head = [
                    "name", "state", "address", "release", "up", "threads", "tokens/s", "owns", "may hold", "does",
                    "worker",
                ]
                let rows = table([head] + report.workers.map { $0.row(copies: presence.copiesText(of: $0)) })
                return presence.text.map { "\($0)\n\n\(rows)" } ?? rows
            }
        }
    }
}

extension StatusReport.Worker {
    fileprivate func row(copies: String) -> [String] {
        [
            name, stateText, address ?? "-", releaseText, uptimeSeconds.map(WorkerPresence.span) ?? "-",
            threads == 0 ? "-" : "\(threads)", tokensPerSecond.map { decimal($0, 0) } ?? "-",
            shards.map(String.init).joined(separator: ","), copies,
            tasks.map(\.line).joined(separator: "; "), id,
        ]
    }

    /// "1.4 (protocol 9)"
    private var releaseText: String { (release ?? "-") + (protocolVersion.map { " (protocol \($0))" } ?? "") }
}
