import CKernels
import Compute

// Answer rows: in the last layer, after attention, only the rows at which a prompt ends go on.
//   input     x [tokens, hidden] in 32 bits
//   output    x at the answer rows [answers, hidden]
//   backward  dx [tokens, hidden]: that of the answers at their rows, zero elsewhere
extension DecoderPass {
    func answerRowsForward(_ answers: RowBlock) {
        let width = model.hidden
        for row in answers.range {
            let from = buffers.x + Int(tree.answerRows[row]) * width
            (buffers.answerX + row * width).update(from: from, count: width)
        }
    }

    /// - Parameter rows: a block of all tokens.
    func answerRowsBackward(_ rows: RowBlock) {
        let hidden = model.hidden
        dx(rows).update(repeating: 0, count: rows.count * hidden)
        for (answer, row) in tree.answerRows.enumerated() where rows.range.contains(Int(row)) {
            (buffers.dx + Int(row) * hidden).update(from: buffers.answerDX + answer * hidden, count: hidden)
        }
    }
}

// Answer: h = rmsnorm(x), [yes no] = h·Wᵀ with the two rows of the answer tokens; everything in 32 bits.
//   input     x [answers, hidden], W [2, hidden]
//   output    logits [answers, 2]
//   kept      x (`answerX`) and 1/rms (`answerRstd`)
//   backward  ∂loss/∂logits [answers, 2]; dh = ∂logits·W [answers, hidden], in h's place; dx = rmsnorm's gradient for dh,
//             where the residual stream's gradient begins
extension DecoderPass {
    func answerForward() -> [Float] {
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

    func answerBackward(_ answers: [Float]) {
        let (count, hidden) = (tree.answerRows.count, model.hidden)
        meter.measure(.answer, thread: 0, operations: 0) {
            lethe_answer_backward(
                Int32(count), Int32(hidden), answers, weights.floats(.answer), buffers.answerHidden)
            buffers.answerDX.update(repeating: 0, count: count * hidden)
            lethe_rmsnorm_backward(
                lethe_kernel_float32, Int32(count), Int32(hidden), buffers.answerHidden, buffers.answerX,
                buffers.answerRstd, weights.floats(.finalNorm), buffers.answerDX)
        }
    }
}
