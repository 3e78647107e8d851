import Compute
import Foundation
import Recommendation

/// Everything but the data that determines a matrix factorisation or a LightGCN.
public struct GraphConfiguration: Codable, Hashable, Sendable {
    /// Width of the embeddings.
    public var width: Int
    /// Layers of LightGCN (arXiv 2002.02126); 0: matrix factorisation.
    public var layers: Int
    /// Half the weight of the squared length of all embeddings in the loss.
    public var regularisation: Double
    public var steps: Int
    public var learningRate: Double
    public var seed: UInt64

    public init(
        width: Int = 16, layers: Int = 0, regularisation: Double = 1e-3, steps: Int = 300, learningRate: Double = 0.02,
        seed: UInt64 = 0
    ) {
        self.width = width
        self.layers = layers
        self.regularisation = regularisation
        self.steps = steps
        self.learningRate = learningRate
        self.seed = seed
    }

    /// - Throws: `UnlearningError.invalidSpecification`.
    public func check() throws {
        let problems: [(Bool, String)] = [
            (width >= 1, "embeddings need at least one dimension"),
            (layers >= 0 && steps >= 0, "there cannot be a negative number of layers or steps"),
            (regularisation.isFinite && regularisation >= 0, "the regularisation cannot be negative"),
            (learningRate.isFinite && learningRate > 0, "the learning rate must be positive"),
        ]
        for (holds, reason) in problems where !holds {
            throw UnlearningError.invalidSpecification(reason: reason)
        }
    }
}

/// Matrix factorisation or LightGCN with the loss
/// (1/N)·Σ BCE(σ(z_u·z_i), y) + ½·r·‖E‖², where z is the propagated embedding table E `[nodes, width]`.
///
/// The graph is made of the training data, so that forgetting changes both the sum and z.
public struct GraphLoss: Sendable {
    public let graph: InteractionGraph
    public let samples: [GraphSample]
    public let configuration: GraphConfiguration

    /// - Throws: `UnlearningError.noSamples`, `.invalidSpecification`.
    public init(users: Int, items: Int, samples: [GraphSample], configuration: GraphConfiguration) throws {
        try configuration.check()
        guard !samples.isEmpty else { throw UnlearningError.noSamples }
        graph = try InteractionGraph(users: users, items: items, samples: samples)
        self.samples = samples
        self.configuration = configuration
    }

    public var parameters: Int { graph.nodes * configuration.width }

    /// Scores z_u·z_i of pairs.
    public func scores(_ table: [Double], of pairs: [GraphSample]) -> [Double] {
        let z = propagated(table)
        return pairs.map { dot(z, z, $0) }
    }

    package func value(_ table: [Double]) -> Double {
        let z = propagated(table)
        let sum = samples.reduce(0.0) {
            let score = dot(z, z, $1)
            return $0 - AnswerDivergence.logProbability(margin: $1.label ? score : -score)
        }
        return sum / Double(samples.count)
            + 0.5 * configuration.regularisation * table.reduce(0) { $0 + $1 * $1 }
    }

    /// Σ over some of the samples (positions) of ∇BCE, without mean and regularisation.
    package func sumOfGradients(_ table: [Double], over positions: some Sequence<Int>) -> [Double] {
        let (z, width) = (propagated(table), configuration.width)
        var gradient = [Double](repeating: 0, count: table.count)
        for position in positions {
            let sample = samples[position]
            let (user, item) = places(sample)
            let slope = Metrics.probability(margin: dot(z, z, sample)) - (sample.label ? 1 : 0)
            for index in 0..<width {
                gradient[user + index] += slope * z[item + index]
                gradient[item + index] += slope * z[user + index]
            }
        }
        // The propagation is symmetric: its transpose is itself.
        return propagated(gradient)
    }

    package func gradient(_ table: [Double]) -> [Double] {
        let (sum, scale) = (sumOfGradients(table, over: samples.indices), 1 / Double(samples.count))
        return zip(sum, table).map { $0 * scale + configuration.regularisation * $1 }
    }

    /// The Hessian of the loss times a vector, through the propagation.
    ///
    /// - Parameter gaussNewton: leaves out the term with the second derivative of the score, so that the matrix has no negative
    ///   eigenvalues.
    package func hessian(_ table: [Double], times vector: [Double], gaussNewton: Bool) -> [Double] {
        let (z, dz, width) = (propagated(table), propagated(vector), configuration.width)
        var product = [Double](repeating: 0, count: table.count)
        for sample in samples {
            let (user, item) = places(sample)
            let score = dot(z, z, sample)
            let probability = Metrics.probability(margin: score)
            let change = dot(dz, z, sample) + dot(z, dz, sample)
            let curved = probability * Metrics.probability(margin: -score) * change
            let slope = gaussNewton ? 0 : probability - (sample.label ? 1 : 0)
            for index in 0..<width {
                product[user + index] += curved * z[item + index] + slope * dz[item + index]
                product[item + index] += curved * z[user + index] + slope * dz[user + index]
            }
        }
        let scale = 1 / Double(samples.count)
        return zip(propagated(product), vector).map { $0 * scale + configuration.regularisation * $1 }
    }

    /// Minimises the loss by full-batch Adam with a rate that falls linearly to zero, from small random embeddings.
    ///
    /// - Throws: `UnlearningError.notFinite`.
    public func trained() throws -> [Double] {
        let generator = CounterGenerator(seed: configuration.seed, path: [UInt64(configuration.width)])
        var table = generator.normals(count: parameters).map { 0.1 * $0 }
        var optimiser = AdamW(count: parameters)
        for step in 0..<configuration.steps {
            let rate = configuration.learningRate * (1 - Double(step) / Double(configuration.steps))
            let gradient = gradient(table.map(Double.init)).map { Float($0) }
            optimiser.step(&table, gradient: gradient, learningRate: Float(rate))
        }
        guard table.allSatisfy(\.isFinite) else { throw UnlearningError.notFinite(what: "the embeddings") }
        return table.map(Double.init)
    }

    private func propagated(_ table: [Double]) -> [Double] {
        graph.propagated(table, width: configuration.width, layers: configuration.layers)
    }

    private func places(_ sample: GraphSample) -> (user: Int, item: Int) {
        (sample.user * configuration.width, (graph.users + sample.item) * configuration.width)
    }

    /// Row of the user in one table with the row of the item in the other.
    private func dot(_ first: [Double], _ second: [Double], _ sample: GraphSample) -> Double {
        let (user, item) = places(sample)
        var sum = 0.0
        for index in 0..<configuration.width { sum += first[user + index] * second[item + index] }
        return sum
    }
}
