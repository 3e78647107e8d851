import Messages

/// A long request on its way.
struct Operation: Sendable {
    enum Work: Sendable {
        case train
        case forget(Forgetting)
        case evaluate(Evaluation)
        case verify(Verification)
        case compare(Comparison)
    }

    /// The request's id.
    var id: String
    /// nil: found pending in the ledger after a restart.
    var request: ClientRequest?
    var work: Work
    var started: CoordinatorInstant
    /// Whether what the ledger has to remember of it is committed.
    var isAccepted = false
    /// Clients to answer when it is.
    var waiters: [ClientTicket] = []
    var state = OperationReport.State.running
    var error: ClientError?
    var result: OperationResult?
    /// Restarts of an evaluation or verification; parts of earlier runs are dropped.
    var generation = 0
    /// After a restart, for the snapshot to arrive.
    var notBefore: CoordinatorInstant?

    var kind: String {
        switch work {
        case .train: "train"
        case .forget: "forget"
        case .evaluate: "evaluate"
        case .verify: "verify"
        case .compare: "compare"
        }
    }

    var isForget: Bool {
        if case .forget = work { true } else { false }
    }

    mutating func end(_ result: OperationResult?) {
        state = .done
        error = nil
        self.result = result
    }

    mutating func fail(_ error: ClientError) {
        state = .failed
        self.error = error
    }
}

struct Forgetting: Sendable {
    /// nil after a restart.
    var outcome: ForgetOutcome?
    /// Copies that may hold what was forgotten, as known at the commit or when their worker came back.
    var suspects: [UnconfirmedCopy] = []
}

struct Evaluation: Sendable {
    struct Series: Sendable {
        var model: EvaluationScores.Series.Model
        var margins: [Float]
        var tokens = 0
        var seconds = 0.0
        /// Position of a series with the same adapters and weights, whose margins it shares.
        var sameAs: Int?
    }

    /// Attention of one scope over the split.
    struct Attention: Sendable {
        enum Weights: Sendable {
            case waitingForEmbeddings, computing
            /// `[prompts, adapters]`.
            case ready([Float])
        }

        var scope: AttentionScope
        /// Prompts whose embedding workers compute, and the values, `[missing, width]`.
        var missing: [String]
        var embeddings: [Float] = []
        var weights = Weights.waitingForEmbeddings
    }

    var split: Split
    var compare: Bool
    /// τ and n that the client asked for; nil: those in force.
    var parameters: SampleAdaptiveAttention.Parameters?
    var aggregatesOnly = false
    var isLoading = false
    var isBuilding = false
    /// nil until loaded.
    var digests: [String]?
    /// Empty where the weights are equal whatever is asked.
    var attentions: [Attention] = []
    var adapters: [ActiveAdapter] = []
    var series: [Series] = []
    var single: TrainingReport?
    var singleAdapter: [UInt8] = []
    var todo: [OperationPart.Item] = []
    /// Parts there are, and parts done.
    var parts = 0
    var done = 0
}

struct Verification: Sendable {
    struct Item: Sendable {
        var shard: Int
        var manifest: String
        var published: String
        /// The worker that trained it; nil: not on record.
        var trainer: String?
        var result: VerificationReport.Shard?
    }

    /// A forget request; nil: every shard.
    var request: String?
    var isLoading = false
    /// nil until known.
    var items: [Item]?
    /// Asked for, and not to be replayed.
    var approximate: [VerificationReport.Approximate] = []
    var empty: [Int] = []
    var notCurrent: [Int] = []
    var todo: [Int] = []
}
