import Foundation

/// IFRU on its own ground (arXiv 2307.02147): embeddings of users and items, and the graph between them.
///
/// The correction is θ + p/N with (H + λ·1)·p = Σ_forgotten ∇ℓ(z; θ, G) + Σ_retained [∇ℓ(z; θ, G) − ∇ℓ(z; θ, G′)], where G
/// is the graph before and G′ the one after. H is the Hessian of the whole training loss, through the propagation, times
/// vectors only; the system is solved by conjugate gradients.
public enum GraphInfluence {
    public struct Configuration: Codable, Hashable, Sendable {
        /// λ; positive.
        public var damping: Double
        /// False leaves the change of the graph out: for comparison.
        public var spillover: Bool
        /// Share of the nodes, those of least importance, whose embeddings stay as they are, 0..<1.
        public var pruning: Double
        /// How far importance spreads, in edges.
        public var hops: Int
        /// Conjugate gradients end when the residual is this share of the right-hand side, or after so many products.
        public var tolerance: Double
        public var maximumProducts: Int

        public init(
            damping: Double = 1e-4, spillover: Bool = true, pruning: Double = 0, hops: Int = 2,
            tolerance: Double = 1e-6, maximumProducts: Int = 500
        ) {
            self.damping = damping
            self.spillover = spillover
            self.pruning = pruning
            self.hops = hops
            self.tolerance = tolerance
            self.maximumProducts = maximumProducts
        }

        /// - Throws: `ApproximateError.dampingNotPositive`, `UnlearningError.invalidSpecification`.
        public func check() throws {
            guard damping.isFinite, damping > 0 else { throw ApproximateError.dampingNotPositive }
            guard (0..<1).contains(pruning), hops >= 0, tolerance > 0, maximumProducts >= 1 else {
                throw UnlearningError.invalidSpecification(
                    reason: "pruning must lie in 0..<1, hops not below 0, tolerance and products must be positive")
            }
        }
    }

    /// An approximate correction of an embedding table, never a retrained one.
    public struct Correction: Sendable {
        /// `[nodes, width]`
        public var table: [Double]
        public var provenance: ApproximateProvenance.Method
        public var updatedNodes: Int
        /// Products with the Hessian, each about the cost of two gradients.
        public var products: Int
        /// ‖right-hand side − (H + λ)·p‖ ÷ ‖right-hand side‖ of the curvature that was used.
        public var residual: Double
        /// The Hessian had a direction of negative curvature in spite of λ; the Gauss–Newton matrix was used.
        public var usedGaussNewton: Bool
        public var seconds: Double
    }

    /// - Parameters:
    ///   - loss: that of the training, all its samples included.
    ///   - table: the trained embeddings.
    ///   - forgotten: positions among the loss's samples.
    /// - Throws: `ApproximateError.emptyForgetSet`, `.emptyRetainedSet`, `.forgetSetLargerThanRetained`,
    ///   `.dampingNotPositive`; `UnlearningError.invalidSpecification`, `.wrongShape`, `.notFinite`.
    public static func unlearn(
        loss: GraphLoss, table: [Double], forgotten: [Int], configuration: Configuration = Configuration()
    ) throws -> Correction {
        try configuration.check()
        let clock = ContinuousClock()
        let began = clock.now
        guard table.count == loss.parameters else {
            throw UnlearningError.wrongShape(what: "the table", expected: loss.parameters, found: table.count)
        }
        guard table.allSatisfy(\.isFinite) else { throw UnlearningError.notFinite(what: "the table") }
        var isForgotten = [Bool](repeating: false, count: loss.samples.count)
        for position in forgotten {
            guard loss.samples.indices.contains(position), !isForgotten[position] else {
                throw UnlearningError.invalidSpecification(reason: "sample \(position) is unknown or named twice")
            }
            isForgotten[position] = true
        }
        let retained = loss.samples.indices.filter { !isForgotten[$0] }
        guard !forgotten.isEmpty else { throw ApproximateError.emptyForgetSet }
        guard !retained.isEmpty else { throw ApproximateError.emptyRetainedSet }
        guard forgotten.count <= retained.count else {
            throw ApproximateError.forgetSetLargerThanRetained(forget: forgotten.count, retained: retained.count)
        }
        var right = try gradient(loss, table, forgotten: forgotten.sorted(), retained: retained, configuration)
        let chosen = importantNodes(loss, forgotten: forgotten, configuration)
        let width = loss.configuration.width
        func restrict(_ vector: inout [Double]) {
            for node in chosen.indices where !chosen[node] {
                for index in 0..<width { vector[node * width + index] = 0 }
            }
        }
        restrict(&right)
        func solve(gaussNewton: Bool) -> ConjugateGradients {
            ConjugateGradients(
                right: right, tolerance: configuration.tolerance, maximumProducts: configuration.maximumProducts
            ) { vector in
                var product = loss.hessian(table, times: vector, gaussNewton: gaussNewton)
                for index in product.indices { product[index] += configuration.damping * vector[index] }
                restrict(&product)
                return product
            }
        }
        var solution = solve(gaussNewton: false)
        let isIndefinite = solution.metNegativeCurvature
        let wasted = isIndefinite ? solution.products : 0
        if isIndefinite { solution = solve(gaussNewton: true) }
        let scale = 1 / Double(loss.samples.count)
        let corrected = zip(table, solution.vector).map { $0 + $1 * scale }
        guard corrected.allSatisfy(\.isFinite) else { throw UnlearningError.notFinite(what: "the corrected table") }
        return Correction(
            table: corrected, provenance: .ifru, updatedNodes: chosen.count { $0 },
            products: solution.products + wasted, residual: solution.residual, usedGaussNewton: isIndefinite,
            seconds: (clock.now - began) / .seconds(1))
    }

    /// g = Σ_all ∇ℓ(z; θ, G) − Σ_retained ∇ℓ(z; θ, G′), which is the sum of both parts; without spillover the direct one.
    package static func gradient(
        _ loss: GraphLoss, _ table: [Double], forgotten: [Int], retained: [Int], _ configuration: Configuration
    ) throws -> [Double] {
        // Without propagation the graph has no part in the loss of a retained sample: the difference is exactly zero.
        guard configuration.spillover, loss.configuration.layers > 0 else {
            return loss.sumOfGradients(table, over: forgotten)
        }
        let after = try GraphLoss(
            users: loss.graph.users, items: loss.graph.items, samples: retained.map { loss.samples[$0] },
            configuration: loss.configuration)
        let before = loss.sumOfGradients(table, over: loss.samples.indices)
        return zip(before, after.sumOfGradients(table, over: after.samples.indices)).map(-)
    }

    /// s_0(v) = removed share of v's samples, s_{j+1}(v) = mean of s_j over v and its neighbours; the nodes above the
    /// quantile. Those of forgotten samples are always among them.
    package static func importantNodes(
        _ loss: GraphLoss, forgotten: [Int], _ configuration: Configuration
    ) -> [Bool] {
        let nodes = loss.graph.nodes
        var (all, gone) = ([Double](repeating: 0, count: nodes), [Double](repeating: 0, count: nodes))
        for sample in loss.samples {
            all[sample.user] += 1
            all[loss.graph.users + sample.item] += 1
        }
        for position in forgotten {
            gone[loss.samples[position].user] += 1
            gone[loss.graph.users + loss.samples[position].item] += 1
        }
        var scores = zip(gone, all).map { $1 > 0 ? $0 / $1 : 0 }
        for _ in 0..<configuration.hops { scores = loss.graph.smoothed(scores) }
        let order = (0..<nodes).sorted { (-scores[$0], $0) < (-scores[$1], $1) }
        let kept = nodes - Int((configuration.pruning * Double(nodes)).rounded(.down))
        var chosen = gone.map { $0 > 0 }
        for node in order.prefix(kept) { chosen[node] = true }
        return chosen
    }
}

/// Solves A·x = right for a symmetric positive definite A that is known by its products only (Hestenes and Stiefel 1952).
package struct ConjugateGradients: Sendable {
    package private(set) var vector: [Double]
    package private(set) var products = 0
    /// ‖right − A·x‖ ÷ ‖right‖
    package private(set) var residual = 0.0
    /// A is not positive definite; `vector` is of no use.
    package private(set) var metNegativeCurvature = false

    package init(
        right: [Double], tolerance: Double, maximumProducts: Int, product: ([Double]) -> [Double]
    ) {
        func dot(_ a: [Double], _ b: [Double]) -> Double {
            var sum = 0.0
            for index in a.indices { sum += a[index] * b[index] }
            return sum
        }
        vector = [Double](repeating: 0, count: right.count)
        var (rest, direction) = (right, right)
        let start = dot(right, right)
        var square = start
        guard start > 0 else { return }
        while square > tolerance * tolerance * start, products < maximumProducts {
            let image = product(direction)
            products += 1
            let curvature = dot(direction, image)
            guard curvature > 0 else {
                metNegativeCurvature = true
                break
            }
            let step = square / curvature
            for index in vector.indices {
                vector[index] += step * direction[index]
                rest[index] -= step * image[index]
            }
            let next = dot(rest, rest)
            let turn = next / square
            for index in direction.indices { direction[index] = rest[index] + turn * direction[index] }
            square = next
        }
        residual = (square / start).squareRoot()
    }
}
