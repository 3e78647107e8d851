import ArgumentParser
import Client
import Messages

/// A worker, as commands name it.
struct NamedWorker: ParsableArguments {
    @Argument(help: "The worker's name, or its id: see lethe workers.")
    var worker: String

    @OptionGroup var client: ClientOptions

    func order(_ verb: WorkerOrder.Verb, text: (WorkerOrderReply) -> String) throws {
        try client.withClient { coordinator in
            let reply = try give(verb, coordinator)
            try client.output.emit(reply, done: "the order is given") { text(reply) }
        }
    }

    func give(_ verb: WorkerOrder.Verb, _ coordinator: CoordinatorClient) throws -> WorkerOrderReply {
        let body = try coordinator.call(.order(.init(worker: worker, verb: verb))).body
        return try ReplyCoding.decode(WorkerOrderReply.self, from: body)
    }
}

struct PauseWorker: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Give a worker no new work; it keeps what it holds.",
        discussion: """
            It finishes what it does. What is to be trained is trained by others; what it holds of trained shards stays with it. \
            It stays paused, also over restarts, until `lethe workers resume`. A worker with --ephemeral is a new one after each of \
            its restarts: with --name it is paused under that name, also while it is not there; without one it works again.
            """)

    @OptionGroup var named: NamedWorker

    func run() throws { try named.order(.pause) { "worker \($0.name) is paused" } }
}

struct ResumeWorker: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Let a worker work again that was paused or is being drained.")

    @OptionGroup var named: NamedWorker

    func run() throws { try named.order(.resume) { "worker \($0.name) works" } }
}

struct RemoveWorker: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Declare a worker that is away gone for good, with its disk.",
        discussion: """
            It leaves the list. What its disk may hold is declared destroyed, as by `lethe workers forget-copy`: the audit log \
            keeps who was named and when, and forget requests concerned get a signed supplement that says "destroyed", not \
            "confirmed". Should it come back all the same, it is on the list again, and its copies count until it has deleted them. \
            A worker that is here is drained instead.
            """)

    @OptionGroup var named: NamedWorker

    func run() throws {
        try named.order(.remove) { reply in
            let shards = reply.shards.map(String.init).joined(separator: ", ")
            let copies = reply.shards.isEmpty ? "" : "; declared destroyed: what it held of shards \(shards)"
            return "worker \(reply.name) is removed\(copies)"
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
            back all the same, its copies count again until it has deleted them. It stays on the list; `lethe workers remove` \
            takes it off, too.
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
            try client.output.emit(reply, done: "the copies are declared destroyed") {
                let shards = reply.shards.map(String.init).joined(separator: ", ")
                return "declared destroyed: what worker \(reply.worker) (\(reply.name)) held of shards \(shards)"
            }
        }
    }
}
