/// Checks under way, by shard, in the order in which they began.
struct ShardChecks: Sendable {
    private struct Entry: Sendable {
        var check: ShardCheck
        let sequence: Int
    }

    private var entries: [Int: Entry] = [:]
    private var latest = 0
    private var disputed: Set<Int> = []
    /// Shards whose check began, changed or ended. Whoever reads it empties it.
    var touched: [Int] = []

    var isEmpty: Bool { entries.isEmpty }

    subscript(shard: Int) -> ShardCheck? { entries[shard]?.check }

    /// Smaller for checks that began earlier.
    func sequence(of shard: Int) -> Int? { entries[shard]?.sequence }

    /// Shards whose check has no end yet.
    var open: [Int] { entries.filter { $0.value.check.isWanted }.keys.sorted() }

    /// Disputes, in the order in which the checks began.
    var disputes: [ShardCheck] {
        disputed.compactMap { entries[$0] }.sorted { $0.sequence < $1.sequence }.map(\.check)
    }

    mutating func begin(_ check: ShardCheck) {
        latest += 1
        entries[check.shard] = Entry(check: check, sequence: latest)
        note(check.shard)
    }

    mutating func end(_ shard: Int) {
        guard entries.removeValue(forKey: shard) != nil else { return }
        note(shard)
    }

    mutating func update(_ shard: Int, _ change: (inout ShardCheck) -> Void) {
        guard var check = entries[shard]?.check else { return }
        change(&check)
        entries[shard]?.check = check
        note(shard)
    }

    private mutating func note(_ shard: Int) {
        if entries[shard]?.check.isDisputed == true { disputed.insert(shard) } else { disputed.remove(shard) }
        touched.append(shard)
    }
}
