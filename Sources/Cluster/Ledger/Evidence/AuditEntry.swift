import Foundation

/// One entry of the audit log, chained to the one before it by SHA-256.
package struct AuditEntry: Codable, Hashable, Sendable {
    /// From 1, without gaps.
    package var sequence: Int
    package var time: Date
    /// forget, import, publish, …
    package var kind: String
    /// JSON with sorted keys; counts, digests and hashes of request ids, never content of the data.
    package var detail: String
    /// In hexadecimal, of the entry before; 64 zeros for the first.
    package var previous: String
    /// In hexadecimal.
    package var hash: String

    package init(sequence: Int, time: Date, kind: String, detail: String, previous: String, hash: String) {
        self.sequence = sequence
        self.time = time
        self.kind = kind
        self.detail = detail
        self.previous = previous
        self.hash = hash
    }
}
