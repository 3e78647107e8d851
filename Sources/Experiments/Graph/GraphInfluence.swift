import Foundation
import Unlearning

/// IFRU on its own ground (arXiv 2307.02147): embeddings of users and items, and the graph between them.
///
/// The correction is θ + p/N with (H + λ·1)·p = Σ_forgotten ∇ℓ(z; θ, G) + Σ_retained [∇ℓ(z; θ, G) − ∇ℓ(z; θ, G′)], where G
/// is the graph before and G′ the one after. H is the Hessian of the whole training loss, through the propagation, times
/// vectors only; the system is solved by conjugate gradients.
public enum GraphInfluence {
    /// Which nodes a product with the Hessian runs over.
    public enum Reach: String, Codable, CaseIterable, Hashable, Sendable {
        /// All of them: the exact Hessian.
        case whole
        /// Those whose embeddings may change, and the samples and edges between them; all others are constants. A request
        /// costs what it touches. For matrix factorisation this solves the same system as `whole`.
        case updated
    }

    public struct Configuration: Codable, Hashable, Sendable {
        /// λ; positive.
        public var damping: Double
        /// False leaves the change of the graph out: for comparison.
        public var spillover: Bool
        /// Share of the nodes, those of least importance, whose embeddings stay as they are, 0...1. Those of forgotten samples
        /// always change; with 1 no others do.
        public var pruning: Double
        public var reach: Reach
        /// How far importance spreads, in edges.
        public var hops: Int
        /// Conjugate gradients end when the residual is this share of the right-hand side, or after so many products.
        public var tolerance: Double
        public var maximumProducts: Int

        public init(
            damping: Double = 1e-4, spillover: Bool = true, pruning: Double = 0, reach: Reach = .whole, hops: Int = 2,
            tolerance: Double = 1e-6, maximumProducts: Int = 500
        ) {
            self.damping = damping
            self.spillover = spillover
            self.pruning = pruning
            self.reach = reach
            self.hops = hops
            self.tolerance = tolerance
            self.maximumProducts = maximumProducts
        }

        /// - Throws: `ApproximateError.dampingNotPositive`, `UnlearningError.invalidSpecification`.
        public func check() throws {
            guard damping.isFinite, damping > 0 else { throw ApproximateError.dampingNotPositive }
            guard (0...1).contains(pruning), hops >= 0, tolerance > 0, maximumProducts >= 1 else {
                throw UnlearningError.invalidSpecification(
                    reason: "pruning must lie in 0...1, hops not below 0, tolerance and products must be positive")
            }
        }
    }

    /// An approximate correction of an embedding table, never a retrained one.
    public struct Correction: Sendable {
        /// `[nodes, width]`
        public var table: [Float]
        public var provenance: ApproximateMethod
        public var updatedNodes: Int
        /// Products with the Hessian, each about the cost of two gradients of the nodes it reaches.
        public var products: Int
        /// ‖right-hand side − (H + λ)·p‖ ÷ ‖right-hand side‖ of the curvature that was used.
        public var residual: Double
        /// The Hessian had a direction of negative curvature in spite of λ; the Gauss–Newton matrix was used.
        public var usedGaussNewton: Bool
        /// Without the preparation.
        public var seconds: Double
    }

    /// The same with a preparation of its own.
    ///
    /// - Throws: as the other, and as `GraphPreparation`.
    public static func unlearn(
        loss: GraphLoss, table: [Float], forgotten: [Int], configuration: Configuration = Configuration()
    ) throws -> Correction {
        try configuration.check()
        return try unlearn(
            GraphPreparation(loss: loss, table: table), forgotten: forgotten, configuration: configuration)
    }

    /// - `forgotten`: positions among the samples of the loss.
    /// - Throws: `ApproximateError.emptyForgetSet`, `.emptyRetainedSet`, `.forgetSetLargerThanRetained`,
    ///   `.dampingNotPositive`; `UnlearningError.invalidSpecification`, `.notFinite`.
    public static func unlearn(
        _ preparation: GraphPreparation, forgotten: [Int], configuration: Configuration = Configuration()
    ) throws -> Correction {
        try configuration.check()
        let clock = ContinuousClock()
        let began = clock.now
        let loss = preparation.loss
        let width = loss.configuration.width
        let removal = try GraphRemoval(forgotten, from: loss)
        let updated = updatedNodes(loss, removal: removal, configuration)
        let nodes = configuration.reach == .whole ? (0..<Int32(loss.graph.nodes)).map { $0 } : updated
        let system = GraphSystem(preparation, nodes: nodes)
        let isUpdated = places(of: updated, in: nodes)
        func restrict(_ vector: inout [Double]) {
            guard updated.count < nodes.count else { return }
            for place in nodes.indices where !isUpdated[place] {
                for index in (place * width)..<((place + 1) * width) { vector[index] = 0 }
            }
        }
        var right = system.rightSide(removal, spillover: configuration.spillover).map(Double.init)
        restrict(&right)
        let inverses = system.preconditioner(damping: configuration.damping, isUpdated: isUpdated)
        func solve(gaussNewton: Bool) -> ConjugateGradients {
            ConjugateGradients(
                right: right, tolerance: configuration.tolerance, maximumProducts: configuration.maximumProducts,
                preconditioner: { system.preconditioned($0, inverses) },
                product: { vector in
                    var product = system.product(vector.map { Float($0) }, gaussNewton: gaussNewton).map(Double.init)
                    for index in product.indices { product[index] += configuration.damping * vector[index] }
                    restrict(&product)
                    return product
                })
        }
        var solution = solve(gaussNewton: false)
        let isIndefinite = solution.metNegativeCurvature
        let wasted = isIndefinite ? solution.products : 0
        if isIndefinite { solution = solve(gaussNewton: true) }
        let scale = 1 / Double(loss.samples.count)
        var table = preparation.table
        for (place, node) in nodes.enumerated() where isUpdated[place] {
            for index in 0..<width {
                let value = Double(table[Int(node) * width + index]) + scale * solution.vector[place * width + index]
                guard value.isFinite else { throw UnlearningError.notFinite(what: "the corrected table") }
                table[Int(node) * width + index] = Float(value)
            }
        }
        return Correction(
            table: table, provenance: .ifru, updatedNodes: updated.count, products: solution.products + wasted,
            residual: solution.residual, usedGaussNewton: isIndefinite, seconds: (clock.now - began) / .seconds(1))
    }

    /// s_0(v) = removed share of v's samples, s_{j+1}(v) = mean of s_j over v and its neighbours; the nodes above the
    /// quantile, ascending. Those of forgotten samples are always among them.
    static func updatedNodes(_ loss: GraphLoss, removal: GraphRemoval, _ configuration: Configuration) -> [Int32] {
        let nodes = loss.graph.nodes
        let kept = nodes - Int((configuration.pruning * Double(nodes)).rounded(.down))
        guard kept > 0 else { return removal.nodes }
        guard kept < nodes else { return (0..<Int32(nodes)).map { $0 } }
        var gone = [Double](repeating: 0, count: nodes)
        for entry in removal.entries {
            gone[loss.samples[Int(loss.order[Int(entry)])].user] += 1
            gone[Int(loss.rows.rows.columns[Int(entry)])] += 1
        }
        var scores = (0..<nodes).map { gone[$0] > 0 ? gone[$0] / Double(loss.rows.degree($0)) : 0 }
        for _ in 0..<configuration.hops { scores = loss.graph.smoothed(scores) }
        let order = (0..<nodes).sorted { (-scores[$0], $0) < (-scores[$1], $1) }
        var isChosen = gone.map { $0 > 0 }
        for node in order.prefix(kept) { isChosen[node] = true }
        return (0..<Int32(nodes)).filter { isChosen[Int($0)] }
    }

    /// Which of some nodes are among others; both ascending.
    private static func places(of chosen: [Int32], in nodes: [Int32]) -> [Bool] {
        var next = 0
        return nodes.map { node in
            while next < chosen.count, chosen[next] < node { next += 1 }
            return next < chosen.count && chosen[next] == node
        }
    }
}
