/// Whether the audit log is what this ledger wrote, whole.
public struct AuditVerdict: Hashable, Sendable {
    /// Entries that were read.
    public var entries: Int
    /// What is wrong, for people; nil: nothing.
    public var finding: String?

    public var isIntact: Bool { finding == nil }

    public init(entries: Int, finding: String?) {
        self.entries = entries
        self.finding = finding
    }
}
