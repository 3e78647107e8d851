import Compute
import Unlearning

/// What forget requests need of a trained model and can be computed before any comes: propagated embeddings, the terms
/// of every sample, and the blocks of the Hessian on its diagonal.
public struct GraphPreparation: Sendable {
    /// Most bytes that the blocks may take.
    public static let memoryLimit = 8 << 30

    public let loss: GraphLoss
    /// The trained embeddings, `[nodes, width]`.
    public let table: [Float]
    /// Â^l·E for l = 0...layers, and z, their mean.
    let powers: [[Float]]
    let z: [Float]
    /// Â^l·Γ with Γ_v = Σ over the samples of v of (p − y)·z of the other node: the loss's gradient for z.
    let slopePowers: [[Float]]
    /// p(1 − p) and p − y for each of the users' entries of the loss's rows.
    let curvature: [Float]
    let slope: [Float]
    /// Σ over the samples of each node of p(1 − p)·z·zᵀ of the other: `[nodes, width, width]`.
    let blocks: [Float]
    let diagonal: [Float]
    let threads: Int

    /// - Throws: `UnlearningError.wrongShape`, `.notFinite`; `ApproximateError.preparationTooLarge`.
    public init(loss: GraphLoss, table: [Float], threads: Int = 1) throws {
        guard table.count == loss.parameters else {
            throw UnlearningError.wrongShape(what: "the table", expected: loss.parameters, found: table.count)
        }
        guard table.allSatisfy(\.isFinite) else { throw UnlearningError.notFinite(what: "the table") }
        let (width, layers) = (loss.configuration.width, loss.configuration.layers)
        let bytes = table.count * width * 4
        guard bytes <= Self.memoryLimit else {
            throw ApproximateError.preparationTooLarge(bytes: bytes, limit: Self.memoryLimit)
        }
        let rows = loss.rows.rows
        powers = loss.graph.powers(table, width: width, layers: layers, threads: threads)
        z = mean(of: powers)
        let terms = rows.logisticTerms(labels: loss.labels, of: z, width: width, threads: threads)
        let slopes = rows.sum(weights: terms.slope, of: z, width: width, threads: threads)
        slopePowers = loss.graph.powers(slopes, width: width, layers: layers, threads: threads)
        blocks = rows.squares(weights: terms.curvature, of: z, width: width, threads: threads)
        curvature = Array(terms.curvature.prefix(loss.rows.pairs))
        slope = Array(terms.slope.prefix(loss.rows.pairs))
        diagonal = loss.graph.diagonal(layers: layers)
        self.loss = loss
        self.table = table
        self.threads = threads
    }
}
