import Messages

/// The prompts that have shortened titles.
struct ShortenedPrompts {
    /// Whether any title is long enough to be cut beside others.
    var hasLongTitles: Bool
    private(set) var ids: Set<String>
    /// The first of their ids, sorted.
    private(set) var first: [String]

    init(ids: Set<String>, hasLongTitles: Bool) {
        self.ids = ids
        self.hasLongTitles = hasLongTitles
        first = Self.first(of: ids)
    }

    mutating func remove(_ id: String) {
        guard ids.remove(id) != nil, first.contains(id) else { return }
        first = Self.first(of: ids)
    }

    mutating func insert(_ id: String) {
        guard ids.insert(id).inserted else { return }
        first = Self.first(of: Set(first + [id]))
    }

    private static func first(of ids: Set<String>) -> [String] {
        Array(ids.sorted().prefix(ImportOutcome.namedPrompts))
    }
}
