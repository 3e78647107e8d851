import ArgumentParser
import Client
import Experiments
import Files
import Foundation
import LanguageModels
import Logging
import Messages
import Service
import Unlearning
import ZeroMQ

extension PartitionMethod: ExpressibleByArgument {}
extension AggregationRule: ExpressibleByArgument {}
extension LinearSite: ExpressibleByArgument {}
extension ClusterConfiguration.WhenNoAdapter: ExpressibleByArgument {}
extension ClusterConfiguration.WhileRetraining: ExpressibleByArgument {}

struct CoordinatorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coordinator",
        abstract: "Run the coordinator: it keeps the data and answers.",
        discussion: """
            Every option up to --http is also a key of the configuration file (JSON, with underscores: {"shards": 8, "learning_rate": \
            0.001}); an option on the command line wins. How it logs, and what is accepted for one start, is said on the command \
            line alone. What determines the adapters (shards, partition, seed, training) is \
            recorded at the first start and cannot be changed afterwards.

            Started again with --data alone a coordinator goes on as it was started last: also with the same method, rule, \
            double check and settings of the approximate methods, the base model where it was, the folder of keys, and the \
            workers that there should be. Given anew each time are --listen, --http, --keys and --allow or --allow-list, \
            --master-key, --threads and --weight-cache. `lethe config` prints all of it, in the form of a configuration file.

            The approximate methods have a key of their own in the file: {"e2urec": {"beta": 0.4, "alpha": 2, "batch": 16, …}, \
            "ifru": {"damping": "prepared", or a number, or a list of multiples, "probes": 8, "pruning": 0, …}}.

            Beyond loopback, connections are encrypted: --keys names this side's key file and --allow the public keys of \
            the workers and clients that may connect; --allow-list is a list in which each key has roles. At SIGHUP both are read \
            again: who is gone from them is refused from then on, also over connections that are there.

            Coordinators, workers and gateways leave no core dumps: people's data and keys would be in them. LETHE_CORE_DUMPS=allow \
            in the environment leaves that to the system.
            """)

    @OptionGroup var flags: CoordinatorFlags

    @Option(help: "A JSON file of options.")
    var config: String?

    @OptionGroup var log: LogOptions

    @Flag(help: "Print the endpoint as one JSON object once the coordinator listens.")
    var json = false

    @OptionGroup(title: "After a loss") var losses: LossFlags

    @Flag(
        help:
            "Start although another coordinator of this cluster was seen after this folder was last used: say so only if that one is gone for good and this folder is the right one."
    )
    var takeOver = false

    func run() throws {
        PrivateFiles.makePrivate()
        CoreDumps.refuse()
        try reportingFailures(json: json) {
            // From before the keys are read: nothing that is said of them meanwhile is lost.
            let hangUp = HangUp()
            let logger = try log.logger("coordinator")
            let flags = try flags.overriding(file: config)
            var options = try flags.options()
            options.accepted = losses.accepted
            options.destroyedKeys = losses.destroyedKeys.map { URL(fileURLWithPath: $0) }
            try CoordinatorFlags.configure(&options.corrections, file: config)
            options.takesOver = takeOver
            let gateway = try flags.http.map {
                try EmbeddedGateway(
                    listen: $0, security: options.security != nil, opensLoopback: options.opensLoopback, log: log)
            }
            options.reservedDescriptors = gateway?.descriptors ?? 0
            let process = try CoordinatorProcess(options: options, logger: logger)
            let signals = stopOnSignals { process.stop() }
            defer { signals.cancel() }
            hangUp.perform { process.readKeysAgain() }
            try process.run { endpoint in
                let curve = process.localClientKeys.map { ClientCurve(keys: $0.own, serverKey: $0.server) }
                gateway?.start(before: endpoint, curve: curve) { process.stop() }
                guard json else { return }
                try? Output(json: true).emit(["endpoint": endpoint]) { "" }
                fflush(nil)
            }
            try gateway?.end()
        }
    }
}
