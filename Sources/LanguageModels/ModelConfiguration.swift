/// The shape of a Llama-family decoder.
public struct ModelConfiguration: Codable, Hashable, Sendable {
    public enum Family: String, Codable, Sendable { case llama, qwen2, mistral, qwen3, smollm3, phi3 }

    /// What is done to the query and the key of each head before they are turned.
    public enum HeadNorm: String, Codable, Sendable {
        /// RMSNorm over the head's dimensions with weights that all heads share (Qwen 3, arXiv 2505.09388).
        case rms
    }

    public var family: Family
    public var vocabulary: Int
    public var hidden: Int
    public var layers: Int
    public var heads: Int
    public var keyValueHeads: Int
    public var headDimension: Int
    /// Width of the feed-forward layer.
    public var intermediate: Int
    /// Longest sequence the checkpoint was made for.
    public var context: Int
    public var ropeTheta: Double
    /// nil: the frequencies are those of the base.
    public var ropeScaling: RopeScaling?
    public var rmsNormEpsilon: Double
    public var tiedEmbeddings: Bool
    /// Qwen2 adds a bias to the query, key and value projections.
    public var attentionBias: Bool
    /// nil: nothing. Optional, as what follows, so that the digest of a model without it stays what it was.
    public var headNorm: HeadNorm?
    /// Layers in which positions turn nothing (SmolLM 3; arXiv 2501.18795); nil: none.
    public var layersWithoutRope: [Int]?

    public init(
        family: Family, vocabulary: Int, hidden: Int, layers: Int, heads: Int, keyValueHeads: Int, headDimension: Int,
        intermediate: Int, context: Int, ropeTheta: Double, rmsNormEpsilon: Double, tiedEmbeddings: Bool,
        attentionBias: Bool, ropeScaling: RopeScaling? = nil, headNorm: HeadNorm? = nil,
        layersWithoutRope: [Int]? = nil
    ) {
        self.family = family
        self.vocabulary = vocabulary
        self.hidden = hidden
        self.layers = layers
        self.heads = heads
        self.keyValueHeads = keyValueHeads
        self.headDimension = headDimension
        self.intermediate = intermediate
        self.context = context
        self.ropeTheta = ropeTheta
        self.ropeScaling = ropeScaling
        self.rmsNormEpsilon = rmsNormEpsilon
        self.tiedEmbeddings = tiedEmbeddings
        self.attentionBias = attentionBias
        self.headNorm = headNorm
        self.layersWithoutRope = layersWithoutRope
    }

    /// Inputs and outputs of a linear layer.
    public func shape(of site: LinearSite) -> (inputs: Int, outputs: Int) {
        switch site {
        case .query: (hidden, heads * headDimension)
        case .key, .value: (hidden, keyValueHeads * headDimension)
        case .output: (heads * headDimension, hidden)
        case .gate, .up: (hidden, intermediate)
        case .down: (intermediate, hidden)
        }
    }
}
