import Compute
import Files
import Foundation
import LanguageModels
import Logging
import Unlearning
import ZeroMQ

/// How a worker is asked to end: at once, or after what it computes.
struct EndRequests: Sendable {
    let stop: WakeUp
    let leave: WakeUp
}

/// One worker: a socket loop on the thread that calls `run`, a compute thread and a storage thread.
///
/// The loop only moves events and actions between the sockets, the two threads and `WorkerLogic`, which decides.
package final class WorkerProcess: Sendable {
    package typealias MakeExecutor = @Sendable (TrainingSpecification.Precision) throws -> any TaskExecutor

    private let configuration: WorkerConfiguration
    private let makeExecutor: MakeExecutor
    private let logger: Logger
    private let environment: [String: String]
    private let requests: EndRequests
    private let health = WorkerHealth()

    /// A worker that computes with the configured model.
    package convenience init(configuration: WorkerConfiguration, logger: Logger) throws {
        try self.init(configuration: configuration, logger: logger) { precision in
            try LanguageModelExecutor(
                model: configuration.model, precision: precision, threads: configuration.threads.count,
                cores: Self.sharedCores(configuration.threads, logger: logger),
                weightCacheDirectory: configuration.weightCacheDirectory,
                checkpointInterval: configuration.checkpointInterval)
        }
    }

    private static func sharedCores(_ threads: WorkerConfiguration.Threads, logger: Logger) -> SharedCores? {
        guard case .shared(let count) = threads else { return nil }
        do {
            return try SharedCores(SharedCores.standardPath(), count: count)
        } catch {
            logger.warning("\(error): this worker computes with \(count) threads, whatever others do")
            return nil
        }
    }

    /// - `makeExecutor`: called on the compute thread.
    /// - `environment`: says where directories lie that the configuration does not name.
    package init(
        configuration: WorkerConfiguration, logger: Logger,
        environment: [String: String] = ProcessInfo.processInfo.environment, makeExecutor: @escaping MakeExecutor
    ) throws {
        self.environment = environment
        self.configuration = configuration
        self.logger = logger
        self.makeExecutor = makeExecutor
        requests = EndRequests(stop: try WakeUp(), leave: try WakeUp())
    }

    /// Makes `run` say goodbye and return soon, and delete the shards before if they are not to be kept; no computation
    /// under way is finished. A signal handler may call it.
    package func stop() { requests.stop.signal() }

    /// Makes `run` do the same after it has finished what is being computed, within the configuration's grace; called again, at
    /// once. A signal handler may call it.
    package func leave() { requests.leave.signal() }

    /// Works until `stop`. May be called once.
    ///
    /// - Throws: `WorkerError`; what the model's files are refused for; `TaskFailure` when the store cannot be opened.
    package func run() throws {
        let listener = try configuration.health.map { try HealthListener(at: $0, health) }
        defer { listener?.end() }
        if let listener { logger.info("tells how it is at port \(listener.port)") }
        let isRemovedAtEnd = configuration.disposal != .kept
        let directory =
            if let path = configuration.dataDirectory {
                try DataDirectory(path: path, isRemovedAtEnd: isRemovedAtEnd)
            } else {
                try DataDirectory.standard(
                    endpoints: configuration.coordinators, isRemovedAtEnd: isRemovedAtEnd, environment: environment
                ) { [logger] in logger.warning("\($0)") }
            }
        var choices = Self.precisions(configuration.precision)
        while true {
            let precision = choices.removeFirst()
            do {
                let loop = try WorkerLoop(
                    configuration: configuration, directory: directory,
                    temporaryFolder: DataDirectory.temporaryFolder(environment), logger: logger,
                    requests: requests, health: health)
                try loop.run { [makeExecutor] in try makeExecutor(precision) }
                return
            } catch WorkerError.refused(let code, let message) where code == .precision && !choices.isEmpty {
                logger.info("the cluster does not compute in \(precision.rawValue): \(message)")
            }
        }
    }

    /// What to offer the coordinator, in order: the choice of precision is the cluster's.
    private static func precisions(
        _ choice: WorkerConfiguration.PrecisionChoice
    ) -> [TrainingSpecification.Precision] {
        switch choice {
        case .fixed(let precision): [precision]
        case .automatic: Element.hasFastBfloat16 ? [.bf16, .f32] : [.f32, .bf16]
        }
    }
}
