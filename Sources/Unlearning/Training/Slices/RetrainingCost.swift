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
    /// Where some users were dealt to the last slice because they will probably leave: the same of them alone and of all others.
    public var leavers: Part?
    public var others: Part?

    /// Some of the users.
    public struct Part: Codable, Hashable, Sendable {
        public var users: Int
        /// `RetrainingCost.retrained`, `.shard`
        public var retrained: Double
        public var shard: Double
    }

    /// Under a partition that keeps users whole.
    ///
    /// - `users`: those with training prompts, each once.
    /// - `leavers`: names of those who are dealt to the last slice.
    public init(_ users: [User], specification: TrainingSpecification, leavers: Set<String> = []) {
        let dealing = SliceDealing(specification)
        let places = users.map { leavers.contains($0.name) ? dealing.slices : dealing.slice(ofUser: $0.name) }
        /// Of a shard and a slice.
        var loads: [Int: [Int]] = [:]
        for (user, slice) in zip(users, places) {
            loads[user.shard, default: [Int](repeating: 0, count: dealing.slices)][slice - 1] += user.tokens
        }
        let all = users.reduce(0) { $0 + $1.tokens }
        let costs = zip(users, places).map { user, slice in
            let load = loads[user.shard] ?? []
            return (
                isLeaver: leavers.contains(user.name), again: load.dropFirst(slice - 1).reduce(0, +) - user.tokens,
                shard: load.reduce(0, +) - user.tokens
            )
        }
        func mean(_ costs: [(isLeaver: Bool, again: Int, shard: Int)]) -> Part {
            let count = Double(max(costs.count, 1))
            return Part(
                users: costs.count, retrained: Double(costs.reduce(0) { $0 + $1.again }) / count,
                shard: Double(costs.reduce(0) { $0 + $1.shard }) / count)
        }
        let whole = mean(costs)
        slices = dealing.slices
        self.users = users.count
        (retrained, shard) = (whole.retrained, whole.shard)
        everything = users.isEmpty ? 0 : Double(all) - Double(all) / Double(users.count)
        if !leavers.isEmpty {
            self.leavers = mean(costs.filter(\.isLeaver))
            others = mean(costs.filter { !$0.isLeaver })
        }
    }
}
