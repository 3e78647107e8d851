/// How an adapter came about that was corrected instead of trained anew; kept with it until a training replaces it.
public struct CorrectionReport: Codable, Hashable, Sendable {
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
