import Compute
import Unlearning

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
            (width <= SparseRows.widthLimit, "embeddings may have \(SparseRows.widthLimit) dimensions at most"),
            (layers >= 0 && steps >= 0, "there cannot be a negative number of layers or steps"),
            (layers <= 16, "there may be 16 layers at most"),
            (regularisation.isFinite && regularisation >= 0, "the regularisation cannot be negative"),
            (learningRate.isFinite && learningRate > 0, "the learning rate must be positive"),
        ]
        for (holds, reason) in problems where !holds {
            throw UnlearningError.invalidSpecification(reason: reason)
        }
    }
}
