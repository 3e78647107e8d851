import Compute

/// What a removal changes of the normalised adjacency, as far as the rows of some nodes go.
struct GraphChange {
    /// Â′ − Â: rows are the places of the nodes, columns all nodes.
    let rows: SparseRows
    let differences: [Float]
    /// Â′ by entry of the edges between the nodes.
    let weights: [Float]

    /// - Parameters:
    ///   - nodes: ascending, those of the removal among them; `numbers` is their inverse.
    ///   - edges: those between the nodes; `edgeEntries` says which of the graph they are, `weights` what they weigh now.
    init(
        graph: InteractionGraph, removal: GraphRemoval, nodes: [Int32], numbers: [Int32], edges: BipartiteAdjacency,
        edgeEntries: [Int32], weights: [Float]
    ) {
        var isThinned = [Bool](repeating: false, count: graph.nodes)
        for node in removal.thinned { isThinned[Int(node)] = true }
        var isRemoved = [Bool](repeating: false, count: graph.edges.pairs)
        for edge in removal.edges { isRemoved[Int(edge)] = true }
        func weight(_ entry: Int, _ node: Int, _ neighbour: Int) -> Float {
            guard !isRemoved[graph.edges.userEntry(entry)] else { return 0 }
            let product = Double(removal.degree(node, in: graph)) * Double(removal.degree(neighbour, in: graph))
            return Float(1 / product.squareRoot())
        }
        // Only rows and columns of nodes that lose an edge change.
        var changes: [(row: Int32, column: Int32, difference: Float)] = []
        for node in removal.thinned {
            for entry in graph.edges.entries(of: Int(node)) {
                let neighbour = graph.edges.rows.columns[entry]
                let difference = weight(entry, Int(node), Int(neighbour)) - graph.weights[entry]
                changes.append((numbers[Int(node)], neighbour, difference))
                if !isThinned[Int(neighbour)], numbers[Int(neighbour)] >= 0 {
                    changes.append((numbers[Int(neighbour)], node, difference))
                }
            }
        }
        var starts = [Int64](repeating: 0, count: nodes.count + 1)
        for change in changes { starts[Int(change.row) + 1] += 1 }
        for index in nodes.indices { starts[index + 1] += starts[index] }
        var next = starts
        var columns = [Int32](repeating: 0, count: changes.count)
        var differences = [Float](repeating: 0, count: changes.count)
        for change in changes {
            let place = Int(next[Int(change.row)])
            next[Int(change.row)] += 1
            columns[place] = change.column
            differences[place] = change.difference
        }
        rows = SparseRows(starts: starts, columns: columns)
        self.differences = differences
        var after = Array(weights.prefix(edges.pairs))
        for user in 0..<edges.users {
            let node = Int(nodes[user])
            for entry in edges.entries(of: user) {
                let neighbour = Int(nodes[Int(edges.rows.columns[entry])])
                if isThinned[node] || isThinned[neighbour] {
                    after[entry] = weight(Int(edgeEntries[entry]), node, neighbour)
                }
            }
        }
        self.weights = edges.mirrored(after)
    }
}
