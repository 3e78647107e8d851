import Unlearning

/// A mean distance to Retrain, or the difference of two methods' distances, with its standard errors.
///
/// Seeds are the outer level: another seed draws other people to forget, other initial factors and another order, and its prompts
/// are other ones. `seedError` is the standard error of the seeds' means, which has all of that in it, but is itself known badly
/// from few seeds; `promptError` is that over the prompts and requests of the forget sets, for the seeds that there are. The larger
/// one is used. Prompts of one person share most of a history, so the error over prompts is too small, and one seed says nothing of
/// what another training would: from one seed nothing is told. Closed formulas over paired differences: nothing is drawn, so that the same report always says the same.
public struct DistanceEstimate: Codable, Hashable, Sendable {
    /// In nats: the mean over seeds of the means over requests of the means over prompts.
    public var mean: Double
    /// nil: a request has a single prompt, and is the only one of its seed.
    public var promptError: Double?
    /// nil for one seed.
    public var seedError: Double?
    public var seeds: Int
    /// Of all forget sets.
    public var prompts: Int

    /// nil: nothing tells how far chance reaches.
    public var standardError: Double? {
        guard promptError != nil || seedError != nil else { return nil }
        return max(promptError ?? 0, seedError ?? 0)
    }

    /// Whether it differs from 0 by more than two standard errors, over more than one seed.
    public var tells: Bool { seeds > 1 && standardError.map { abs(mean) > 2 * $0 } ?? false }

    /// Of all requests of one kind: of a method's distances, less those of another if one is given, over the requests that
    /// both answered; nil: there is none.
    public init?(_ method: ComparisonMethod, less other: ComparisonMethod? = nil, in requests: [PairedDistances]) {
        var seeds: [UInt64] = []
        for request in requests where !seeds.contains(request.seed) { seeds.append(request.seed) }
        var (means, variances): ([Double], [Double?]) = ([], [])
        var prompts = 0
        for seed in seeds {
            let own = requests.filter { $0.seed == seed && $0.prompts > 0 }
            let contrasts = own.compactMap { $0.contrast(method, other) }
            guard !contrasts.isEmpty else { continue }
            prompts += own.filter { $0.contrast(method, other) != nil }.reduce(0) { $0 + $1.prompts }
            means.append(Self.mean(contrasts.map(\.mean)))
            variances.append(Self.variance(of: contrasts))
        }
        guard !means.isEmpty else { return nil }
        mean = Self.mean(means)
        self.seeds = means.count
        self.prompts = prompts
        let known = variances.compactMap { $0 }
        if known.count == means.count { promptError = known.reduce(0, +).squareRoot() / Double(means.count) }
        seedError = Self.standardErrorOfMean(means)
    }

    /// Of means that each seed has of its own prompts, with their standard errors over these; nil without any.
    init?(seeds: [(mean: Double, standardError: Double?)], prompts: Int) {
        guard !seeds.isEmpty else { return nil }
        mean = Self.mean(seeds.map(\.mean))
        self.seeds = seeds.count
        self.prompts = prompts
        let known = seeds.compactMap(\.standardError)
        if known.count == seeds.count {
            promptError = known.reduce(0) { $0 + $1 * $1 }.squareRoot() / Double(seeds.count)
        }
        seedError = Self.standardErrorOfMean(seeds.map(\.mean))
    }

    /// nil for fewer than two values.
    static func standardErrorOfMean(_ values: [Double]) -> Double? { varianceOfMean(values)?.squareRoot() }

    /// Of the mean over the requests of one seed: from their prompts, or from how the requests differ, whichever is larger.
    private static func variance(of contrasts: [(mean: Double, variance: Double?)]) -> Double? {
        let inner = contrasts.compactMap(\.variance)
        let outer = varianceOfMean(contrasts.map(\.mean))
        guard inner.count == contrasts.count else { return outer }
        return max(outer ?? 0, inner.reduce(0, +) / Double(inner.count * inner.count))
    }

    private static func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

    /// nil for a single value.
    private static func varianceOfMean(_ values: [Double]) -> Double? {
        guard values.count > 1 else { return nil }
        let mean = mean(values)
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        return squares / Double(values.count * (values.count - 1))
    }
}

/// A method's distance to Retrain under one kind of forgetting: from `low` to `high` are two standard errors to both sides.
public struct DistanceInterval: Codable, Hashable, Sendable {
    public var kind: ForgetKind
    /// nil: the whole forget set.
    public var part: ForgetPart?
    public var method: ComparisonMethod
    public var distance: DistanceEstimate
    public var standardError: Double?
    public var low: Double?
    public var high: Double?

    init(kind: ForgetKind, part: ForgetPart?, method: ComparisonMethod, distance: DistanceEstimate) {
        self.kind = kind
        self.part = part
        self.method = method
        self.distance = distance
        standardError = distance.standardError
        low = standardError.map { max(0, distance.mean - 2 * $0) }
        high = standardError.map { distance.mean + 2 * $0 }
    }
}

/// Two methods under one kind of forgetting, over the same prompts.
public struct DistanceDifference: Codable, Hashable, Sendable {
    public var kind: ForgetKind
    /// nil: the whole forget set.
    public var part: ForgetPart?
    /// The one with the smaller mean distance to Retrain; nearer only where `isNearer`.
    public var method: ComparisonMethod
    public var than: ComparisonMethod
    /// Negative or 0.
    public var difference: DistanceEstimate
    public var standardError: Double?
    /// Whether the difference is more than two standard errors; else nothing is said of the two.
    public var isNearer: Bool

    init(
        kind: ForgetKind, part: ForgetPart?, method: ComparisonMethod, than: ComparisonMethod,
        difference: DistanceEstimate
    ) {
        self.kind = kind
        self.part = part
        self.method = method
        self.than = than
        self.difference = difference
        standardError = difference.standardError
        isNearer = difference.mean < 0 && difference.tells
    }
}

extension ComparisonReport {
    /// On the whole forget sets, by kind in the order of the rows, then by method; without Retrain, whose distance is 0.
    public var intervals: [DistanceInterval] { intervals(in: paired ?? []) }

    /// Every two methods of every kind, on the whole forget sets.
    public var differences: [DistanceDifference] { differences(in: paired ?? []) }

    /// The same on deleted prompts, then on rebuilt ones.
    public var partIntervals: [DistanceInterval] {
        ForgetPart.allCases.flatMap { intervals(in: distances(of: $0), part: $0) }
    }

    public var partDifferences: [DistanceDifference] {
        ForgetPart.allCases.flatMap { differences(in: distances(of: $0), part: $0) }
    }

    /// Of each request that has prompts of the part.
    func distances(of part: ForgetPart) -> [PairedDistances] { (parts ?? []).filter { $0.part == part } }

    private func intervals(in paired: [PairedDistances], part: ForgetPart? = nil) -> [DistanceInterval] {
        Self.kinds(of: paired).flatMap { kind, requests, methods in
            methods.compactMap { method in
                DistanceEstimate(method, in: requests).map {
                    DistanceInterval(kind: kind, part: part, method: method, distance: $0)
                }
            }
        }
    }

    private func differences(in paired: [PairedDistances], part: ForgetPart? = nil) -> [DistanceDifference] {
        Self.kinds(of: paired).flatMap { kind, requests, methods in
            methods.enumerated().flatMap { position, one in
                methods.dropFirst(position + 1).compactMap { other -> DistanceDifference? in
                    guard let difference = DistanceEstimate(one, less: other, in: requests) else { return nil }
                    guard difference.mean > 0, let turned = DistanceEstimate(other, less: one, in: requests) else {
                        return DistanceDifference(
                            kind: kind, part: part, method: one, than: other, difference: difference)
                    }
                    return DistanceDifference(kind: kind, part: part, method: other, than: one, difference: turned)
                }
            }
        }
    }

    static func kinds(
        of paired: [PairedDistances]
    ) -> [(kind: ForgetKind, requests: [PairedDistances], methods: [ComparisonMethod])] {
        var kinds: [ForgetKind] = []
        for request in paired where !kinds.contains(request.kind) { kinds.append(request.kind) }
        return kinds.map { kind in
            let requests = paired.filter { $0.kind == kind }
            let methods = ComparisonMethod.allCases.filter { method in
                method != .retrain && requests.contains { $0.methods.contains(method) }
            }
            return (kind, requests, methods)
        }
    }
}
