import Compute

/// Pairs of users and items as sparse rows of both: rows and columns are nodes, users 0..<users, items follow.
///
/// The users' entries come first, ordered by user and item; the items' entries are the same pairs once more, ordered by item
/// and user.
package struct BipartiteAdjacency: Hashable, Sendable {
    package let users: Int
    package let items: Int
    package let rows: SparseRows
    /// For each entry of the items the users' entry of the same pair.
    private let mirror: [Int32]

    package var pairs: Int { mirror.count }

    /// - Parameters:
    ///   - starts: `[users + 1]`, where each user's entries begin.
    ///   - columns: the entries' items as nodes.
    init(users: Int, items: Int, starts: [Int64], columns: [Int32]) {
        self.users = users
        self.items = items
        let pairs = columns.count
        var begins = [Int64](repeating: 0, count: items + 1)
        for column in columns { begins[Int(column) - users + 1] += 1 }
        for item in 0..<items { begins[item + 1] += begins[item] }
        var next = begins
        var (both, mirror) = (columns + columns, [Int32](repeating: 0, count: pairs))
        for user in 0..<users {
            for entry in Int(starts[user])..<Int(starts[user + 1]) {
                let item = Int(columns[entry]) - users
                let place = Int(next[item])
                next[item] += 1
                both[pairs + place] = Int32(user)
                mirror[place] = Int32(entry)
            }
        }
        rows = SparseRows(starts: starts + begins.dropFirst().map { $0 + Int64(pairs) }, columns: both)
        self.mirror = mirror
    }

    /// The rows of samples, and their order: for each of the users' entries the position of its sample.
    static func of(samples: [GraphSample], users: Int, items: Int) -> (rows: BipartiteAdjacency, order: [Int32]) {
        // Two stable counting sorts: by item, then by user.
        let byItem = sorted(samples.indices.map(Int32.init), keys: items) { samples[Int($0)].item }
        let order = sorted(byItem.positions, keys: users) { samples[Int($0)].user }
        let columns = order.positions.map { Int32(users + samples[Int($0)].item) }
        let rows = BipartiteAdjacency(users: users, items: items, starts: order.starts, columns: columns)
        return (rows, order.positions)
    }

    private static func sorted(
        _ positions: [Int32], keys: Int, _ key: (Int32) -> Int
    ) -> (positions: [Int32], starts: [Int64]) {
        var starts = [Int64](repeating: 0, count: keys + 1)
        for position in positions { starts[key(position) + 1] += 1 }
        for index in 0..<keys { starts[index + 1] += starts[index] }
        var next = starts
        var result = [Int32](repeating: 0, count: positions.count)
        for position in positions {
            let place = key(position)
            result[Int(next[place])] = position
            next[place] += 1
        }
        return (result, starts)
    }

    /// Values of the users' entries, and after them those of the items' entries.
    package func mirrored<Value>(_ values: [Value]) -> [Value] {
        var result = values
        result.reserveCapacity(2 * pairs)
        for entry in mirror { result.append(values[Int(entry)]) }
        return result
    }

    /// Entries of a row: for an item those after the users'.
    package func entries(of node: Int) -> Range<Int> { rows.entries(of: node) }

    package func degree(_ node: Int) -> Int { rows.entries(of: node).count }

    /// The users' entry of an entry.
    package func userEntry(_ entry: Int) -> Int { entry < pairs ? entry : Int(mirror[entry - pairs]) }

    /// The first of the user's entries whose item is not below a node.
    package func firstEntry(user: Int, item: Int) -> Int {
        var (low, high) = (Int(rows.starts[user]), Int(rows.starts[user + 1]))
        while low < high {
            let middle = (low + high) / 2
            if Int(rows.columns[middle]) < item { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The pairs whose user and item are both among some nodes.
    ///
    /// - Parameters:
    ///   - nodes: ascending; they become the nodes 0, 1, …
    ///   - numbers: for every node its place in `nodes`, or −1.
    /// - Returns: the rows, and for each of their users' entries the one here.
    func restricted(to nodes: [Int32], numbers: [Int32]) -> (rows: BipartiteAdjacency, entries: [Int32]) {
        let localUsers = nodes.count { $0 < users }
        var (starts, columns, entries) = ([Int64](), [Int32](), [Int32]())
        starts.reserveCapacity(localUsers + 1)
        starts.append(0)
        for user in nodes.prefix(localUsers) {
            for entry in rows.entries(of: Int(user)) {
                let number = numbers[Int(rows.columns[entry])]
                if number >= 0 {
                    columns.append(number)
                    entries.append(Int32(entry))
                }
            }
            starts.append(Int64(columns.count))
        }
        let rows = BipartiteAdjacency(
            users: localUsers, items: nodes.count - localUsers, starts: starts, columns: columns)
        return (rows, entries)
    }
}
