import Coordination
import Crypto
import Foundation
import LanguageModels
import Messages
import Unlearning
import ZeroMQ

/// What `lethe coordinator` is started with.
package struct CoordinatorOptions: Sendable {
    /// Encryption and admission, needed beyond loopback.
    package struct Security: Sendable {
        package var keys: CurveKeyPair
        /// Where it is read who may connect.
        package var sources: AllowSources
        /// As it was read last.
        package var allowed: AllowList

        /// - Throws: what makes that unusable.
        package init(keys: CurveKeyPair, sources: AllowSources) throws {
            self.keys = keys
            self.sources = sources
            allowed = try sources.read()
        }
    }

    package var dataDirectory: URL
    /// A GGUF file or a Hugging Face directory.
    package var model: String
    /// `tcp://127.0.0.1:*` picks a free port; the endpoint as bound is written to `<data>/endpoint`.
    package var endpoint = "tcp://127.0.0.1:7070"
    package var security: Security?
    /// On loopback, where there are no keys: whether every user of this machine may connect.
    package var opensLoopback = false
    package var shards = 4
    package var partition = PartitionMethod.user
    package var seed: UInt64 = 0
    /// nil: bf16 where the CPU has it, else f32.
    package var precision: TrainingSpecification.Precision?
    package var lora = LoRAConfiguration()
    package var epochs = 2
    package var batch = TrainingSpecification.defaultBatch
    package var learningRate = 1e-3
    package var warmupSteps = 0
    package var weightDecay = 0.0
    package var schedule = RateSchedule.constant
    package var dropout = 0.0
    package var heldOut = 0.0
    package var slices = 1
    /// nil: the usual for so many slices.
    package var averaging: WeightAveraging?
    package var rule = AggregationRule.nonDecomposed
    /// nil: the default for the model's depth.
    package var embedding: EmbeddingSource?
    package var whenNoAdapter = ClusterConfiguration.WhenNoAdapter.base
    package var whileRetraining = ClusterConfiguration.WhileRetraining.stage
    /// Of forget requests that name none.
    package var method = ForgetMethod.apa
    package var corrections = CorrectionConfiguration()
    package var doubleCheck = DoubleCheckRule.one
    /// Workers that there should be; nil: nobody said.
    package var expectedWorkers: Int?
    /// Of the query engine.
    package var threads = 1
    package var weightCache: String?
    /// nil: `keys`, below the data directory.
    package var keysDirectory: URL?
    /// nil: the keys lie in clear.
    package var masterKey: SymmetricKey?
    /// Folders of keys that were put aside, which somebody says are destroyed.
    package var destroyedKeys: [URL] = []
    /// Lost keys and changed logs that this start goes on without.
    package var accepted: AcceptedLosses = []
    /// Whether to start although an earlier run of this data directory learned that it was superseded.
    package var takesOver = false
    /// Files and connections that the process needs for what it serves beside the coordinator.
    package var reservedDescriptors = 0

    package static let mostWorkers = CoordinatorLimits.workers

    package init(dataDirectory: URL, model: String) {
        self.dataDirectory = dataDirectory
        self.model = model
    }

    /// - Throws: `CoordinatorStartError.endpointUnusable`.
    func listening() throws(CoordinatorStartError) -> Endpoint {
        do throws(ZeroMQError) {
            return try Endpoint(endpoint, for: .listening)
        } catch {
            throw .endpointUnusable(error.description)
        }
    }
}

/// Why a coordinator does not start.
package enum CoordinatorStartError: Error, CustomStringConvertible, Sendable {
    case keysNeeded(endpoint: String)
    case endpointUnusable(String)
    case endpointInUse(String)
    /// A setting that does not fit the model.
    case invalidSetting(String)

    package var description: String {
        switch self {
        case .keysNeeded(let endpoint):
            "\(endpoint) can be reached from other machines, so connections must be encrypted: make keys with `lethe keys "
                + "FILE` and pass --keys and --allow or --allow-list"
        case .endpointInUse(let endpoint):
            "\(endpoint) is in use by another process; stop that, or listen elsewhere with --listen"
        case .endpointUnusable(let reason), .invalidSetting(let reason): reason
        }
    }
}
