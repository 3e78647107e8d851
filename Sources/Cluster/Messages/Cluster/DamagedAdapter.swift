/// An adapter whose file did not hold what its name says.
public struct DamagedAdapter: Codable, Hashable, Sendable {
    public var shard: Int
    /// Content name.
    public var adapter: String
    /// Whether the file was gone, rather than another one.
    public var lost: Bool
    /// Whether the adapter was corrected, not trained: then training gives other bytes than it had.
    public var approximate: Bool

    public init(shard: Int, adapter: String, lost: Bool, approximate: Bool) {
        self.shard = shard
        self.adapter = adapter
        self.lost = lost
        self.approximate = approximate
    }
}

extension DamagedAdapter {
    /// For people.
    package var description: String {
        "the file of adapter \(adapter) \(lost ? "was gone" : "was damaged"); "
            + (approximate
                ? "it was approximate, which no training gives again: an exact one is trained"
                : "a worker that kept it sends it, or it is trained again")
    }
}
