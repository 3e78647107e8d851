/// What one run of an experiment found. Everything is given by the graph without what was forgotten.
public struct GraphReport: Codable, Hashable, Sendable {
    /// How well a table of embeddings answers, and how far it is from the retrained one.
    public struct Quality: Codable, Hashable, Sendable {
        public var aucTest: Double?
        /// Of the test samples whose user or item has forgotten samples.
        public var aucTouched: Double?
        /// Of the forgotten samples, by the labels that were trained.
        public var aucForgotten: Double?
        /// Mean distances of the predicted probabilities to those of the retrained model.
        public var distanceTest: Double
        public var distanceTouched: Double
        public var distanceForgotten: Double
        /// Length of the difference of the embeddings.
        public var parameterDistance: Double
    }

    public struct Correction: Codable, Hashable, Sendable {
        public var spillover: Bool
        /// 1: only the nodes of forgotten samples change.
        public var pruning: Double
        public var reach: GraphInfluence.Reach
        /// λ·N, in units of one sample's loss, as the regularisation.
        public var damping: Double
        public var updatedNodes: Int
        public var products: Int
        public var residual: Double
        public var usedGaussNewton: Bool
        /// Of the request, without the preparation.
        public var seconds: Double
        public var quality: Quality
    }

    public var seed: UInt64
    public var users: Int
    public var items: Int
    public var trainingSamples: Int
    public var forgottenSamples: Int
    public var testSamples: Int
    public var touchedTestSamples: Int
    public var secondsTraining: Double
    public var secondsRetraining: Double
    /// Computed once for a trained model, before any request.
    public var secondsPreparation: Double
    /// Choosing the damping, once for a kind of request.
    public var secondsDamping: Double
    public var original: Quality
    public var retrained: Quality
    public var corrections: [Correction]
}
