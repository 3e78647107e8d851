/// A rating that a question brings along, of somebody who need not be in the ledger.
public struct GivenRating: Codable, Hashable, Sendable {
    public var item: String
    public var rating: Double
    /// Seconds since 1970; nil: the list goes from the oldest to the newest.
    public var timestamp: Int64?

    public init(item: String, rating: Double, timestamp: Int64? = nil) {
        self.item = item
        self.rating = rating
        self.timestamp = timestamp
    }
}

extension ClientRequest.QueryRequest {
    /// Why nobody could answer this, whatever is in the ledger; nil: it may be asked.
    public var objection: String? {
        if let history {
            guard user.isEmpty else { return "a question is about a user or about a given history, not both" }
            let timed = history.count { $0.timestamp != nil }
            guard timed == 0 || timed == history.count else {
                return "of a history either every rating has a timestamp or none has: else nobody knows the order"
            }
        }
        if candidates != nil, !items.isEmpty {
            return "candidates are chosen of the catalogue; here the items are named"
        }
        return filter?.conditions.lazy.compactMap(\.objection).first
    }
}
