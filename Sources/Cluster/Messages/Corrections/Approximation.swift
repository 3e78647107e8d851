import Unlearning

/// An approximate method with everything but data, model and adapter that determines a correction.
public enum CorrectionMethod: Hashable, Sendable {
    /// arXiv 2403.03536
    case e2urec(E2URecConfiguration)
    /// arXiv 2307.02147
    case ifru(IFRUConfiguration)

    public var name: ApproximateProvenance.Method {
        switch self {
        case .e2urec: .e2urec
        case .ifru: .ifru
        }
    }
}

/// `{"method": "ifru", "settings": {…}}`
extension CorrectionMethod: Codable {
    private enum CodingKeys: String, CodingKey { case method, settings }
    /// What ledgers of before have: `{"ifru": {"_0": {…}}}`.
    private enum OlderKeys: String, CodingKey { case e2urec, ifru }
    private enum OlderValue: String, CodingKey { case settings = "_0" }

    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        if let method = try container.decodeIfPresent(ApproximateProvenance.Method.self, forKey: .method) {
            switch method {
            case .e2urec: self = .e2urec(try container.decode(E2URecConfiguration.self, forKey: .settings))
            case .ifru: self = .ifru(try container.decode(IFRUConfiguration.self, forKey: .settings))
            }
            return
        }
        let older = try decoder.container(keyedBy: OlderKeys.self)
        if older.contains(.e2urec) {
            let value = try older.nestedContainer(keyedBy: OlderValue.self, forKey: .e2urec)
            self = .e2urec(try value.decode(E2URecConfiguration.self, forKey: .settings))
        } else {
            let value = try older.nestedContainer(keyedBy: OlderValue.self, forKey: .ifru)
            self = .ifru(try value.decode(IFRUConfiguration.self, forKey: .settings))
        }
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(name, forKey: .method)
        switch self {
        case .e2urec(let settings): try container.encode(settings, forKey: .settings)
        case .ifru(let settings): try container.encode(settings, forKey: .settings)
        }
    }
}

/// How an adapter came about that was corrected instead of trained anew; kept with it until a training replaces it.
public struct Approximation: Codable, Hashable, Sendable {
    /// What IFRU had to know before it could solve.
    public struct Preparation: Codable, Hashable, Sendable {
        /// Whether it was there when the request came. Its cost is not part of the request's then.
        public var beforehand: Bool
        public var cost: PhaseCost

        public init(beforehand: Bool, cost: PhaseCost) {
            self.beforehand = beforehand
            self.cost = cost
        }
    }

    public var provenance: ApproximateProvenance
    public var method: CorrectionMethod
    /// Of IFRU only.
    public var preparation: Preparation?
    /// The phases' costs, of the method that was used.
    public var e2urec: E2URecReport?
    public var ifru: IFRUReport?

    public init(
        provenance: ApproximateProvenance, method: CorrectionMethod, preparation: Preparation? = nil,
        e2urec: E2URecReport? = nil, ifru: IFRUReport? = nil
    ) {
        self.provenance = provenance
        self.method = method
        self.preparation = preparation
        self.e2urec = e2urec
        self.ifru = ifru
    }

    /// Time and work of the request itself, without a preparation made beforehand.
    public var cost: PhaseCost {
        let prepared = preparation.map { $0.beforehand ? PhaseCost() : $0.cost } ?? PhaseCost()
        return prepared + (e2urec?.total ?? PhaseCost()) + (ifru?.total ?? PhaseCost())
    }
}

/// Why a shard is retrained exactly although an approximate correction was asked for. A closed list: it is kept in the
/// ledger and stands in certificates, so no text from outside gets into it.
public enum CorrectionFallback: String, Codable, CaseIterable, Hashable, Sendable, Error {
    /// The shard's adapter was away already, and is being retrained.
    case retraining
    /// A request for exact forgetting came before the correction was done.
    case exactForget = "exact-forget"
    /// The shard's prompts were changed otherwise (by an import, by the partition of new prompts) since its adapter was
    /// trained, or before the correction was done.
    case dataChanged = "data-changed"
    /// None of the shard's prompts is another one, but its adapter saw what is forgotten.
    case nothingToCorrect = "nothing-to-correct"
    case forgetSetTooLarge = "forget-set-too-large"
    case noReferenceRows = "no-reference-rows"
    case notFinite = "not-finite"
    /// The preparation's rows would take more memory than allowed.
    case preparationTooLarge = "preparation-too-large"
    /// What a correction by influence was predicted to do is not what it does.
    case outOfTolerance = "out-of-tolerance"
    /// The file of the adapter that was to be corrected was damaged or gone.
    case originalDamaged = "original-damaged"
    /// Workers failed at it again and again.
    case failed

    public var description: String {
        switch self {
        case .retraining: "its adapter was already being retrained"
        case .exactForget: "a request for exact forgetting came before the correction was done"
        case .dataChanged: "its prompts changed in other ways since the adapter was trained"
        case .nothingToCorrect: "its adapter saw the data in prompts that are no longer there"
        case .forgetSetTooLarge: "more prompts were to be forgotten than retained"
        case .noReferenceRows: "no prompt was left to make the curvature of"
        case .notFinite: "the correction gave numbers that are not finite"
        case .preparationTooLarge: "the preparation would have taken too much memory"
        case .outOfTolerance: "the correction's predictions did not come true"
        case .originalDamaged: "the file of the adapter that was to be corrected was damaged"
        case .failed: "the correction failed"
        }
    }

    /// What a worker's failure at a correction means; nil: another try may succeed.
    package init?(code: String) {
        switch CorrectionFallback(rawValue: code) {
        case .forgetSetTooLarge: self = .forgetSetTooLarge
        case .noReferenceRows: self = .noReferenceRows
        case .notFinite: self = .notFinite
        case .preparationTooLarge: self = .preparationTooLarge
        case .nothingToCorrect: self = .nothingToCorrect
        case .outOfTolerance: self = .outOfTolerance
        case .failed: self = .failed
        default: return nil
        }
    }
}

/// How a forget request is carried out.
package struct ForgetMethod: Hashable {
    package var method: ClusterConfiguration.Method
    /// What serves until the exact adapter is there.
    package var bridge: ApproximateProvenance.Method?

    /// What an affected shard is corrected by, if it is.
    package var correction: ApproximateProvenance.Method? { bridge ?? method.approximate }

    /// - Throws: `LedgerError.invalidRequest`.
    package init(_ request: ClientRequest.ForgetRequest, default standard: ClusterConfiguration.Method)
        throws(LedgerError)
    {
        var method = request.bridge == nil ? standard : .apa
        if let name = request.method {
            guard let known = ClusterConfiguration.Method(rawValue: name) else {
                throw .invalidRequest(
                    reason: "no forget method \(name.clipped): there are "
                        + ClusterConfiguration.Method.allCases.map(\.rawValue).joined(separator: ", "))
            }
            method = known
        }
        self.method = method
        guard let name = request.bridge else { return }
        guard let bridge = ApproximateProvenance.Method(rawValue: name) else {
            throw .invalidRequest(
                reason: "nothing can bridge by \(name.clipped): there are "
                    + ApproximateProvenance.Method.allCases.map(\.rawValue).joined(separator: ", "))
        }
        guard method == .apa else {
            throw .invalidRequest(reason: "a bridge leads to exact adapters: it goes with the method apa only")
        }
        self.bridge = bridge
    }
}

/// What the approximate methods of a cluster are run with. May change from start to start; what a correction was made
/// with is recorded with it.
public struct CorrectionConfiguration: Codable, Hashable, Sendable {
    public var e2urec: E2URecConfiguration
    public var ifru: IFRUConfiguration
    /// Prepare IFRU for every trained shard, also where the cluster forgets by another method.
    public var preparesInfluence: Bool

    public init(
        e2urec: E2URecConfiguration = E2URecConfiguration(), ifru: IFRUConfiguration = IFRUConfiguration(),
        preparesInfluence: Bool = false
    ) {
        self.e2urec = e2urec
        self.ifru = ifru
        self.preparesInfluence = preparesInfluence
    }

    public func method(_ name: ApproximateProvenance.Method) -> CorrectionMethod {
        switch name {
        case .e2urec: .e2urec(e2urec)
        case .ifru: .ifru(ifru)
        }
    }

    /// - Throws: `LedgerError.invalidConfiguration`.
    package func check() throws(LedgerError) {
        do {
            try e2urec.check()
            try ifru.check()
        } catch {
            throw .invalidConfiguration(reason: "\(error)")
        }
    }
}
