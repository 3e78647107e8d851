/// Which shards are to be checked for which forget requests, and what came of it.
struct CheckChoices: Sendable {
    private var shards: [String: [Int]] = [:]
    private var counts: [Int: Int] = [:]
    /// Double checks of a request's shards once these were retrained, by shard.
    private var noted: [String: [Forgetting.Check]] = [:]

    var isEmpty: Bool { shards.isEmpty && noted.isEmpty }

    func checks(of request: String) -> [Forgetting.Check] { noted[request] ?? [] }

    mutating func note(_ checks: [Forgetting.Check], of request: String) {
        noted[request] = checks.isEmpty ? nil : checks
    }

    /// Whether any request wants the shard checked.
    func isChosen(_ shard: Int) -> Bool { counts[shard] != nil }

    /// - Parameter chosen: what the request wants checked from now on.
    /// - Returns: what it wanted before, and what it wants.
    mutating func set(_ chosen: [Int], by request: String) -> [Int] {
        let before = shards[request] ?? []
        guard before != chosen else { return chosen }
        for shard in before { counts[shard] = counts[shard].flatMap { $0 > 1 ? $0 - 1 : nil } }
        for shard in chosen { counts[shard, default: 0] += 1 }
        shards[request] = chosen.isEmpty ? nil : chosen
        return before + chosen
    }

    /// The request is not pending any more.
    ///
    /// - Returns: what it wanted.
    mutating func drop(_ request: String) -> [Int] {
        noted[request] = nil
        return set([], by: request)
    }
}
