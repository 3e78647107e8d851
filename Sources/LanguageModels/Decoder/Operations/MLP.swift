import CKernels
import Compute

// Feed-forward (MLP): h = rmsnorm(x), [g u] = h·Wgu + low-rank part, a = silu(g) ∘ u, x += a·Wd + low-rank part.
//   input     x [rows, hidden] in 32 bits
//   output    added to x
//   kept      x before as elements (`mlpInput`) and 1/rms (`mlpRstd`), from which h is made again;
//             [g u] [rows, 2·intermediate] as elements (`gateUp`), from which a is made again
//   backward  dx [rows, hidden] in 32 bits; da = dx·Wdᵀ + low-rank part [rows, intermediate];
//             dg = da ∘ u ∘ silu′(g), du = da ∘ silu(g) [rows, 2·intermediate] as elements;
//             dh = [dg du]·Wguᵀ + low-rank part [rows, hidden] in 32 bits; dx += rmsnorm's gradient for dh
extension DecoderPass {
    func mlpForward(_ index: Int, _ rows: RowBlock, thread: Int) throws {
        let (start, count, hidden) = (rows.start, rows.count, model.hidden)
        let (scratch, layer, x) = (buffers.scratch[thread], layer(index), x(rows))
        try meter.measure(.mlp, thread: thread, operations: operations(.gateUp, rows: count)) {
            lethe_rmsnorm_forward(
                element.kernel, Int32(count), Int32(hidden), x, weights.floats(.mlpNorm, layer: index),
                Float(model.rmsNormEpsilon), training ? layer.mlpInput + bytes(start * hidden) : nil,
                training ? layer.mlpRstd + start : nil, scratch.input)
            try multiply(
                .gateUp, .float32, rows: rows.padded, layer: index, from: scratch.input, to: scratch.wide,
                scratch: scratch)
        }
        lowRankForward(.gateUp, layer: index, rows, input: scratch.input, result: scratch.wide, thread: thread)
        try meter.measure(.mlp, thread: thread, operations: operations(.down, rows: count)) {
            lethe_swiglu_forward(
                element.kernel, Int32(count), Int32(model.intermediate), scratch.wide,
                training ? layer.gateUp + bytes(start * 2 * model.intermediate) : nil, scratch.act)
            try multiply(
                .down, .accumulate, rows: rows.padded, layer: index, from: scratch.act, to: x, scratch: scratch)
        }
        lowRankForward(.down, layer: index, rows, input: scratch.act, result: x, thread: thread)
    }

    func mlpBackward(_ index: Int, _ rows: RowBlock, thread: Int) throws {
        let (start, count) = (rows.start, rows.count)
        let (scratch, layer, dx) = (buffers.scratch[thread], layer(index), dx(rows))
        let (hidden, width) = (model.hidden, model.intermediate)
        let gateUp = layer.gateUp + bytes(start * 2 * width)
        let down = lowRank?.factors[.down] != nil
        try meter.measure(.mlpBackward, thread: thread, operations: operations(.downBackward, rows: count)) {
            lethe_to_element(element.kernel, dx, scratch.input, count * hidden)
            try multiply(
                .downBackward, down ? .float32 : .element, rows: rows.padded, layer: index, from: scratch.input,
                to: down ? UnsafeMutableRawPointer(scratch.wide) : scratch.actGradient, scratch: scratch)
        }
        if down {
            lethe_swiglu_apply(element.kernel, Int32(count), Int32(width), gateUp, scratch.act)
            lowRankBackward(
                .down, layer: index, rows, output: scratch.input, input: scratch.act, inputGradient: scratch.wide,
                thread: thread)
            lethe_to_element(element.kernel, scratch.wide, scratch.actGradient, count * width)
        }
        try meter.measure(.mlpBackward, thread: thread, operations: operations(.gateUpBackward, rows: count)) {
            lethe_swiglu_backward(
                element.kernel, Int32(count), Int32(width), gateUp, scratch.actGradient, scratch.gateUp)
            try multiply(
                .gateUpBackward, .float32, rows: rows.padded, layer: index, from: scratch.gateUp, to: scratch.hidden,
                scratch: scratch)
        }
        let (saved, rstd) = (layer.mlpInput + bytes(start * hidden), layer.mlpRstd + start)
        let norm = weights.floats(.mlpNorm, layer: index)
        if lowRank?.factors[.gateUp] != nil {
            lethe_rmsnorm_apply(element.kernel, Int32(count), Int32(hidden), saved, rstd, norm, scratch.input)
            lowRankBackward(
                .gateUp, layer: index, rows, output: scratch.gateUp, input: scratch.input,
                inputGradient: scratch.hidden, thread: thread)
        }
        meter.measure(.mlpBackward, thread: thread, operations: 0) {
            lethe_rmsnorm_backward(
                element.kernel, Int32(count), Int32(hidden), scratch.hidden, saved, rstd, norm, dx)
        }
    }
}
