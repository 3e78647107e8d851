/// Two trainings of a shard gave different bytes.
public struct AdapterDispute: Codable, Hashable, Sendable {
    public var shard: Int
    /// Content names: of the published adapter, and of what the other training gave.
    public var published: String
    public var other: String
    /// The workers that trained them, in this order.
    public var workers: [String]

    public init(shard: Int, published: String, other: String, workers: [String]) {
        self.shard = shard
        self.published = published
        self.other = other
        self.workers = workers
    }
}
