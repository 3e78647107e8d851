import Compute

/// One micro-batch on its way through the decoder: forward keeps what backward needs.
///
/// All prompts' tokens are the rows of one matrix `[tokens, hidden]`. Between barriers, threads take fixed blocks of rows
/// (matrix products, norms, element-wise work) or chunks of the token tree and key/value heads (attention); no partition
/// depends on the number of threads. In the last layer everything after attention runs on the answer rows only.
final class DecoderPass {
    /// How adapters act: their factors and, for a mixture, the weights `[groups, adapters]` of each group of prompts.
    struct LowRank {
        let factors: LowRankFactors
        let decomposed: Bool
        /// nil: one adapter with weight 1.
        let groupWeights: [Float]?
    }

    let weights: DecoderWeights
    let model: ModelConfiguration
    let element: Element
    let pool: ThreadPool
    let products: DecoderProducts
    let buffers: DecoderBuffers
    let meter: DecoderMeter
    /// For layers with rope and without.
    let rotary: (turning: RotaryTables, still: RotaryTables)
    let layersWithoutRope: Set<Int>
    let tree: TokenTree
    let lowRank: LowRank?
    let training: Bool
    /// Those that the tree's segments name, and those that are to be kept.
    let beginnings: [KeptBeginning]
    let keepings: [Keeping]
    let plan: AttentionPlan
    let answerPlan: AttentionPlan
    let blocks: RowBlocks
    let answerBlocks: RowBlocks
    /// Group of each answer row.
    let answerGroups: [Int32]

    init(
        decoder: Decoder, tree: TokenTree, lowRank: LowRank?, training: Bool,
        rotary: (turning: RotaryTables, still: RotaryTables), beginnings: [KeptBeginning] = [],
        keepings: [Keeping] = []
    ) throws {
        self.beginnings = beginnings
        self.keepings = keepings
        weights = decoder.weights
        model = decoder.configuration
        element = decoder.weights.element
        pool = decoder.pool
        products = decoder.products
        buffers = decoder.buffers
        meter = decoder.meter
        self.rotary = rotary
        layersWithoutRope = Set(decoder.configuration.layersWithoutRope ?? [])
        self.tree = tree
        self.lowRank = lowRank
        self.training = training
        plan = AttentionPlan(tree: tree, answersOnly: false)
        answerPlan = AttentionPlan(tree: tree, answersOnly: true)
        blocks = RowBlocks(rows: tree.tokens.count)
        answerBlocks = RowBlocks(rows: tree.answerRows.count)
        answerGroups = tree.answerRows.map { tree.groups[Int($0)] }
        try prepare()
    }

    private func prepare() throws {
        var sizes: Set<Int> = []
        for blocks in [blocks, answerBlocks] where blocks.count > 0 {
            sizes.formUnion([blocks.padded(0), blocks.padded(blocks.count - 1)])
        }
        try products.prepare(rows: sizes, backward: training)
        var need = DecoderBuffers.Need()
        need.tokens = max(blocks.capacity, tree.tokens.count + tree.keptRows)
        need.answers = answerBlocks.capacity
        need.slots = max(plan.slots, answerPlan.slots)
        need.layers = training ? model.layers : 1
        need.training = training
        need.lowRankColumns = lowRank?.factors.width ?? 0
        need.paddedRank = lowRank?.factors.paddedRank ?? 0
        if training {
            need.gradientCount = lowRank?.factors.gradientCount ?? 0
            need.gradientBlocks = max(blocks.count, answerBlocks.count)
        }
        need.productBytes = products.scratchBytes
        need.attentionBytes = attentionWorkspace
        try buffers.prepare(need)
    }

    var queryWidth: Int { model.heads * model.headDimension }
    var keyWidth: Int { model.keyValueHeads * model.headDimension }
    var lastLayer: Int { model.layers - 1 }

    /// A block of the rows that a layer works on.
    func rows(_ block: Int, ofAnswers: Bool = false) -> RowBlock {
        let blocks = ofAnswers ? answerBlocks : blocks
        let start = blocks.start(block)
        return RowBlock(
            number: block, range: start..<(start + blocks.count(block)), padded: blocks.padded(block),
            ofAnswers: ofAnswers)
    }

    /// The residual stream at a block `[rows, hidden]`, and its gradient.
    func x(_ rows: RowBlock) -> UnsafeMutablePointer<Float> {
        let stream: UnsafeMutablePointer<Float> = rows.ofAnswers ? buffers.answerX : buffers.x
        return stream + rows.start * model.hidden
    }

    func dx(_ rows: RowBlock) -> UnsafeMutablePointer<Float> {
        let stream: UnsafeMutablePointer<Float> = rows.ofAnswers ? buffers.answerDX : buffers.dx
        return stream + rows.start * model.hidden
    }

    func layer(_ index: Int) -> LayerBuffers { buffers.layers[training ? index : 0] }

    /// Bytes of so many elements.
    func bytes(_ elements: Int) -> Int { elements * element.bytes }

    func multiply(
        _ kind: FrozenProduct, _ result: DecoderProducts.Result, rows: Int, layer: Int, from source: UnsafeRawPointer,
        to target: UnsafeMutableRawPointer, scratch: ThreadScratch
    ) throws {
        guard let product = products.product(kind, result, rows: rows) else {
            throw ComputeError.product(what: "\(kind) for \(rows) rows was not prepared", status: -1)
        }
        try product.execute(
            source, weights.pointer(.product(kind), layer: layer), target, scratch: scratch.product)
    }

    /// Operations of a frozen product on so many rows.
    func operations(_ kind: FrozenProduct, rows: Int) -> Double {
        let (inputs, outputs) = kind.shape(model)
        return 2 * Double(rows) * Double(inputs) * Double(outputs)
    }
}
