import Unlearning

/// Samples that are to be forgotten, and what their absence changes in the graph.
package struct GraphRemoval {
    /// By the users' entries of the loss's rows.
    let isForgotten: [Bool]
    /// The forgotten entries, ascending.
    let entries: [Int32]
    /// The users and items of forgotten samples, ascending, as nodes.
    let nodes: [Int32]
    /// Users' entries of the graph that disappear, ascending: every sample that made them is forgotten.
    let edges: [Int32]
    /// The nodes of those edges, ascending, and how many edges each loses.
    let thinned: [Int32]
    private let lost: [Int32: Int32]

    /// - Throws: `ApproximateError.emptyForgetSet`, `.emptyRetainedSet`, `.forgetSetLargerThanRetained`;
    ///   `UnlearningError.invalidSpecification`.
    package init(_ forgotten: [Int], from loss: GraphLoss) throws {
        let count = loss.samples.count
        var isForgotten = [Bool](repeating: false, count: count)
        for position in forgotten {
            guard loss.samples.indices.contains(position), !isForgotten[Int(loss.entries[position])] else {
                throw UnlearningError.invalidSpecification(reason: "sample \(position) is unknown or named twice")
            }
            isForgotten[Int(loss.entries[position])] = true
        }
        guard !forgotten.isEmpty else { throw ApproximateError.emptyForgetSet }
        guard forgotten.count < count else { throw ApproximateError.emptyRetainedSet }
        guard forgotten.count <= count - forgotten.count else {
            throw ApproximateError.forgetSetLargerThanRetained(
                forget: forgotten.count, retained: count - forgotten.count)
        }
        let users = loss.graph.users
        var (nodes, edges) = (Set<Int32>(), Set<Int32>())
        var lost: [Int32: Int32] = [:]
        for position in forgotten {
            let sample = loss.samples[position]
            let item = users + sample.item
            nodes.insert(Int32(sample.user))
            nodes.insert(Int32(item))
            guard sample.label else { continue }
            // Whether a sample that stays makes the same edge.
            var entry = loss.rows.firstEntry(user: sample.user, item: item)
            let end = loss.rows.entries(of: sample.user).upperBound
            var stays = false
            while entry < end, Int(loss.rows.rows.columns[entry]) == item {
                if loss.labels[entry] == 1, !isForgotten[entry] { stays = true }
                entry += 1
            }
            let edge = Int32(loss.graph.edges.firstEntry(user: sample.user, item: item))
            guard !stays, edges.insert(edge).inserted else { continue }
            lost[Int32(sample.user), default: 0] += 1
            lost[Int32(item), default: 0] += 1
        }
        self.isForgotten = isForgotten
        entries = forgotten.map { loss.entries[$0] }.sorted()
        self.nodes = nodes.sorted()
        self.edges = edges.sorted()
        thinned = lost.keys.sorted()
        self.lost = lost
    }

    /// Edges of a node that are left.
    func degree(_ node: Int, in graph: InteractionGraph) -> Int {
        graph.edges.degree(node) - Int(lost[Int32(node)] ?? 0)
    }
}
