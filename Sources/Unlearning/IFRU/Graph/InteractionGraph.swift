/// One labelled pair of a user and an item, by number.
public struct GraphSample: Codable, Hashable, Sendable {
    public var user: Int
    public var item: Int
    public var label: Bool

    public init(user: Int, item: Int, label: Bool) {
        self.user = user
        self.item = item
        self.label = label
    }
}

/// The bipartite graph of liked items, with the symmetric normalisation of LightGCN (arXiv 2002.02126):
/// Â(u, i) = 1/√(deg u · deg i). Users are nodes 0..<users, items follow.
public struct InteractionGraph: Hashable, Sendable {
    public let users: Int
    public let items: Int
    public var nodes: Int { users + items }
    /// Neighbours of node v: `neighbours[starts[v]..<starts[v + 1]]`, ascending.
    let starts: [Int]
    let neighbours: [Int]
    private let weights: [Double]

    /// Edges are the samples labelled true; a pair that occurs twice is one edge.
    ///
    /// - Throws: `UnlearningError.invalidSpecification` when a number is out of range.
    public init(users: Int, items: Int, samples: [GraphSample]) throws {
        guard users >= 0, items >= 0 else {
            throw UnlearningError.invalidSpecification(reason: "there cannot be a negative number of users or items")
        }
        for sample in samples where !(0..<users).contains(sample.user) || !(0..<items).contains(sample.item) {
            throw UnlearningError.invalidSpecification(
                reason: "user \(sample.user) or item \(sample.item) is beyond the tables")
        }
        var lists = [[Int]](repeating: [], count: users + items)
        for sample in samples where sample.label {
            lists[sample.user].append(users + sample.item)
            lists[users + sample.item].append(sample.user)
        }
        var (starts, neighbours) = ([0], [Int]())
        for list in lists {
            var last = -1
            for neighbour in list.sorted() where neighbour != last {
                neighbours.append(neighbour)
                last = neighbour
            }
            starts.append(neighbours.count)
        }
        let degree = { (node: Int) in Double(starts[node + 1] - starts[node]) }
        var weights: [Double] = []
        for node in 0..<(users + items) {
            for edge in starts[node]..<starts[node + 1] {
                weights.append(1 / (degree(node) * degree(neighbours[edge])).squareRoot())
            }
        }
        self.users = users
        self.items = items
        self.starts = starts
        self.neighbours = neighbours
        self.weights = weights
    }

    /// (1/(layers + 1))·Σ_l Â^l·table for a table `[nodes, width]`: LightGCN's final embeddings. A symmetric linear map,
    /// so that it is its own transpose; with no layers the identity, which makes matrix factorisation.
    public func propagated(_ table: [Double], width: Int, layers: Int) -> [Double] {
        guard layers > 0 else { return table }
        var (layer, sum) = (table, table)
        for _ in 0..<layers {
            var next = [Double](repeating: 0, count: table.count)
            for node in 0..<nodes {
                for edge in starts[node]..<starts[node + 1] {
                    let (from, to, weight) = (neighbours[edge] * width, node * width, weights[edge])
                    for index in 0..<width { next[to + index] += weight * layer[from + index] }
                }
            }
            layer = next
            for index in sum.indices { sum[index] += layer[index] }
        }
        let scale = 1 / Double(layers + 1)
        return sum.map { $0 * scale }
    }

    /// One smoothing of a value a node: the mean over the node and its neighbours.
    func smoothed(_ values: [Double]) -> [Double] {
        (0..<nodes).map { node in
            let around = neighbours[starts[node]..<starts[node + 1]]
            return around.reduce(values[node]) { $0 + values[$1] } / Double(around.count + 1)
        }
    }
}
