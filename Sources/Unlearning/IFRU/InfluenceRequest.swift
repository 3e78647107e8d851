import Recommendation

/// What a forgetting changes among the prompts of one shard (arXiv 2307.02147, where the graph is the prompt builder's).
/// Prompts that are not named here are as they were: their gradients cancel and are never computed.
public struct InfluenceRequest: Codable, Hashable, Sendable {
    /// A retained prompt whose history held something forgotten.
    public struct Rebuilt: Codable, Hashable, Sendable {
        public var old: TrainingPrompt
        public var new: TrainingPrompt
        /// Forgotten items ÷ items of the old history.
        public var forgottenShare: Double

        public init(old: TrainingPrompt, new: TrainingPrompt, forgottenShare: Double = 1) {
            self.old = old
            self.new = new
            self.forgottenShare = forgottenShare
        }
    }

    /// Prompts whose target is forgotten, or that left the training for another reason.
    public var direct: [TrainingPrompt]
    public var rebuilt: [Rebuilt]
    /// Prompts that the training did not have before.
    public var added: [TrainingPrompt]

    /// All versions of all of them.
    var prompts: [TrainingPrompt] { direct + rebuilt.flatMap { [$0.old, $0.new] } + added }

    public init(direct: [TrainingPrompt], rebuilt: [Rebuilt] = [], added: [TrainingPrompt] = []) {
        self.direct = direct
        self.rebuilt = rebuilt
        self.added = added
    }

    /// The training prompts of a difference; the caller has restricted it to one shard.
    public init(difference: PromptDifference<Prompt, Prompt>) {
        self.init(direct: difference.deleted.filter { $0.split == .train }.map(TrainingPrompt.init))
        for change in difference.rebuilt {
            switch (change.old.split == .train, change.new.split == .train) {
            case (true, true):
                rebuilt.append(
                    Rebuilt(
                        old: TrainingPrompt(change.old), new: TrainingPrompt(change.new),
                        forgottenShare: change.forgottenShare))
            case (true, false): direct.append(TrainingPrompt(change.old))
            case (false, true): added.append(TrainingPrompt(change.new))
            case (false, false): break
            }
        }
        added += difference.added.filter { $0.split == .train }.map(TrainingPrompt.init)
    }
}

/// Everything but data, preparation and model that determines a correction by IFRU.
public struct IFRUConfiguration: Codable, Hashable, Sendable {
    /// λ of the damped curvature JᵀJ/n + λ·1.
    public enum Damping: Hashable, Sendable {
        case fixed(Double)
        /// Multiples of `InfluencePreparation.meanCurvature`, tried from the smallest to the largest.
        case relative([Double])
        /// As the preparation was calibrated, whose trial stands for the probes of every request; like `relative` with the
        /// default multiples if it was not.
        case prepared

        public static let defaultMultiples = [0.01, 0.1, 1, 10, 100]
    }

    /// How much a rebuilt prompt matters.
    public enum Importance: String, Codable, CaseIterable, Sendable {
        /// Forgotten items ÷ length of the history; costs nothing.
        case history
        /// |m(x) − m(x′)| under the adapter; costs a forward pass of every rebuilt prompt.
        case margin
    }

    public var damping: Damping
    /// Mean KL divergence, in nats, of the retained prompts' answers from what they were that a step may cause by
    /// prediction.
    public var divergenceCap: Double
    /// Retained prompts whose actual margin change is compared with the predicted one, where calibration did not do so within
    /// the tolerance; 0: trust the prediction.
    public var probes: Int
    /// Accepted distance between the two, ‖actual − predicted‖ ÷ ‖predicted‖; predictions that bf16 arithmetic could not
    /// tell from none count as large as its error.
    public var tolerance: Double
    /// False leaves rebuilt and added prompts out: what influence functions without a graph do. For comparison only.
    public var spillover: Bool
    /// Share of the rebuilt prompts to leave out, those of least importance, 0...1. Direct prompts are never left out.
    public var pruning: Double
    public var importance: Importance

    public init(
        damping: Damping = .prepared, divergenceCap: Double = 0.1, probes: Int = 8, tolerance: Double = 0.5,
        spillover: Bool = true, pruning: Double = 0, importance: Importance = .history
    ) {
        self.damping = damping
        self.divergenceCap = divergenceCap
        self.probes = probes
        self.tolerance = tolerance
        self.spillover = spillover
        self.pruning = pruning
        self.importance = importance
    }

    /// - Throws: `ApproximateError.dampingNotPositive`, `UnlearningError.invalidSpecification`.
    public func check() throws {
        let dampings: [Double] =
            switch damping {
            case .fixed(let value): [value]
            case .relative(let multiples): multiples
            case .prepared: [1]
            }
        guard (1...1000).contains(dampings.count), dampings.allSatisfy({ $0.isFinite && $0 > 0 }) else {
            throw ApproximateError.dampingNotPositive
        }
        let problems: [(Bool, String)] = [
            (divergenceCap.isFinite && divergenceCap > 0, "the cap on the divergence must be positive"),
            ((0...(1 << 20)).contains(probes), "the probes must be from 0 to \(1 << 20)"),
            (tolerance.isFinite && tolerance > 0, "the tolerance must be positive"),
            ((0...1).contains(pruning), "the share of pruned prompts must lie between 0 and 1"),
        ]
        for (holds, reason) in problems where !holds {
            throw UnlearningError.invalidSpecification(reason: reason)
        }
    }
}
