import Compute

/// What training with a base model will take of this machine, from its shape alone: no weight is read.
public struct DecoderForecast: Sendable {
    /// Packed weights. Processes that share a weight cache on one machine have them once.
    public let weightBytes: Int
    /// What a training worker has besides: activations and gradients of a micro-batch, scratch space, adapter and optimiser.
    public let trainingBytes: Int
    /// Multiplications and additions, two for each, of the matrix products with frozen weights that a token takes in training.
    public let operationsOfToken: Double
    private let model: ModelConfiguration
    private let element: Element
    private let threads: Int
    private let products: PackedProducts

    /// - Throws: `ComputeError` when oneDNN cannot multiply these shapes.
    public init(
        model: ModelConfiguration, precision: Precision, lora: LoRAConfiguration = LoRAConfiguration(), threads: Int,
        tokenBudget: Int = Decoder.usualTokenBudget
    ) throws {
        self.model = model
        element = precision.element
        self.threads = max(1, threads)
        products = try PackedProducts(model: model, element: element)
        weightBytes = WeightLayout(model: model, element: element, products: products).bytes
        let layout = AdapterLayout(model: model, configuration: lora)
        let factors = try LowRankFactors(model: model, layout: layout, adapters: 1)
        let buffers = DecoderBuffers(model: model, element: element, threads: self.threads)
        // Values, gradient, both moments of AdamW, a copy for the progress, and the factors laid out for the kernels.
        trainingBytes = buffers.bytes(Self.need(model, factors, products, tokenBudget)) + 4 * 6 * layout.count
        operationsOfToken = FrozenProduct.allCases.reduce(0) { sum, kind in
            let (inputs, outputs) = kind.shape(model)
            return sum + 2 * Double(inputs) * Double(outputs) * Double(model.layers)
        }
    }

    private static let promptsOfBatch = 4

    /// Of a full micro-batch of prompts that share nothing.
    private static func need(
        _ model: ModelConfiguration, _ factors: LowRankFactors, _ products: PackedProducts, _ tokens: Int
    ) -> DecoderBuffers.Need {
        let length = max(1, tokens / promptsOfBatch)
        let tree = TokenTree(
            prompts: (0..<Int32(promptsOfBatch)).map { [Int32](repeating: $0, count: length) })
        let (rows, answers) = (RowBlocks(rows: length * promptsOfBatch), RowBlocks(rows: promptsOfBatch))
        var need = DecoderBuffers.Need()
        need.tokens = rows.capacity
        need.answers = answers.capacity
        need.slots = AttentionPlan(tree: tree, answersOnly: false).slots
        need.layers = model.layers
        need.training = true
        need.lowRankColumns = factors.width
        need.paddedRank = factors.paddedRank
        need.gradientCount = factors.gradientCount
        need.gradientBlocks = rows.count
        need.productBytes = FrozenProduct.allCases.map { products[$0].scratchBytes }.max() ?? 0
        return need
    }

    /// Tokens a second that this machine's matrix products allow in training, measured on one layer's shapes. A training
    /// reaches 0.75 to 0.95 of it. The fastest round counts: what others compute at the same time says nothing of the machine.
    ///
    /// - Throws: `ComputeError`.
    public func measuredTokensPerSecond(seconds: Double) throws -> Double {
        let rows = RowBlocks.largest
        let shapes = FrozenProduct.allCases.map { $0.shape(model) }
        let widest = shapes.map { max($0.inputs, $0.outputs) }.max() ?? 1
        let packed = try FrozenProduct.allCases.map { try AlignedMemory(bytes: products[$0].packedBytes) }
        let scratch = FrozenProduct.allCases.map { products[$0].scratchBytes }.max() ?? 0
        let memory = try (0..<threads).map { _ in
            (
                source: try AlignedMemory(bytes: 4 * rows * widest),
                result: try AlignedMemory(bytes: 4 * rows * widest), scratch: try AlignedMemory(bytes: scratch)
            )
        }
        let pool = try ThreadPool(count: threads)
        let blocks = 4 * threads
        var (fastest, spent, isFirst) = (Double.infinity, 0.0, true)
        while spent < seconds {
            let start = DecoderMeter.wallClock()
            try pool.run(tasks: blocks) { _, thread in
                for kind in FrozenProduct.allCases {
                    try products[kind].execute(
                        memory[thread].source.pointer, packed[kind.rawValue].pointer, memory[thread].result.pointer,
                        scratch: memory[thread].scratch.pointer)
                }
            }
            // The first round touches the memory and is not counted.
            if isFirst {
                isFirst = false
                continue
            }
            let took = DecoderMeter.wallClock() - start
            fastest = min(fastest, took)
            spent += took
        }
        return Double(blocks * rows) / Double(model.layers) / fastest
    }
}
