import Compute
import Unlearning

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
    public var users: Int { edges.users }
    public var items: Int { edges.items }
    public var nodes: Int { users + items }
    package let edges: BipartiteAdjacency
    /// Â by entry of `edges`.
    let weights: [Float]

    /// Edges are the samples labelled true; a pair that occurs twice is one edge.
    ///
    /// - Throws: `UnlearningError.invalidSpecification` when a number is out of range.
    public init(users: Int, items: Int, samples: [GraphSample]) throws {
        try Self.check(users: users, items: items, samples: samples)
        let (rows, order) = BipartiteAdjacency.of(samples: samples, users: users, items: items)
        self.init(samples: samples, rows: rows, order: order)
    }

    static func check(users: Int, items: Int, samples: [GraphSample]) throws {
        guard users >= 0, items >= 0 else {
            throw UnlearningError.invalidSpecification(reason: "there cannot be a negative number of users or items")
        }
        // Nodes and entries are numbered with 32 bits.
        guard users < 1 << 30, items < 1 << 30, samples.count < 1 << 30 else {
            throw UnlearningError.invalidSpecification(reason: "there are too many users, items or samples")
        }
        for sample in samples where !(0..<users).contains(sample.user) || !(0..<items).contains(sample.item) {
            throw UnlearningError.invalidSpecification(
                reason: "user \(sample.user) or item \(sample.item) is beyond the tables")
        }
    }

    /// - Parameters:
    ///   - rows: those of the samples.
    ///   - order: for each of the users' entries the position of its sample.
    init(samples: [GraphSample], rows: BipartiteAdjacency, order: [Int32]) {
        var (starts, columns): ([Int64], [Int32]) = ([0], [])
        for user in 0..<rows.users {
            var last: Int32 = -1
            for entry in rows.entries(of: user) where samples[Int(order[entry])].label {
                let column = rows.rows.columns[entry]
                if column != last { columns.append(column) }
                last = column
            }
            starts.append(Int64(columns.count))
        }
        let edges = BipartiteAdjacency(users: rows.users, items: rows.items, starts: starts, columns: columns)
        var weights: [Float] = []
        weights.reserveCapacity(edges.pairs)
        for user in 0..<edges.users {
            let degree = Double(edges.degree(user))
            for entry in edges.entries(of: user) {
                weights.append(Float(1 / (degree * Double(edges.degree(Int(edges.rows.columns[entry])))).squareRoot()))
            }
        }
        self.edges = edges
        self.weights = edges.mirrored(weights)
    }

    /// Â^l·table for l = 0...layers, each `[nodes, width]`.
    func powers(_ table: [Float], width: Int, layers: Int, threads: Int = 1) -> [[Float]] {
        var powers = [table]
        for layer in 0..<layers {
            powers.append(edges.rows.sum(weights: weights, of: powers[layer], width: width, threads: threads))
        }
        return powers
    }

    /// (1/(layers + 1))·Σ_l Â^l·table for a table `[nodes, width]`: LightGCN's final embeddings. A symmetric linear map,
    /// so that it is its own transpose; with no layers the identity, which makes matrix factorisation.
    public func propagated(_ table: [Float], width: Int, layers: Int, threads: Int = 1) -> [Float] {
        mean(of: powers(table, width: width, layers: layers, threads: threads))
    }

    /// Diagonal of that map as far as paths of two edges make it, which is nearly all of it.
    func diagonal(layers: Int) -> [Float] {
        (0..<nodes).map { node in
            guard layers > 0 else { return 1 }
            let returns = edges.entries(of: node).reduce(Float(0)) { $0 + weights[$1] * weights[$1] }
            return (layers > 1 ? 1 + returns : 1) / Float(layers + 1)
        }
    }

    /// One smoothing of a value a node: the mean over the node and its neighbours.
    func smoothed(_ values: [Double]) -> [Double] {
        (0..<nodes).map { node in
            let around = edges.entries(of: node)
            let sum = around.reduce(values[node]) { $0 + values[Int(edges.rows.columns[$1])] }
            return sum / Double(around.count + 1)
        }
    }
}

/// Mean of tables of one shape, summed in their order.
func mean(of tables: [[Float]]) -> [Float] {
    guard var sum = tables.first, tables.count > 1 else { return tables.first ?? [] }
    let scale = 1 / Float(tables.count)
    for table in tables.dropFirst() {
        for index in sum.indices { sum[index] += table[index] }
    }
    for index in sum.indices { sum[index] *= scale }
    return sum
}
