/// Which shards are to be checked for which forget requests, and what came of it.
struct CheckChoices: Sendable {
    /// What is known of one request's.
    struct Entry: Equatable, Sendable {
        /// Shards that it wants checked.
        var shards: [Int] = []
        /// Double checks of its shards once these were retrained, by shard.
        var noted: [Forgetting.Check] = []

        /// nil: the shard has had no clean adapter since.
        func check(of shard: Int) -> Forgetting.Check? { noted.first { $0.shard == shard } }
    }

    private var entries: [String: Entry] = [:]
    private var counts: [Int: Int] = [:]

    var isEmpty: Bool { entries.isEmpty }

    subscript(request: String) -> Entry { entries[request] ?? Entry() }

    /// Whether any request wants the shard checked.
    func isChosen(_ shard: Int) -> Bool { counts[shard] != nil }

    /// - Parameter before: what was known of the request.
    mutating func set(_ entry: Entry, of request: String, before: Entry) {
        guard entry != before else { return }
        if entry.shards != before.shards {
            for shard in before.shards { counts[shard] = counts[shard].flatMap { $0 > 1 ? $0 - 1 : nil } }
            for shard in entry.shards { counts[shard, default: 0] += 1 }
        }
        entries[request] = entry.shards.isEmpty && entry.noted.isEmpty ? nil : entry
    }

    /// The request is not pending any more.
    ///
    /// - Returns: what it wanted.
    mutating func drop(_ request: String) -> [Int] {
        guard let entry = entries[request] else { return [] }
        set(Entry(), of: request, before: entry)
        return entry.shards
    }
}
