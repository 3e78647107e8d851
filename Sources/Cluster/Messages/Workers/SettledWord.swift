/// An operator's word about a worker that was carried out, and what came of it. Whoever asks again under the same name is told the
/// same, and nothing is done twice: what was ordered may have been undone meanwhile.
public struct SettledWord: Codable, Hashable, Sendable {
    /// What was asked for.
    public enum Wanted: Codable, Hashable, Sendable {
        case order(WorkerOrder)
        /// The disk, or what it has of one shard, is declared destroyed.
        case destroyed(worker: String, shard: Int?)
    }

    public enum Outcome: Codable, Hashable, Sendable {
        case ordered(WorkerOrderReply)
        case destroyed(CopySettlement)
    }

    /// The id that the client chose.
    public var request: String
    public var wanted: Wanted
    public var outcome: Outcome

    package init(request: String, wanted: Wanted, outcome: Outcome) {
        (self.request, self.wanted, self.outcome) = (request, wanted, outcome)
    }
}
