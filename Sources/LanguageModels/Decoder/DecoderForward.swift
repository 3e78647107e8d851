import CKernels
import Compute

// Forward: x ← x + Wo·attention(norm x), x ← x + Wd·(silu(Wg·h) ∘ Wu·h) with h = norm x, layer by layer.
extension DecoderPass {
    /// The logits of "Yes" and "No" of each answer row, `[answers, 2]`.
    func forward() throws -> [Float] {
        embed()
        for layer in 0...lastLayer { try attentionHalf(layer) }
        let (answers, tree) = (answerBlocks, tree)
        try pool.run(tasks: answers.count) { block, thread in
            // The residual stream of the answer rows goes on alone.
            let width = self.model.hidden
            for row in answers.start(block)..<(answers.start(block) + answers.count(block)) {
                let from = self.buffers.x + Int(tree.answerRows[row]) * width
                (self.buffers.answerX + row * width).update(from: from, count: width)
            }
            try self.mlpHalf(self.lastLayer, blocks: answers, block: block, x: self.buffers.answerX, thread: thread)
        }
        return answerLogits()
    }

    /// The hidden states `[tokens, hidden]` after so many blocks are left in `buffers.x`.
    func forward(layers: Int) throws {
        embed()
        guard layers > 0 else { return }
        for layer in 0..<layers { try attentionHalf(layer, all: true) }
        try pool.run(tasks: blocks.count) { block, thread in
            try self.mlpHalf(layers - 1, blocks: self.blocks, block: block, x: self.buffers.x, thread: thread)
        }
    }

    private func embed() {
        meter.measure(.embedding, thread: 0, operations: 0) {
            lethe_gather(
                element.kernel, Int32(tree.tokens.count), Int32(model.hidden), weights.pointer(.embedding), tree.tokens,
                buffers.x)
        }
    }

    /// Ends the layer before (on all rows) and does the layer's attention; in the last layer only answers ask.
    private func attentionHalf(_ layer: Int, all: Bool = false) throws {
        try pool.run(tasks: blocks.count) { block, thread in
            if layer > 0 {
                try self.mlpHalf(layer - 1, blocks: self.blocks, block: block, x: self.buffers.x, thread: thread)
            }
            try self.project(layer, block: block, thread: thread)
        }
        try attend(layer: layer, plan: layer == lastLayer && !all ? answerPlan : plan, backward: false)
    }

    /// Query, key and value of a block of rows.
    private func project(_ index: Int, block: Int, thread: Int) throws {
        let (start, count, hidden) = (blocks.start(block), blocks.count(block), model.hidden)
        let (scratch, layer) = (buffers.scratch[thread], layer(index))
        try meter.measure(.projection, thread: thread, operations: operations(.projection, rows: count)) {
            lethe_rmsnorm_forward(
                element.kernel, Int32(count), Int32(hidden), buffers.x + start * hidden,
                weights.floats(.attentionNorm, layer: index), Float(model.rmsNormEpsilon),
                training ? layer.attentionInput + bytes(start * hidden) : nil,
                training ? layer.attentionRstd + start : nil, scratch.input)
            try multiply(
                .projection, .float32, rows: blocks.padded(block), layer: index, from: scratch.input, to: scratch.wide,
                scratch: scratch)
        }
        addLowRank(
            .projection, layer: index, rows: start..<(start + count), groups: tree.groups, input: scratch.input,
            result: scratch.wide, thread: thread)
        meter.measure(.projection, thread: thread, operations: 0) {
            withProjection(layer: index) { projection in
                tree.positions.withUnsafeBufferPointer { positions in
                    guard let positions = positions.baseAddress else { return }
                    lethe_projection_forward(
                        projection, Int32(count), scratch.wide, positions + start,
                        layer.query + bytes(start * queryWidth), layer.key + bytes(start * keyWidth),
                        layer.value + bytes(start * keyWidth))
                }
            }
        }
    }

    func withProjection(layer: Int, _ body: (UnsafePointer<lethe_projection>) -> Void) {
        rotary.cosine.withUnsafeBufferPointer { cosine in
            rotary.sine.withUnsafeBufferPointer { sine in
                var projection = lethe_projection()
                projection.element = element.kernel
                projection.heads = Int32(model.heads)
                projection.key_value_heads = Int32(model.keyValueHeads)
                projection.head_dimension = Int32(model.headDimension)
                projection.cosine = cosine.baseAddress
                projection.sine = sine.baseAddress
                projection.bias = model.attentionBias ? weights.floats(.bias, layer: layer) : nil
                body(&projection)
            }
        }
    }

    /// What follows attention in a layer, on a block of rows of `x` (all tokens, or the answers).
    private func mlpHalf(
        _ index: Int, blocks: RowBlocks, block: Int, x: UnsafeMutablePointer<Float>, thread: Int
    ) throws {
        let (start, count, padded) = (blocks.start(block), blocks.count(block), blocks.padded(block))
        let (scratch, layer, hidden) = (buffers.scratch[thread], layer(index), model.hidden)
        let rows = start..<(start + count)
        let groups = x == buffers.answerX ? answerGroups : tree.groups
        let x = x + start * hidden
        let attended = layer.attended + bytes(start * queryWidth)
        try meter.measure(.output, thread: thread, operations: operations(.output, rows: count)) {
            try multiply(
                .output, .accumulate, rows: padded, layer: index, from: attended, to: x, scratch: scratch)
        }
        addLowRank(.output, layer: index, rows: rows, groups: groups, input: attended, result: x, thread: thread)
        try meter.measure(.mlp, thread: thread, operations: operations(.gateUp, rows: count)) {
            lethe_rmsnorm_forward(
                element.kernel, Int32(count), Int32(hidden), x, weights.floats(.mlpNorm, layer: index),
                Float(model.rmsNormEpsilon), training ? layer.mlpInput + bytes(start * hidden) : nil,
                training ? layer.mlpRstd + start : nil, scratch.input)
            try multiply(
                .gateUp, .float32, rows: padded, layer: index, from: scratch.input, to: scratch.wide, scratch: scratch)
        }
        addLowRank(
            .gateUp, layer: index, rows: rows, groups: groups, input: scratch.input, result: scratch.wide,
            thread: thread)
        try meter.measure(.mlp, thread: thread, operations: operations(.down, rows: count)) {
            lethe_swiglu_forward(
                element.kernel, Int32(count), Int32(model.intermediate), scratch.wide,
                training ? layer.gateUp + bytes(start * 2 * model.intermediate) : nil, scratch.act)
            try multiply(.down, .accumulate, rows: padded, layer: index, from: scratch.act, to: x, scratch: scratch)
        }
        addLowRank(.down, layer: index, rows: rows, groups: groups, input: scratch.act, result: x, thread: thread)
    }

    /// result += s·B·(ω ∘ A·input) at the group's sites; u = ω ∘ A·input is kept.
    private func addLowRank(
        _ kind: SiteGroup, layer index: Int, rows: Range<Int>, groups: [Int32], input: UnsafeRawPointer,
        result: UnsafeMutablePointer<Float>, thread: Int
    ) {
        guard let lowRank, let group = lowRank.factors[kind] else { return }
        let factors = lowRank.factors
        meter.measure(.lowRank, thread: thread, operations: 0) {
            let count = Int32(rows.count)
            let u = layer(index).lowRank + rows.lowerBound * factors.width + group.column
            lethe_lowrank_down(
                element.kernel, count, Int32(group.inputs), Int32(group.columns), input, Int32(group.inputs),
                factors.floats(group.transposedA, layer: index), Int32(group.columns), u, Int32(factors.width),
                buffers.scratch[thread].unpacked)
            let outputs = Int32(kind.sites.map { model.shape(of: $0).outputs }.reduce(0, +))
            let rank = factors.adapters * factors.rank
            for site in group.sites {
                if let weights = lowRank.groupWeights {
                    groups.withUnsafeBufferPointer { groups in
                        guard let groups = groups.baseAddress else { return }
                        lethe_mixture_scale(
                            count, Int32(factors.adapters), Int32(factors.rank), lowRank.decomposed ? 1 : 0,
                            groups + rows.lowerBound, weights, u + site.column, Int32(factors.width))
                    }
                }
                lethe_lowrank_up(
                    count, Int32(rank), Int32(site.outputs), u + site.column, Int32(factors.width),
                    factors.floats(site.scaledTransposedB, layer: index), Int32(site.outputs),
                    result + site.outputColumn, outputs)
            }
        }
    }

    private func answerLogits() -> [Float] {
        let count = tree.answerRows.count
        var logits = [Float](repeating: 0, count: 2 * count)
        meter.measure(.answer, thread: 0, operations: 0) {
            lethe_rmsnorm_forward(
                lethe_kernel_float32, Int32(count), Int32(model.hidden), buffers.answerX, weights.floats(.finalNorm),
                Float(model.rmsNormEpsilon), nil, buffers.answerRstd, buffers.answerHidden)
            lethe_answer_forward(
                Int32(count), Int32(model.hidden), buffers.answerHidden, weights.floats(.answer), &logits)
        }
        return logits
    }
}
