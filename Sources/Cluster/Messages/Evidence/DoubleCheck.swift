/// A shard retrained for a forget request and trained a second time by another worker.
public struct DoubleCheck: Codable, Hashable, Sendable {
    public enum Outcome: String, Codable, CaseIterable, Sendable {
        case sameBytes = "same-bytes"
        /// No second worker was there.
        case noOtherWorker = "no-other-worker"
        /// Other workers failed at it again and again.
        case failed
        /// Later forget requests took the adapter, and those after it, away before anybody trained it a second time.
        case superseded
    }

    public var shard: Int
    /// Content name of the published adapter.
    public var adapter: String
    public var outcome: Outcome
    /// Those that trained it to the same bytes, sorted.
    public var workers: [String]

    public init(shard: Int, adapter: String, outcome: Outcome, workers: [String]) {
        self.shard = shard
        self.adapter = adapter
        self.outcome = outcome
        self.workers = workers
    }
}
