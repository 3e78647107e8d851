import CKernels
import Compute
import Foundation

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
    let rotary: RotaryTables
    let tree: TokenTree
    let lowRank: LowRank?
    let training: Bool
    let plan: AttentionPlan
    let answerPlan: AttentionPlan
    let blocks: RowBlocks
    let answerBlocks: RowBlocks
    /// Group of each answer row.
    let answerGroups: [Int32]

    init(
        decoder: Decoder, tree: TokenTree, lowRank: LowRank?, training: Bool, rotary: RotaryTables
    ) throws {
        weights = decoder.weights
        model = decoder.configuration
        element = decoder.weights.element
        pool = decoder.pool
        products = decoder.products
        buffers = decoder.buffers
        meter = decoder.meter
        self.rotary = rotary
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
        need.tokens = blocks.capacity
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
        var shape = lethe_attention()
        describe(&shape)
        need.attentionBytes = lethe_attention_workspace(
            &shape, Int32(plan.longestPath), Int32(max(plan.deepestPath, answerPlan.deepestPath)), training ? 1 : 0)
        try buffers.prepare(need)
    }

    var queryWidth: Int { model.heads * model.headDimension }
    var keyWidth: Int { model.keyValueHeads * model.headDimension }
    var lastLayer: Int { model.layers - 1 }

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

    func describe(_ attention: inout lethe_attention) {
        attention.element = element.kernel
        attention.heads = Int32(model.heads)
        attention.key_value_heads = Int32(model.keyValueHeads)
        attention.head_dimension = Int32(model.headDimension)
        attention.scale = 1 / Float(model.headDimension).squareRoot()
    }

    /// Runs attention's C kernel over all chunks and key/value heads; `more` tasks follow them.
    func attend(
        layer index: Int, plan: AttentionPlan, backward: Bool, more: Int = 0,
        _ task: @escaping (_ task: Int, _ thread: Int) throws -> Void = { _, _ in }
    ) throws {
        var attention = lethe_attention()
        describe(&attention)
        let layer = layer(index)
        attention.q = UnsafeRawPointer(layer.query)
        attention.k = UnsafeRawPointer(layer.key)
        attention.v = UnsafeRawPointer(layer.value)
        attention.o = layer.attended
        attention.lse = training ? layer.logSum : nil
        if backward {
            attention.d_o = UnsafeRawPointer(buffers.attendedGradient)
            attention.dq = buffers.queryGradient
            attention.dk = buffers.keyGradient
            attention.dv = buffers.valueGradient
        }
        let heads = model.keyValueHeads
        let (keys, depth) = (Int32(plan.longestPath), Int32(plan.deepestPath))
        let (meter, scratch) = (meter, buffers.scratch)
        let stage: DecoderProfile.Stage = backward ? .attentionBackward : .attention
        try plan.spans.withUnsafeBufferPointer { spans in
            try plan.items.withUnsafeBufferPointer { items in
                try plan.queryRows.withUnsafeBufferPointer { queryRows in
                    try plan.outputRows.withUnsafeBufferPointer { outputRows in
                        try plan.limits.withUnsafeBufferPointer { limits in
                            attention.spans = spans.baseAddress
                            attention.items = items.baseAddress
                            attention.q_rows = queryRows.baseAddress
                            attention.o_rows = outputRows.baseAddress
                            attention.limits = limits.baseAddress
                            let call = attention
                            let chunks = plan.chunks
                            try pool.run(tasks: chunks.count * heads + more) { number, thread in
                                guard number < chunks.count * heads else {
                                    return try task(number - chunks.count * heads, thread)
                                }
                                let chunk = chunks[number / heads]
                                let head = Int32(number % heads)
                                let (begin, end) = (Int32(chunk.lowerBound), Int32(chunk.upperBound))
                                meter.measure(stage, thread: thread, operations: 0) {
                                    withUnsafePointer(to: call) { call in
                                        let workspace = scratch[thread].attention
                                        if backward {
                                            lethe_attention_backward(call, head, begin, end, keys, depth, workspace)
                                        } else {
                                            lethe_attention_forward(call, head, begin, end, keys, depth, workspace)
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Cosines and sines of the rotary embedding, `[positions, headDimension / 2]`.
final class RotaryTables {
    let cosine: [Float]
    let sine: [Float]
    let positions: Int

    init(model: ModelConfiguration, positions: Int) {
        let half = model.headDimension / 2
        var (cosine, sine) = ([Float](), [Float]())
        cosine.reserveCapacity(positions * half)
        sine.reserveCapacity(positions * half)
        // As Transformers does: frequencies and angles in 32 bits.
        let frequencies = model.rotaryFrequencies
        for position in 0..<positions {
            for frequency in frequencies {
                let angle = Double(Float(position) * frequency)
                cosine.append(Float(cos(angle)))
                sine.append(Float(sin(angle)))
            }
        }
        self.cosine = cosine
        self.sine = sine
        self.positions = positions
    }
}
