import Compute

/// The linear system of one forget request, over the nodes that take part in it.
///
/// With all nodes it is the whole Hessian through the whole propagation. With fewer, propagation runs along the edges between
/// them only, and embeddings outside are constants, so that a product costs what the nodes' own samples and edges cost.
/// Without propagation that is no approximation: it is the block of the Hessian that belongs to the nodes.
package struct GraphSystem {
    private let preparation: GraphPreparation
    /// Ascending.
    private let nodes: [Int32]
    /// For every node of the graph its place in `nodes`, or −1.
    private let numbers: [Int32]
    private let isWhole: Bool
    private let samples: BipartiteAdjacency
    private let labels: [UInt8]
    private let curvature: [Float]
    private let slope: [Float]
    private let edges: BipartiteAdjacency
    /// For each of the users' entries of `edges` that of the graph.
    private let edgeEntries: [Int32]
    private let weights: [Float]
    private let z: [Float]
    private let blocks: [Float]

    private var loss: GraphLoss { preparation.loss }
    private var width: Int { loss.configuration.width }
    private var layers: Int { loss.configuration.layers }
    private var threads: Int { preparation.threads }

    package init(_ preparation: GraphPreparation, nodes: [Int32]) {
        let (loss, width) = (preparation.loss, preparation.loss.configuration.width)
        self.preparation = preparation
        self.nodes = nodes
        isWhole = nodes.count == loss.graph.nodes
        var numbers = [Int32](repeating: -1, count: loss.graph.nodes)
        for (number, node) in nodes.enumerated() { numbers[Int(node)] = Int32(number) }
        self.numbers = numbers
        guard !isWhole else {
            samples = loss.rows
            labels = loss.labels
            curvature = samples.mirrored(preparation.curvature)
            slope = samples.mirrored(preparation.slope)
            edges = loss.graph.edges
            edgeEntries = (0..<Int32(edges.pairs)).map { $0 }
            weights = loss.graph.weights
            z = preparation.z
            blocks = preparation.blocks
            return
        }
        let kept = loss.rows.restricted(to: nodes, numbers: numbers)
        samples = kept.rows
        labels = samples.mirrored(kept.entries.map { loss.labels[Int($0)] })
        curvature = samples.mirrored(kept.entries.map { preparation.curvature[Int($0)] })
        slope = samples.mirrored(kept.entries.map { preparation.slope[Int($0)] })
        // Without propagation nothing runs along the edges.
        let graph = loss.configuration.layers > 0 ? loss.graph.edges.restricted(to: nodes, numbers: numbers) : nil
        edges =
            graph?.rows
            ?? BipartiteAdjacency(
                users: samples.users, items: samples.items, starts: [Int64](repeating: 0, count: samples.users + 1),
                columns: [])
        edgeEntries = graph?.entries ?? []
        weights = edges.mirrored(edgeEntries.map { loss.graph.weights[Int($0)] })
        z = gathered(preparation.z, rows: nodes, width: width)
        blocks = gathered(preparation.blocks, rows: nodes, width: width * width)
    }

    /// The Hessian of the mean loss, regularisation included, times `[nodes, width]`.
    ///
    /// - `gaussNewton`: leaves out the term with the second derivative of the score, so that the matrix has no negative
    ///   eigenvalues.
    package func product(_ vector: [Float], gaussNewton: Bool) -> [Float] {
        let change = propagated(vector)
        var product = propagated(
            samples.rows.hessian(
                blocks: blocks, curvature: curvature, slope: gaussNewton ? nil : slope, at: z, times: change,
                width: width, threads: threads))
        let scale = 1 / Float(loss.samples.count)
        let regularisation = Float(loss.configuration.regularisation)
        for index in product.indices { product[index] = product[index] * scale + regularisation * vector[index] }
        return product
    }

    /// Inverses of the blocks on the diagonal of the Hessian plus damping: `[nodes, width, width]`, zero where a node stays.
    func preconditioner(damping: Double, isUpdated: [Bool]) -> [Float] {
        let added = loss.configuration.regularisation + damping
        let size = width * width
        var inverses = [Float](repeating: 0, count: blocks.count)
        for place in nodes.indices where isUpdated[place] {
            let own = Double(preparation.diagonal[Int(nodes[place])])
            let scale = own * own / Double(loss.samples.count)
            invert(blocks, at: place * size, width: width, scale: scale, added: added, into: &inverses)
        }
        return inverses
    }

    /// An approximate solution by those inverses.
    func preconditioned(_ vector: [Double], _ inverses: [Float]) -> [Double] {
        blockProduct(inverses, vector.map { Float($0) }, width: width).map(Double.init)
    }

    /// Σ_forgotten ∇ℓ(z; θ, G) and, with spillover, Σ_retained [∇ℓ(z; θ, G) − ∇ℓ(z; θ, G′)], for the nodes.
    package func rightSide(_ removal: GraphRemoval, spillover: Bool) -> [Float] {
        let forgotten = slopes(of: removal, at: z)
        // Without propagation the graph has no part in the loss of a retained sample: the difference is exactly zero.
        guard spillover, layers > 0 else { return propagated(forgotten) }
        let change = GraphChange(
            graph: loss.graph, removal: removal, nodes: nodes, numbers: numbers, edges: edges,
            edgeEntries: edgeEntries, weights: weights)
        let none = [Float](repeating: 0, count: z.count)
        let moved = mean(of: differences(none, change: change, powers: preparation.powers))
        let after = zip(z, moved).map { $0 + $1 }
        // The change of the gradient for z: inside by the samples themselves, outside by their curvature.
        var slopes = samples.rows.logisticGradient(labels: labels, of: after, width: width, threads: threads)
        subtract(
            isWhole
                ? preparation.slopePowers[0]
                : samples.rows.logisticGradient(labels: labels, of: z, width: width, threads: threads), from: &slopes)
        subtract(self.slopes(of: removal, at: after), from: &slopes)
        if !isWhole {
            let inside = samples.rows.curved(weights: curvature, of: z, times: moved, width: width, threads: threads)
            subtract(inside, from: &slopes)
            for (index, value) in blockProduct(blocks, moved, width: width).enumerated() { slopes[index] += value }
        }
        return mean(of: differences(slopes, change: change, powers: preparation.slopePowers)).map { -$0 }
    }

    /// What becomes of Â^l·x, known by its powers before, when the graph changes and x by `source`.
    private func differences(_ source: [Float], change: GraphChange, powers: [[Float]]) -> [[Float]] {
        var result = [source]
        for layer in 0..<layers {
            var next = change.rows.sum(
                weights: change.differences, of: powers[layer], width: width, threads: threads)
            let along = edges.rows.sum(weights: change.weights, of: result[layer], width: width, threads: threads)
            for index in next.indices { next[index] += along[index] }
            result.append(next)
        }
        return result
    }

    /// Σ over the forgotten samples of (p − y)·z of the other node.
    private func slopes(of removal: GraphRemoval, at z: [Float]) -> [Float] {
        var result = [Float](repeating: 0, count: z.count)
        let rows = loss.rows
        for entry in removal.entries {
            let sample = loss.samples[Int(loss.order[Int(entry)])]
            let user = Int(numbers[sample.user]) * width
            let item = Int(numbers[Int(rows.rows.columns[Int(entry)])]) * width
            var score: Float = 0
            for index in 0..<width { score += z[user + index] * z[item + index] }
            let slope = probability(score) - (sample.label ? 1 : 0)
            for index in 0..<width {
                result[user + index] += slope * z[item + index]
                result[item + index] += slope * z[user + index]
            }
        }
        return result
    }

    private func propagated(_ table: [Float]) -> [Float] {
        var powers = [table]
        for layer in 0..<layers {
            powers.append(edges.rows.sum(weights: weights, of: powers[layer], width: width, threads: threads))
        }
        return mean(of: powers)
    }
}
