import CKernels
import Compute

// Projection: h = rmsnorm(x), [q k v] = h·Wqkv + low-rank part; the norm of each head of q and k (HeadNorm.swift) or the
// bias, where the model has one; then q and k are turned by their positions (rotary), but in layers without rope.
//   input     x [rows, hidden] in 32 bits
//   output    q [rows, heads·d], k and v [rows, kv·d] as elements, in the layer's buffers: attention's backward reads them
//   kept      x as elements (`attentionInput`) and 1/rms (`attentionRstd`), from which h is made again
//   backward  dq [tokens, heads·d] and dk, dv [slots, kv·d] in 32 bits, turned back: dqkv [rows, (heads + 2 kv)·d] as
//             elements; dh = dqkv·Wqkvᵀ + low-rank part [rows, hidden]; dx += rmsnorm's gradient for dh
extension DecoderPass {
    func projectionForward(_ index: Int, _ rows: RowBlock, thread: Int) throws {
        let (start, count, hidden) = (rows.start, rows.count, model.hidden)
        let (scratch, layer) = (buffers.scratch[thread], layer(index))
        try meter.measure(.projection, thread: thread, operations: operations(.projection, rows: count)) {
            lethe_rmsnorm_forward(
                element.kernel, Int32(count), Int32(hidden), x(rows), weights.floats(.attentionNorm, layer: index),
                Float(model.rmsNormEpsilon), training ? layer.attentionInput + bytes(start * hidden) : nil,
                training ? layer.attentionRstd + start : nil, scratch.input)
            try multiply(
                .projection, .float32, rows: rows.padded, layer: index, from: scratch.input, to: scratch.wide,
                scratch: scratch)
        }
        lowRankForward(
            .projection, layer: index, rows, input: scratch.input, result: scratch.wide, thread: thread)
        meter.measure(.projection, thread: thread, operations: 0) {
            headNormForward(index, rows, projections: scratch.wide)
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

    /// - Parameter further: whether dx is wanted.
    func projectionBackward(_ index: Int, _ rows: RowBlock, further: Bool, thread: Int) throws {
        let (start, count, hidden) = (rows.start, rows.count, model.hidden)
        let (scratch, layer) = (buffers.scratch[thread], layer(index))
        try meter.measure(
            .projectionBackward, thread: thread,
            operations: further ? operations(.projectionBackward, rows: count) : 0
        ) {
            turnBack(index, rows, into: scratch.projection, scratch: scratch)
            headNormBackward(index, rows, gradient: scratch.projection, floats: scratch.wide)
            guard further else { return }
            try multiply(
                .projectionBackward, .float32, rows: rows.padded, layer: index, from: scratch.projection,
                to: scratch.hidden, scratch: scratch)
        }
        let (saved, rstd) = (layer.attentionInput + bytes(start * hidden), layer.attentionRstd + start)
        let norm = weights.floats(.attentionNorm, layer: index)
        if lowRank?.factors[.projection] != nil {
            lethe_rmsnorm_apply(element.kernel, Int32(count), Int32(hidden), saved, rstd, norm, scratch.input)
            lowRankBackward(
                .projection, layer: index, rows, output: scratch.projection, input: scratch.input,
                inputGradient: further ? scratch.hidden : nil, thread: thread)
        }
        guard further else { return }
        meter.measure(.projectionBackward, thread: thread, operations: 0) {
            lethe_rmsnorm_backward(
                element.kernel, Int32(count), Int32(hidden), scratch.hidden, saved, rstd, norm, dx(rows))
        }
    }

    /// dqkv of a block: dq, and dk and dv summed over their slots, before the rotary embedding.
    private func turnBack(
        _ index: Int, _ rows: RowBlock, into target: UnsafeMutableRawPointer, scratch: ThreadScratch
    ) {
        let (start, plan) = (rows.start, backwardPlan(index))
        withProjection(layer: index) { projection in
            tree.positions.withUnsafeBufferPointer { positions in
                plan.slotBegin.withUnsafeBufferPointer { begin in
                    guard let positions = positions.baseAddress, let begin = begin.baseAddress else { return }
                    lethe_projection_backward(
                        projection, Int32(rows.count), buffers.queryGradient + start * queryWidth,
                        buffers.keyGradient, buffers.valueGradient, begin + start, plan.slotRows, positions + start,
                        scratch.sum, target)
                }
            }
        }
    }

    private func withProjection(layer: Int, _ body: (UnsafePointer<lethe_projection>) -> Void) {
        let rotary = layersWithoutRope.contains(layer) ? rotary.still : rotary.turning
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
}
