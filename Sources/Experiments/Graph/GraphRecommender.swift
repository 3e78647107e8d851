import Compute
import Foundation
import Recommendation
import Unlearning

/// Matrix factorisation or LightGCN with the loss
/// (1/N)·Σ BCE(σ(z_u·z_i), y) + ½·r·‖E‖², where z is the propagated embedding table E `[nodes, width]`.
///
/// The graph is made of the training data, so that forgetting changes both the sum and z.
public struct GraphLoss: Sendable {
    public let graph: InteractionGraph
    public let samples: [GraphSample]
    public let configuration: GraphConfiguration
    package let rows: BipartiteAdjacency
    /// For each of the users' entries of `rows` the position of its sample, and the reverse.
    let order: [Int32]
    let entries: [Int32]
    /// 0 or 1 by entry.
    let labels: [UInt8]

    /// - Throws: `UnlearningError.noSamples`, `.invalidSpecification`.
    public init(users: Int, items: Int, samples: [GraphSample], configuration: GraphConfiguration) throws {
        try configuration.check()
        guard !samples.isEmpty else { throw UnlearningError.noSamples }
        try InteractionGraph.check(users: users, items: items, samples: samples)
        let (rows, order) = BipartiteAdjacency.of(samples: samples, users: users, items: items)
        graph = InteractionGraph(samples: samples, rows: rows, order: order)
        labels = rows.mirrored(order.map { samples[Int($0)].label ? 1 : 0 })
        var entries = [Int32](repeating: 0, count: samples.count)
        for (entry, position) in order.enumerated() { entries[Int(position)] = Int32(entry) }
        self.samples = samples
        self.configuration = configuration
        self.rows = rows
        self.order = order
        self.entries = entries
    }

    public var parameters: Int { graph.nodes * configuration.width }

    /// The loss of the samples that are left when some (positions, ascending) are gone, with their graph.
    ///
    /// - Throws: `UnlearningError.noSamples`.
    public func without(_ forgotten: [Int]) throws -> GraphLoss {
        var isForgotten = [Bool](repeating: false, count: samples.count)
        for position in forgotten { isForgotten[position] = true }
        return try GraphLoss(
            users: graph.users, items: graph.items,
            samples: samples.indices.filter { !isForgotten[$0] }.map { samples[$0] }, configuration: configuration)
    }

    /// Scores z_u·z_i of pairs.
    public func scores(_ table: [Float], of pairs: [GraphSample]) -> [Float] {
        let (z, width, users) = (propagated(table), configuration.width, graph.users)
        return z.withUnsafeBufferPointer { z in
            pairs.map { pair in
                let (user, item) = (pair.user * width, (users + pair.item) * width)
                var sum: Float = 0
                for index in 0..<width { sum += z[user + index] * z[item + index] }
                return sum
            }
        }
    }

    package func value(_ table: [Float]) -> Double {
        let sum = zip(scores(table, of: samples), samples).reduce(0.0) {
            $0 - AnswerDivergence.logProbability(margin: $1.1.label ? Double($1.0) : -Double($1.0))
        }
        let square = table.reduce(0.0) { $0 + Double($1) * Double($1) }
        return sum / Double(samples.count) + 0.5 * configuration.regularisation * square
    }

    package func gradient(_ table: [Float], threads: Int = 1) -> [Float] {
        let slopes = rows.rows.logisticGradient(
            labels: labels, of: propagated(table, threads: threads), width: configuration.width, threads: threads)
        // The propagation is symmetric: its transpose is itself.
        var gradient = propagated(slopes, threads: threads)
        let (scale, regularisation) = (1 / Float(samples.count), Float(configuration.regularisation))
        gradient.withUnsafeMutableBufferPointer { gradient in
            table.withUnsafeBufferPointer { table in
                for index in gradient.indices {
                    gradient[index] = gradient[index] * scale + regularisation * table[index]
                }
            }
        }
        return gradient
    }

    /// Minimises the loss by full-batch Adam with a rate that falls linearly to zero, from small random embeddings. The
    /// result does not depend on the number of threads.
    ///
    /// - Throws: `UnlearningError.notFinite`.
    public func trained(threads: Int = 1) throws -> [Float] {
        let generator = CounterGenerator(seed: configuration.seed, path: [UInt64(configuration.width)])
        var table = generator.normals(count: parameters).map { 0.1 * $0 }
        var optimiser = AdamW(count: parameters)
        for step in 0..<configuration.steps {
            let rate = configuration.learningRate * (1 - Double(step) / Double(configuration.steps))
            optimiser.step(&table, gradient: gradient(table, threads: threads), learningRate: Float(rate))
        }
        guard table.allSatisfy(\.isFinite) else { throw UnlearningError.notFinite(what: "the embeddings") }
        return table
    }

    func propagated(_ table: [Float], threads: Int = 1) -> [Float] {
        graph.propagated(table, width: configuration.width, layers: configuration.layers, threads: threads)
    }
}
