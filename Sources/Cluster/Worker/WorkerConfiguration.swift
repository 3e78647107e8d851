import Unlearning
import ZeroMQ

/// What a worker process is told at its start.
public struct WorkerConfiguration: Sendable {
    public enum PrecisionChoice: Sendable, Equatable {
        /// bf16 where the processor multiplies it, f32 elsewhere.
        case automatic
        case fixed(TrainingSpecification.Precision)
    }

    /// Keys for a coordinator that asks for CURVE.
    public struct CurveKeys: Sendable {
        public var own: CurveKeyPair
        public var coordinator: CurvePublicKey

        public init(own: CurveKeyPair, coordinator: CurvePublicKey) {
            self.own = own
            self.coordinator = coordinator
        }
    }

    /// The coordinator's endpoint, such as `tcp://127.0.0.1:7070`.
    public var coordinator: String
    /// The base model's file or directory.
    public var model: String
    /// Where shards are kept; nil: `DataDirectory.standard`.
    public var dataDirectory: String?
    /// Threads that compute; no result depends on it.
    public var threads: Int
    public var precision: PrecisionChoice
    /// Where packed weights are kept for all processes of the machine; nil: in memory only.
    public var weightCacheDirectory: String?
    public var curve: CurveKeys?

    public init(
        coordinator: String, model: String, dataDirectory: String? = nil, threads: Int,
        precision: PrecisionChoice = .automatic, weightCacheDirectory: String? = nil, curve: CurveKeys? = nil
    ) {
        self.coordinator = coordinator
        self.model = model
        self.dataDirectory = dataDirectory
        self.threads = threads
        self.precision = precision
        self.weightCacheDirectory = weightCacheDirectory
        self.curve = curve
    }
}
