/// Items that an import may draw negatives from: what people are taken not to like because they had nothing to do with it.
///
/// The rule is a pure function of the pool, the seed, and the one interaction that the negatives belong to: of nothing else that
/// the person did, and of nobody else. The pool is a table of items that was given beside the ratings, never what ratings brought.
public struct NegativePool: Sendable {
    /// Negatives for each interaction that is a like.
    public static let bounds = 0...20

    /// Sorted by their bytes, each once.
    private let items: [String]
    private let known: Set<String>

    public init(_ items: some Sequence<String>) {
        known = Set(items)
        self.items = known.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    public var count: Int { items.count }

    /// How many are drawn for an interaction with the item.
    public func count(_ wanted: Int, besides item: String) -> Int {
        max(0, min(wanted, known.contains(item) ? items.count - 1 : items.count))
    }

    /// Different items other than the interaction's own, in the order drawn. What else the person had to do with is not looked at:
    /// it may be forgotten later, and must leave no gap.
    ///
    /// - `wanted`: how many; all others where there are fewer.
    public func draw(_ wanted: Int, for key: InteractionKey, seed: UInt64) -> [String] {
        let wanted = count(wanted, besides: key.item)
        // So few that drawing would go on for long.
        if wanted * 2 > items.count {
            let ordered = items.filter { $0 != key.item }.map { ($0, Self.number(key, seed, $0)) }
            return ordered.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.prefix(wanted).map(\.0)
        }
        var drawn: [String] = []
        var attempt = 0
        while drawn.count < wanted {
            let number = Self.number(key, seed, String(attempt))
            let item = items[Int(number.multipliedFullWidth(by: UInt64(items.count)).high)]
            attempt += 1
            if item != key.item, !drawn.contains(item) { drawn.append(item) }
        }
        return drawn
    }

    private static func number(_ key: InteractionKey, _ seed: UInt64, _ field: String) -> UInt64 {
        FieldHash.number(["negative", String(seed), key.user, key.item, String(key.timestamp), field])
    }
}
