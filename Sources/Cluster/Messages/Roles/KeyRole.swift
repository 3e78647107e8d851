/// What a CURVE key may be used for. A key may have several roles.
public enum KeyRole: String, CaseIterable, Codable, Hashable, Comparable, Sendable {
    /// Be a worker, and look at the status.
    case worker
    /// Ask.
    case query
    /// Bring interactions and have them trained.
    case data
    /// Have people and interactions forgotten, and follow these requests.
    case forget
    /// Read requests, certificates, the audit log and the lineage, and have them verified.
    case audit
    /// Everything that clients ask for; neither be a worker nor hold a lease.
    case admin
    /// Answer questions itself, under a lease, and show how the cluster stands. What a gateway only passes on needs the role
    /// for that.
    case gateway

    /// In the order of their declaration.
    public static func < (left: KeyRole, right: KeyRole) -> Bool { left.position < right.position }

    private var position: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
