/// What it costs to forget one whole user: prompt tokens that are trained again, counted from the data without a training.
public struct RetrainingCost: Codable, Hashable, Sendable {
    /// What one user brings into the trainings.
    public struct User: Hashable, Sendable {
        public var name: String
        public var shard: Int
        /// Of the user's training prompts.
        public var tokens: Int

        public init(name: String, shard: Int, tokens: Int) {
            self.name = name
            self.shard = shard
            self.tokens = tokens
        }
    }

    public var slices: Int
    /// Users that the means are over, each forgotten alone and each as likely as any other.
    public var users: Int
    /// Tokens of one epoch of what is trained again: the retained prompts of the user's slice and of those after it.
    public var retrained: Double
    /// Of what would be without slices: the retained prompts of the user's shard.
    public var shard: Double
    /// Of what would be without shards: everybody else's prompts.
    public var everything: Double

    /// Under a partition that keeps users whole.
    ///
    /// - `users`: those with training prompts, each once.
    public init(_ users: [User], specification: TrainingSpecification) {
        let dealing = SliceDealing(specification)
        let places = users.map { dealing.slice(ofUser: $0.name) }
        /// Of a shard and a slice.
        var loads: [Int: [Int]] = [:]
        for (user, slice) in zip(users, places) {
            loads[user.shard, default: [Int](repeating: 0, count: dealing.slices)][slice - 1] += user.tokens
        }
        let all = users.reduce(0) { $0 + $1.tokens }
        var (again, ofShard, others) = (0.0, 0.0, 0.0)
        for (user, slice) in zip(users, places) {
            let load = loads[user.shard] ?? []
            again += Double(load.dropFirst(slice - 1).reduce(0, +) - user.tokens)
            ofShard += Double(load.reduce(0, +) - user.tokens)
            others += Double(all - user.tokens)
        }
        let count = Double(max(users.count, 1))
        slices = dealing.slices
        self.users = users.count
        (retrained, shard, everything) = (again / count, ofShard / count, others / count)
    }
}
