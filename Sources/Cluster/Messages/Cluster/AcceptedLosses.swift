/// What an operator accepts, for one start, to have lost or to find changed. Each leaves an entry in the audit log.
public struct AcceptedLosses: OptionSet, Sendable {
    public let rawValue: Int

    public init(rawValue: Int) { self.rawValue = rawValue }

    /// What was forgotten is no longer recognised.
    public static let tombstoneKey = AcceptedLosses(rawValue: 1)
    /// Certificates that the old key signed are no longer this cluster's.
    public static let certificateKey = AcceptedLosses(rawValue: 2)
    /// The log was changed from outside, or the database is older than the log's signed head.
    public static let auditLog = AcceptedLosses(rawValue: 4)
    /// What workers keep sealed is noise, and is sent to them again; people without a key are lost.
    public static let keys = AcceptedLosses(rawValue: 8)
}
