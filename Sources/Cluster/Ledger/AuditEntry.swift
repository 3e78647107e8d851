import Foundation

/// One entry of the audit log, chained to the one before it by SHA-256.
public struct AuditEntry: Codable, Hashable, Sendable {
    /// From 1, without gaps.
    public var sequence: Int
    public var time: Date
    /// forget, import, publish, …
    public var kind: String
    /// JSON with sorted keys; counts, digests and hashes of request ids, never content of the data.
    public var detail: String
    /// In hexadecimal, of the entry before; 64 zeros for the first.
    public var previous: String
    /// In hexadecimal.
    public var hash: String

    public init(sequence: Int, time: Date, kind: String, detail: String, previous: String, hash: String) {
        self.sequence = sequence
        self.time = time
        self.kind = kind
        self.detail = detail
        self.previous = previous
        self.hash = hash
    }
}
