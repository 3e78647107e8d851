import ArgumentParser
import Files
import Foundation
import LanguageModels
import Logging
import Messages
import Unlearning
import Worker

struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Run a worker: it trains the shards it is given.",
        discussion: """
            A worker may be started and stopped at any time. It keeps its shards on disk and says what it has when it \
            comes back, so that only the difference travels.

            Workers of one user on one machine share its cores, piece by piece of work: one that trains alone has them all, \
            several take no more than there are. --threads N takes so many whatever others do. No adapter depends on it.

            At SIGINT it ends at once, at SIGTERM after what it computes, if that is done within --grace; a second signal ends \
            it at once. The coordinator gives others what it leaves. `lethe workers drain NAME` makes it hand everything over, \
            delete what it holds and end.
            """)

    @Option(help: coordinatorHelp)
    var coordinator: [String] = []

    @Option(help: "What people call this worker. [default: its host and a number, which the coordinator keeps]")
    var name: String?

    @OptionGroup var model: BaseModelOptions

    @Option(
        help:
            "Threads to compute with, \(OptionBounds.threads.inWords), or auto: the cores that no other worker uses."
    )
    var threads: ThreadChoice = .auto

    @Option(
        help:
            "Where this worker keeps its shards; each worker needs its own. [default: a free folder below ~/.local/state/lethe, by the coordinator's address]"
    )
    var data: String?

    @Flag(help: "The shards are deleted when the worker ends, and the coordinator is told so.")
    var ephemeral = false

    @Option(help: "Seconds for which SIGTERM lets it go on with what it computes, from 0 to 86400.")
    var grace = 0.0

    @Option(
        help: ArgumentHelp(
            "After so many seconds of a training what it has come to is kept, sealed, so that a worker that was killed goes on "
                + "there; not more often than costs about a hundredth of the time. 0: never.",
            valueName: "seconds"))
    var checkpoint = 15.0

    @Option(
        help: ArgumentHelp(
            "Tell whoever watches the process how it is, over HTTP: /livez, and /readyz once a coordinator has taken it in.",
            valueName: "host:port"))
    var health: String?

    @Flag(help: "Only delete the shards in --data, tell the coordinator so, and end.")
    var clean = false

    @Option(help: "This worker's CURVE key file, for a coordinator beyond loopback. [env: LETHE_KEYS]")
    var keys: String?

    @Option(help: "The coordinator's public key file. [env: LETHE_COORDINATOR_KEY]")
    var coordinatorKey: String?

    @OptionGroup var log: LogOptions

    @Flag(help: "A failure to start is also printed as one JSON object.")
    var json = false

    func run() throws {
        PrivateFiles.makePrivate()
        CoreDumps.refuse()
        try reportingFailures(json: json) {
            let logger = try log.logger("worker")
            let endpoints = try coordinatorEndpoints(coordinator)
            if let objection = name.flatMap(WorkerName.objection) {
                throw CommandFailure(.usage, "--name: \(objection)")
            }
            guard (0...86_400).contains(grace) else {
                throw CommandFailure(.usage, "--grace must be from 0 to 86400 seconds")
            }
            guard checkpoint == 0 || (0.01...86_400).contains(checkpoint) else {
                throw CommandFailure(.usage, "--checkpoint must be 0 or from 0.01 to 86400 seconds")
            }
            let threads = try threads.workerThreads()
            guard FileManager.default.fileExists(atPath: model.model) else {
                throw LanguageModelError.missingFile(path: model.model)
            }
            if clean {
                var isDirectory: ObjCBool = false
                guard let data, FileManager.default.fileExists(atPath: data, isDirectory: &isDirectory),
                    isDirectory.boolValue
                else { throw CommandFailure(.usage, "--clean needs a --data that is there") }
            }
            let curve = try curveKeys(keys: keys, coordinatorKey: coordinatorKey).map {
                WorkerConfiguration.CurveKeys(own: $0.keys, coordinator: $0.serverKey)
            }
            var configuration = WorkerConfiguration(
                coordinator: endpoints[0], model: model.model, dataDirectory: data, threads: threads,
                precision: model.precision.map { .fixed($0) } ?? .automatic,
                weightCacheDirectory: weightCacheDirectory(model.weightCache), curve: curve,
                disposal: clean ? .deletedAtOnce : ephemeral ? .deletedAtEnd : .kept,
                otherCoordinators: Array(endpoints.dropFirst()), name: name, grace: .seconds(grace))
            configuration.health = health
            configuration.checkpointInterval = checkpoint == 0 ? nil : .seconds(checkpoint)
            let process = try WorkerProcess(configuration: configuration, logger: logger)
            let signals = [stopOnSignals([SIGINT]) { process.stop() }, stopOnSignals([SIGTERM]) { process.leave() }]
            defer { for sources in signals { sources.cancel() } }
            try process.run()
        }
    }
}

/// `--threads N` or `--threads auto`.
enum ThreadChoice: ExpressibleByArgument {
    case auto
    case fixed(Int)

    init?(argument: String) {
        if argument == "auto" {
            self = .auto
        } else if let count = Int(argument) {
            self = .fixed(count)
        } else {
            return nil
        }
    }

    var defaultValueDescription: String {
        switch self {
        case .auto: "auto"
        case .fixed(let count): "\(count)"
        }
    }

    /// - Throws: `CommandFailure` for a number out of bounds.
    func workerThreads() throws -> WorkerConfiguration.Threads {
        switch self {
        case .auto: .shared(cores: min(AvailableCores.current.count, OptionBounds.threads.upperBound))
        case .fixed(let count): .fixed(try within(OptionBounds.threads, count, "--threads"))
        }
    }
}
