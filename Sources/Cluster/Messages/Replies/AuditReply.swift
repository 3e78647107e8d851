/// Entries of the audit log, oldest first: not more than `AuditRequest.largest`.
public struct AuditReply: Codable, Sendable, Equatable {
    public struct Entry: Codable, Sendable, Equatable {
        /// From 1, without gaps.
        public var sequence: Int
        /// ISO 8601, UTC, with milliseconds.
        public var time: String
        public var kind: String
        /// JSON, to the byte as it was hashed.
        public var detail: String
        /// In hexadecimal, of the entry before.
        public var previous: String
        /// SHA-256, in hexadecimal, of the lines previous, sequence, milliseconds since 1970, kind, detail.
        public var hash: String

        package init(sequence: Int, time: String, kind: String, detail: String, previous: String, hash: String) {
            self.sequence = sequence
            self.time = time
            self.kind = kind
            self.detail = detail
            self.previous = previous
            self.hash = hash
        }
    }

    public var entries: [Entry]

    public init(entries: [Entry]) {
        self.entries = entries
    }
}
