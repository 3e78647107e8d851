import CKernels

// Embedding: x = E[token].
//   input     tokens [tokens], E [vocabulary, hidden] as elements
//   output    x [tokens, hidden] in 32 bits, where the residual stream begins
//   backward  none: E is frozen, and nothing that is trained lies before it
extension DecoderPass {
    func embeddingForward() {
        meter.measure(.embedding, thread: 0, operations: 0) {
            lethe_gather(
                element.kernel, Int32(tree.tokens.count), Int32(model.hidden), weights.pointer(.embedding), tree.tokens,
                buffers.x)
        }
    }
}
