import Foundation
import LanguageModels
import Unlearning
import ZeroMQ

/// What `lethe coordinator` is started with.
public struct CoordinatorOptions: Sendable {
    /// Encryption and admission, needed beyond loopback.
    public struct Security: Sendable {
        public var keys: CurveKeyPair
        /// Workers and clients that may connect.
        public var allowed: Set<CurvePublicKey>
        /// What the audit log calls them.
        public var names: [CurvePublicKey: String]

        public init(
            keys: CurveKeyPair, allowed: Set<CurvePublicKey>, names: [CurvePublicKey: String] = [:]
        ) {
            self.keys = keys
            self.allowed = allowed
            self.names = names
        }
    }

    public var dataDirectory: URL
    /// A GGUF file or a Hugging Face directory.
    public var model: String
    /// `tcp://127.0.0.1:*` picks a free port; the endpoint as bound is written to `<data>/endpoint`.
    public var endpoint = "tcp://127.0.0.1:7070"
    public var security: Security?
    public var shards = 4
    public var partition = PartitionMethod.user
    public var seed: UInt64 = 0
    /// nil: bf16 where the CPU has it, else f32.
    public var precision: TrainingSpecification.Precision?
    public var lora = LoRAConfiguration()
    public var epochs = 2
    public var batch = TrainingSpecification.defaultBatch
    public var learningRate = 1e-3
    public var warmupSteps = 0
    public var weightDecay = 0.0
    public var rule = AggregationRule.nonDecomposed
    /// nil: the default for the model's depth.
    public var embedding: EmbeddingSource?
    public var whenNoAdapter = ClusterConfiguration.WhenNoAdapter.base
    /// Of forget requests that name none.
    public var method = ClusterConfiguration.Method.apa
    public var corrections = CorrectionConfiguration()
    public var doubleCheck = DoubleCheckRule.one
    /// Of the query engine.
    public var threads = 1
    public var weightCache: String?
    /// Lost keys and changed logs that this start goes on without.
    public var accepted: AcceptedLosses = []
    /// Whether to start although an earlier run of this data directory learned that it was superseded.
    public var takesOver = false

    public init(dataDirectory: URL, model: String) {
        self.dataDirectory = dataDirectory
        self.model = model
    }

    /// Whether the endpoint can only be reached from this machine.
    var isLoopback: Bool {
        ["tcp://127.", "tcp://localhost:", "tcp://[::1]:", "ipc://"].contains { endpoint.hasPrefix($0) }
    }
}

/// Why a coordinator does not start.
public enum CoordinatorStartError: Error, CustomStringConvertible, Sendable {
    case keysNeeded(endpoint: String)
    case endpointUnusable(String)
    /// A setting that does not fit the model.
    case invalidSetting(String)

    public var description: String {
        switch self {
        case .keysNeeded(let endpoint):
            "\(endpoint) can be reached from other machines, so connections must be encrypted: make keys with `lethe keys "
                + "create` and pass --keys and --allow"
        case .endpointUnusable(let reason), .invalidSetting(let reason): reason
        }
    }
}
