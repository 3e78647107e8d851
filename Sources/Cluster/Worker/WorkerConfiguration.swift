import LanguageModels
import Messages
import Unlearning
import ZeroMQ

/// What a worker process is told at its start.
package struct WorkerConfiguration: Sendable {
    package enum PrecisionChoice: Sendable, Equatable {
        /// bf16 where the processor multiplies it, f32 elsewhere.
        case automatic
        case fixed(TrainingSpecification.Precision)
    }

    /// What becomes of the worker's shards.
    package enum DataDisposal: Sendable, Equatable {
        case kept
        /// Deleted at an orderly end; the goodbye says so.
        case deletedAtEnd
        /// The worker only connects to say that it deleted them.
        case deletedAtOnce
    }

    /// Keys for a coordinator that asks for CURVE.
    package struct CurveKeys: Sendable {
        package var own: CurveKeyPair
        package var coordinator: CurvePublicKey

        package init(own: CurveKeyPair, coordinator: CurvePublicKey) {
            self.own = own
            self.coordinator = coordinator
        }

        /// What stands in for keys before a coordinator of the same user on this machine's loopback; nil: there is none, or it asks
        /// for none.
        static func local(_ endpoint: String) -> CurveKeys? {
            guard let place = try? Endpoint(endpoint, for: .connecting).loopbackPlace,
                let files = LocalCoordinators().keys(at: place), let own = try? CurveKeyPair(contentsOf: files.own),
                let coordinator = try? CurvePublicKey(contentsOf: files.coordinator)
            else { return nil }
            return CurveKeys(own: own, coordinator: coordinator)
        }
    }

    /// Threads that compute; no result depends on them.
    package enum Threads: Sendable, Equatable {
        case fixed(Int)
        /// As many as cores are free of so many, which workers of this machine share.
        case shared(cores: Int)

        /// At most.
        package var count: Int {
            switch self {
            case .fixed(let count), .shared(let count): count
            }
        }
    }

    /// Longer than a host takes to start again, with its workers.
    package static let abandonedAge = Duration.seconds(600)

    /// A training that was killed does again what it did since.
    package static let standardCheckpointInterval = Duration.seconds(15)

    /// Where the coordinator may be, such as `tcp://127.0.0.1:7070`: tried in turn. At least one; they name the standard
    /// data directory.
    package private(set) var coordinators: [String]
    /// What people are to call the worker; nil: the coordinator finds a name.
    package var name: String?
    /// How long a worker that is asked to end goes on with what it computes.
    package var grace: Duration
    /// Where it tells how it is (`HealthListener`), HOST:PORT; nil: nowhere.
    package var health: String?
    /// The base model's file or directory.
    package var model: String
    /// Where shards are kept; nil: `DataDirectory.standard`.
    package var dataDirectory: String?
    package var disposal: DataDisposal
    /// How long a slot beside this worker's must have been free until it is deleted.
    package var abandonedAfter: Duration
    package var threads: Threads
    package var precision: PrecisionChoice
    /// Where packed weights are kept for all processes of the machine; nil: in memory only.
    package var weightCacheDirectory: String?
    package var curve: CurveKeys?
    /// `StageKeeping.checkpointInterval`
    package var checkpointInterval: Duration? = WorkerConfiguration.standardCheckpointInterval

    package init(
        coordinator: String, model: String, dataDirectory: String? = nil, threads: Threads,
        precision: PrecisionChoice = .automatic, weightCacheDirectory: String? = nil, curve: CurveKeys? = nil,
        disposal: DataDisposal = .kept, abandonedAfter: Duration = WorkerConfiguration.abandonedAge,
        otherCoordinators: [String] = [], name: String? = nil, grace: Duration = .zero
    ) {
        coordinators = [coordinator] + otherCoordinators
        self.name = name
        self.grace = grace
        self.model = model
        self.dataDirectory = dataDirectory
        self.threads = threads
        self.precision = precision
        self.weightCacheDirectory = weightCacheDirectory
        self.curve = curve
        self.disposal = disposal
        self.abandonedAfter = abandonedAfter
    }

    /// The first of `coordinators`.
    var coordinator: String { coordinators[0] }
}
