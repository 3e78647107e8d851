import Unlearning

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

    public func method(_ name: ApproximateMethod) -> CorrectionMethod {
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
