import LanguageModels
import Recommendation

/// What takes part in a comparison of unlearning methods.
public enum ComparisonMethod: String, Codable, CaseIterable, Hashable, Sendable {
    /// One adapter on all data; nothing is forgotten. How far everything else has to go.
    case original
    /// One adapter on the retained data, from the beginning: what all others are measured against.
    case retrain
    /// The same from another seed: how far two trainings on the same data lie apart. No smaller distance tells anything.
    case retrainAgain = "retrain-again"
    /// One adapter trained slice by slice, from the last stage on that what is forgotten is not in: exact, and sooner.
    case retrainSliced = "retrain-sliced"
    /// Shards by a hash of the prompt, mean of their outputs (arXiv 1912.03817).
    case sisa
    /// Balanced shards of similar users, mean of their outputs (arXiv 2201.06820, its user-based partition).
    case recEraser = "receraser"
    /// A few steps up the loss of the forgotten prompts, under a cap.
    case gradientAscent = "ascent"
    /// Away from the original's answers to the forgotten prompts, towards them on retained ones (NegKL among the baselines of
    /// arXiv 2403.03536).
    case negativeDivergence = "negkl"
    /// Towards the answers of an untrained model on the forgotten prompts, of the original on retained ones (arXiv
    /// 2205.08096).
    case badTeacher = "bad-t"
    /// Down the original's preference for its own answers to the forgotten prompts, towards them on retained ones (NPO, arXiv
    /// 2404.05868).
    case negativePreference = "npo"
    /// arXiv 2403.03536
    case e2urec
    /// arXiv 2307.02147
    case ifru
    /// The same without what the forgetting changed in other prompts.
    case ifruDirect = "ifru-direct"
    /// arXiv 2404.10327, the cluster's own partition, aggregation of factors.
    case apaD = "apa-d"
    /// The same, aggregation of products.
    case apaND = "apa-nd"
    /// The same with shards that are trained slice by slice.
    case apaSliced = "apa-sliced"

    /// For tables and figures.
    public var name: String {
        switch self {
        case .original: "Original"
        case .retrain: "Retrain"
        case .retrainAgain: "Retrain, other seed"
        case .retrainSliced: "Retrain, sliced"
        case .sisa: "SISA"
        case .recEraser: "RecEraser"
        case .gradientAscent: "Gradient ascent"
        case .negativeDivergence: "NegKL"
        case .badTeacher: "Bad-T"
        case .negativePreference: "NPO"
        case .e2urec: "E2URec"
        case .ifru: "IFRU"
        case .ifruDirect: "IFRU, no spillover"
        case .apaD: "APA(D)"
        case .apaND: "APA(ND)"
        case .apaSliced: "APA, sliced"
        }
    }

    /// Those that train slice by slice.
    public static let sliced: Set<ComparisonMethod> = [.retrainSliced, .apaSliced]

    /// The position among `allCases`: the order of every table.
    public var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}

/// What one forget request of a comparison takes away, and whose.
public struct ForgetKind: Codable, Hashable, Sendable, CustomStringConvertible {
    public enum Target: String, Codable, CaseIterable, Hashable, Sendable {
        /// A share of the users, by a keyed hash of user and seed.
        case users
        /// A share of the users: those with the most (fewest) interactions (core and edge sets of CURE4Rec, arXiv
        /// 2408.14393).
        case core, edge
        /// Single users, one request each.
        case user
        /// Single interactions, one request each: the prompt that asks about it, and all that show it.
        case interaction
        /// A share of the training interactions has its label flipped before the training; these are forgotten (as in
        /// the experiments of arXiv 2307.02147).
        case noise

        /// Whether the amount is a share in per cent; else it is a number of requests.
        public var isShare: Bool {
            switch self {
            case .users, .core, .edge, .noise: true
            case .user, .interaction: false
            }
        }
    }

    public var target: Target
    /// Per cent, or a number of requests.
    public var amount: Double

    public init(_ target: Target, _ amount: Double) {
        self.target = target
        self.amount = amount
    }

    /// `users:10%`, `core:5%`, `edge:5%`, `noise:10%`, `user`, `user:3`, `interaction`, `interaction:3`.
    public init?(_ text: String) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        guard let target = Target(rawValue: parts[0]) else { return nil }
        if target.isShare {
            guard parts.count == 2, parts[1].hasSuffix("%"), let amount = Double(parts[1].dropLast()) else {
                return nil
            }
            self.init(target, amount)
        } else {
            guard let amount = parts.count == 2 ? Int(parts[1]) : 1 else { return nil }
            self.init(target, Double(amount))
        }
        guard isValid else { return nil }
    }

    public init(from decoder: any Swift.Decoder) throws {
        let container = try decoder.singleValueContainer()
        guard let kind = ForgetKind(try container.decode(String.self)) else {
            throw DecodingError.dataCorruptedError(in: container, debugDescription: "no kind of forgetting")
        }
        self = kind
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        var container = encoder.singleValueContainer()
        try container.encode(description)
    }

    public var description: String {
        let number = amount == amount.rounded() ? String(Int(amount)) : String(amount)
        if target.isShare { return "\(target.rawValue):\(number)%" }
        return amount == 1 ? target.rawValue : "\(target.rawValue):\(number)"
    }

    private var isValid: Bool {
        target.isShare ? amount > 0 && amount <= 50 : (1...64).contains(amount)
    }
}

/// What a comparison is to cover. Every field is bounded.
public struct ComparisonOptions: Codable, Hashable, Sendable {
    public var forget: [ForgetKind]
    public var seeds: Int
    public var methods: [ComparisonMethod]
    /// Keep at most so many prompts of each split; of the training, the latest of users chosen by a keyed hash. nil: all.
    public var limit: Int?
    /// Requests for single interactions, one after another; 0: no sequence.
    public var sequence: Int
    /// nil: the cluster's.
    public var epochs: Int?
    /// Digests of cases that whoever asks has already (`PlannedCase.digest`): they are not computed. nil: none.
    public var kept: [String]?

    public init(
        forget: [ForgetKind] = ["users:5%", "users:10%", "users:20%", "user", "interaction", "noise:10%"].compactMap(
            ForgetKind.init),
        seeds: Int = 3, methods: [ComparisonMethod] = ComparisonMethod.allCases, limit: Int? = nil, sequence: Int = 8,
        epochs: Int? = nil, kept: [String]? = nil
    ) {
        self.forget = forget
        self.seeds = seeds
        self.methods = methods
        self.limit = limit
        self.sequence = sequence
        self.epochs = epochs
        self.kept = kept
    }

    /// Digests in `kept`, at most: several comparisons of the largest size.
    public static let largestKept = 4096

    /// One seed, a tenth of the users and one user, few prompts, one epoch: shows whether everything works, not which
    /// method is better.
    public static let quick = ComparisonOptions(
        forget: [ForgetKind(.users, 10), ForgetKind(.user, 1)], seeds: 1, limit: 64, sequence: 2, epochs: 1)

    /// - Throws: `UnlearningError.invalidSpecification`.
    public func check() throws {
        let problems: [(Bool, String)] = [
            (!forget.isEmpty && forget.count <= 16, "there must be 1 to 16 kinds of forgetting"),
            (Set(forget).count == forget.count, "a kind of forgetting is named twice"),
            ((1...32).contains(seeds), "there must be 1 to 32 seeds"),
            (!methods.isEmpty && Set(methods).count == methods.count, "every method may be named once"),
            (limit.map { (8...(1 << 20)).contains($0) } ?? true, "the limit must be 8 prompts or more"),
            ((0...256).contains(sequence), "a sequence has up to 256 requests"),
            (epochs.map { (1...100).contains($0) } ?? true, "there must be 1 to 100 epochs"),
            (
                (kept ?? []).count <= Self.largestKept && (kept ?? []).allSatisfy(PlannedCase.isDigest),
                "there may be \(Self.largestKept) kept cases, each named by a digest"
            ),
        ]
        for (holds, reason) in problems where !holds {
            throw UnlearningError.invalidSpecification(reason: reason)
        }
    }

    /// Original and Retrain always take part, in the order of `ComparisonMethod`.
    var orderedMethods: [ComparisonMethod] {
        ComparisonMethod.allCases.filter { $0 == .original || $0 == .retrain || methods.contains($0) }
    }
}
