import Messages

/// An evaluation on its way.
struct Evaluation: Sendable {
    enum Phase: Sendable {
        /// Until everything is up to date.
        case waiting
        /// The ledger was asked for the split.
        case loading
        case scoring(EvaluationScoring)
        /// The service makes the report of the scores.
        case building(EvaluationScoring)
    }

    let request: ClientRequest.EvaluateRequest
    var phase = Phase.waiting
    /// What was scored before the data or adapters changed.
    var kept: KeptScores?
    /// The adapters that it stays with, whatever others come; nil: it takes those that answer when its split is loaded.
    var pinned: [ActiveAdapter]?
    /// Attention cannot be weighed any more over the adapters that it stays with: others answer beside them.
    var leavesOutAttention = false

    init(_ request: ClientRequest.EvaluateRequest) {
        self.request = request
    }

    /// The evaluation from the start, but for what was scored.
    var renewed: Evaluation {
        var renewed = Evaluation(request)
        renewed.kept = kept
        renewed.pinned = pinned
        renewed.leavesOutAttention = leavesOutAttention
        switch phase {
        case .scoring(let scoring), .building(let scoring): renewed.kept = KeptScores(scoring)
        case .waiting, .loading: break
        }
        return renewed
    }

    var hasBegun: Bool {
        if case .waiting = phase { false } else { true }
    }

    /// Names of adapters that were trained on everything.
    var singles: [String] {
        switch phase {
        case .scoring(let scoring), .building(let scoring): scoring.single.map { [$0.report.adapter] } ?? []
        case .waiting, .loading: []
        }
    }
}

/// What an evaluation has workers do: margins of the split's prompts under several models, one series each.
struct EvaluationScoring: Sendable {
    struct Series: Sendable {
        var model: EvaluationScores.Series.Model
        var margins: [Float]
        /// Which of them are there.
        var isScored: [Bool]
        var tokens = 0
        var seconds = 0.0
        /// Position of a series with the same adapters and weights, whose margins it shares.
        var sameAs: Int?
    }

    /// Attention of one scope over the split.
    struct Attention: Sendable {
        enum Weights: Sendable {
            /// What came in so far, `[missing, width]`; empty before the first.
            case waitingForEmbeddings([Float])
            case computing
            /// `[prompts, adapters]`.
            case ready([Float])
        }

        var scope: AttentionScope
        /// Prompts whose embedding workers compute.
        var missing: [String]
        var weights = Weights.waitingForEmbeddings([])

        /// Embeddings of so many values each came in; those that are there stay where they are.
        mutating func take(_ values: [Float], at range: Range<Int>, _ width: Int) {
            guard case .waitingForEmbeddings(var embeddings) = weights else { return }
            weights = .waitingForEmbeddings([])
            if embeddings.isEmpty { embeddings = [Float](repeating: 0, count: missing.count * width) }
            embeddings.replaceSubrange(range, with: values)
            weights = .waitingForEmbeddings(embeddings)
        }
    }

    /// The adapter that was trained on everything.
    struct Single: Sendable {
        var report: TrainingReport
        var bytes: [UInt8]
        /// The shards' manifests: what it was trained on.
        var basis: [String]
    }

    var digests: [String]
    /// Those that carry weight.
    var adapters: [ActiveAdapter]
    /// All that are measured.
    var measured: [ActiveAdapter] = []
    /// Empty where the weights are equal whatever is asked.
    var attentions: [Attention] = []
    var series: [Series] = []
    /// nil: not asked for, or still to come.
    var single: Single?
    var todo: [OperationPart.Item] = []
    /// Parts there are, and parts done.
    var parts = 0
    var done = 0

    /// Whether embedding parts are still to be given out.
    func isEmbedding(_ scope: AttentionScope) -> Bool {
        todo.contains { if case .embed(scope, _) = $0 { true } else { false } }
    }

    /// Whether every series is complete, and none is still to come.
    var isComplete: Bool {
        let weightsAreThere = attentions.allSatisfy { if case .ready = $0.weights { true } else { false } }
        return weightsAreThere && done == parts
    }
}
