import CKernels
import Compute

// Output: x += o·Wo + low-rank part, what attention gives to the residual stream.
//   input     o [rows, heads·d] as elements (`attended`)
//   output    added to x [rows, hidden] in 32 bits
//   kept      o
//   backward  dx [rows, hidden] in 32 bits; do = dx·Woᵀ + low-rank part [rows, heads·d] as elements (`attendedGradient`);
//             dx itself goes on, as the residual stream's
extension DecoderPass {
    func outputForward(_ index: Int, _ rows: RowBlock, thread: Int) throws {
        let (scratch, x) = (buffers.scratch[thread], x(rows))
        let attended = layer(index).attended + bytes(rows.start * queryWidth)
        try meter.measure(.output, thread: thread, operations: operations(.output, rows: rows.count)) {
            try multiply(
                .output, .accumulate, rows: rows.padded, layer: index, from: attended, to: x, scratch: scratch)
        }
        lowRankForward(.output, layer: index, rows, input: attended, result: x, thread: thread)
    }

    func outputBackward(_ index: Int, _ rows: RowBlock, thread: Int) throws {
        let scratch = buffers.scratch[thread]
        let adapted = lowRank?.factors[.output] != nil
        let attendedGradient = buffers.attendedGradient + bytes(rows.start * queryWidth)
        try meter.measure(.outputBackward, thread: thread, operations: operations(.outputBackward, rows: rows.count)) {
            lethe_to_element(element.kernel, dx(rows), scratch.input, rows.count * model.hidden)
            try multiply(
                .outputBackward, adapted ? .float32 : .element, rows: rows.padded, layer: index, from: scratch.input,
                to: adapted ? UnsafeMutableRawPointer(scratch.wide) : attendedGradient, scratch: scratch)
        }
        guard adapted else { return }
        lowRankBackward(
            .output, layer: index, rows, output: scratch.input,
            input: layer(index).attended + bytes(rows.start * queryWidth), inputGradient: scratch.wide, thread: thread)
        lethe_to_element(element.kernel, scratch.wide, attendedGradient, rows.count * queryWidth)
    }
}
