import ArgumentParser
import Files
import Foundation
import LanguageModels
import Logging
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
            several never take more than there are. --threads N takes so many whatever others do. No adapter depends on it.
            """)

    @Option(help: "Where the coordinator listens. [env: LETHE_COORDINATOR] [default: tcp://127.0.0.1:7070]")
    var coordinator: String?

    @OptionGroup var model: BaseModelOptions

    @Option(
        help:
            "Threads to compute with, \(OptionBounds.threads.inWords), or auto: the cores that no other worker uses."
    )
    var threads: ThreadChoice = .auto

    @Option(
        help:
            "Where this worker keeps its shards; each worker needs its own. [default: a free folder below ~/.local/state/lethe]"
    )
    var data: String?

    @Flag(help: "The shards are deleted when the worker ends, and the coordinator is told so.")
    var ephemeral = false

    @Flag(help: "Only delete the shards in --data, tell the coordinator so, and end.")
    var clean = false

    @Option(help: "This worker's CURVE key file, for a coordinator beyond loopback. [env: LETHE_KEYS]")
    var keys: String?

    @Option(help: "The coordinator's public key file. [env: LETHE_COORDINATOR_KEY]")
    var coordinatorKey: String?

    @Flag(help: "A failure to start is also printed as one JSON object.")
    var json = false

    func run() throws {
        PrivateFiles.makePrivate()
        try reportingFailures(json: json) {
            let endpoint = try coordinatorEndpoint(coordinator)
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
            let process = try WorkerProcess(
                configuration: WorkerConfiguration(
                    coordinator: endpoint, model: model.model, dataDirectory: data, threads: threads,
                    precision: model.precision.map { .fixed($0) } ?? .automatic,
                    weightCacheDirectory: weightCacheDirectory(model.weightCache), curve: curve,
                    disposal: clean ? .deletedAtOnce : ephemeral ? .deletedAtEnd : .kept),
                logger: serviceLogger("worker"))
            let signals = stopOnSignals { process.stop() }
            defer { signals.cancel() }
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
        case .auto: .shared(cores: min(ProcessInfo.processInfo.activeProcessorCount, OptionBounds.threads.upperBound))
        case .fixed(let count): .fixed(try within(OptionBounds.threads, count, "--threads"))
        }
    }
}
