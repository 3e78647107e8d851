import ArgumentParser
import Messages

struct WorkersCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "workers",
        abstract: "Show the workers and what their disks may hold.",
        subcommands: [ListWorkers.self, ForgetCopyCommand.self], defaultSubcommand: ListWorkers.self)
}

/// Those that are here, and those that are away and may still hold something.
struct ListWorkers: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Show the workers and what their disks may hold. The default.")

    @OptionGroup var client: ClientOptions

    private struct List: Encodable {
        var workers: [StatusReport.Worker]
    }

    func run() throws {
        try client.withClient { coordinator in
            let status = try ReplyCoding.decode(StatusReply.self, from: coordinator.call(.status).body)
            try client.output.emit(List(workers: status.report.workers)) {
                let rows = status.report.workers.map { worker in
                    [
                        worker.id, worker.name, worker.state.rawValue, decimal(worker.lastSeenSeconds, 0),
                        worker.shards.map(String.init).joined(separator: ","), worker.copiesText,
                    ]
                }
                guard !rows.isEmpty else { return "no workers" }
                return table([["worker", "name", "state", "last seen, s", "owns", "may hold"]] + rows)
            }
        }
    }
}

struct ForgetCopyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "forget-copy",
        abstract: "Declare the disk of a worker that is away, or does not answer, destroyed.",
        discussion: """
            Forget requests name every copy on a worker's disk that is not confirmed gone. A disk that is lost never \
            confirms anything: with this command an operator vouches for it. So does one of a worker that seems to be here \
            and has not deleted for a minute what it was told to: it is taken for gone until it greets anew. The audit log keeps who was named and when, and \
            the requests concerned get a signed supplement that says "destroyed", not "confirmed". Should the worker come \
            back all the same, its copies count again until it has deleted them.
            """)

    @Argument(help: "The worker's id, or its name if only one has it: see lethe workers.")
    var worker: String

    @Option(help: "Only what it may hold of this shard.")
    var shard: Int?

    @OptionGroup var client: ClientOptions

    func run() throws {
        try client.withClient { coordinator in
            let body = try coordinator.call(.forgetCopy(.init(worker: worker, shard: shard))).body
            let reply = try ReplyCoding.decode(ForgottenCopyReply.self, from: body)
            try client.output.emit(reply) {
                let shards = reply.shards.map(String.init).joined(separator: ", ")
                return "declared destroyed: what worker \(reply.worker) (\(reply.name)) held of shards \(shards)"
            }
        }
    }
}

extension StatusReport.Worker {
    /// "0, 2 (old data)"
    fileprivate var copiesText: String {
        copies.map { "\($0.shard)" + ($0.isCurrent ? "" : " (old data)") }.joined(separator: ", ")
    }
}
