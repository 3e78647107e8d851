import CKernels
import Compute

// Attention: o = softmax(q·kᵀ/√d)·v of each head, over the keys that a token's path in the tree holds up to itself.
//   input     q [tokens, heads·d], k and v [tokens, kv·d] as elements
//   output    o [outputs, heads·d] as elements (`attended`); outputs are all tokens, or the answers in the last layer
//   kept      q, k, v, o, and log Σ exp of the scores [outputs, heads] (`logSum`)
//   backward  do like o as elements; dq [tokens, heads·d], and dk, dv [slots, kv·d] by the plan's slots, in 32 bits:
//             p = exp(q·kᵀ/√d − logSum), dv = pᵀ·do, ds = p ∘ (do·vᵀ − Σ do∘o), dq = ds·k/√d, dk = dsᵀ·q/√d
extension DecoderPass {
    /// - Parameter plan: which queries ask.
    func attentionForward(_ index: Int, plan: AttentionPlan) throws {
        try overChunks(of: plan, attention(index), stage: .attention, kernel: lethe_attention_forward)
    }

    /// - Parameter more: how many tasks besides attention's the threads take after them.
    func attentionBackward(
        _ index: Int, more: Int, _ task: @escaping (_ task: Int, _ thread: Int) throws -> Void
    ) throws {
        if index == lastLayer {
            // Only answers asked: the other queries' gradient is zero.
            buffers.queryGradient.update(repeating: 0, count: tree.tokens.count * queryWidth)
        }
        var attention = attention(index)
        attention.d_o = UnsafeRawPointer(buffers.attendedGradient)
        attention.dq = buffers.queryGradient
        attention.dk = buffers.keyGradient
        attention.dv = buffers.valueGradient
        try overChunks(
            of: backwardPlan(index), attention, stage: .attentionBackward, kernel: lethe_attention_backward,
            more: more, task)
    }

    /// The plan that a layer's forward had in training.
    func backwardPlan(_ index: Int) -> AttentionPlan { index == lastLayer ? answerPlan : plan }

    /// Bytes of one thread's workspace.
    var attentionWorkspace: Int {
        var shape = attentionShape
        return lethe_attention_workspace(
            &shape, Int32(plan.longestPath), Int32(max(plan.deepestPath, answerPlan.deepestPath)), training ? 1 : 0)
    }

    private var attentionShape: lethe_attention {
        var attention = lethe_attention()
        attention.element = element.kernel
        attention.heads = Int32(model.heads)
        attention.key_value_heads = Int32(model.keyValueHeads)
        attention.head_dimension = Int32(model.headDimension)
        attention.scale = 1 / Float(model.headDimension).squareRoot()
        return attention
    }

    /// The forward's input and output in a layer.
    private func attention(_ index: Int) -> lethe_attention {
        var attention = attentionShape
        let layer = layer(index)
        attention.q = UnsafeRawPointer(layer.query)
        attention.k = UnsafeRawPointer(layer.key)
        attention.v = UnsafeRawPointer(layer.value)
        attention.o = layer.attended
        attention.lse = training ? layer.logSum : nil
        return attention
    }

    private typealias AttentionKernel = (
        _ attention: UnsafePointer<lethe_attention>, _ head: Int32, _ begin: Int32, _ end: Int32, _ keys: Int32,
        _ depth: Int32, _ workspace: UnsafeMutableRawPointer
    ) -> Void

    /// Runs a kernel over all chunks and key/value heads; `more` tasks follow them.
    private func overChunks(
        of plan: AttentionPlan, _ attention: lethe_attention, stage: DecoderProfile.Stage,
        kernel: @escaping AttentionKernel, more: Int = 0,
        _ task: @escaping (_ task: Int, _ thread: Int) throws -> Void = { _, _ in }
    ) throws {
        let heads = model.keyValueHeads
        let (keys, depth) = (Int32(plan.longestPath), Int32(plan.deepestPath))
        let (meter, scratch, chunks) = (meter, buffers.scratch, plan.chunks)
        try plan.withTables(attention) { attention in
            try pool.run(tasks: chunks.count * heads + more) { number, thread in
                guard number < chunks.count * heads else {
                    return try task(number - chunks.count * heads, thread)
                }
                let chunk = chunks[number / heads]
                let head = Int32(number % heads)
                let (begin, end) = (Int32(chunk.lowerBound), Int32(chunk.upperBound))
                meter.measure(stage, thread: thread, operations: 0) {
                    withUnsafePointer(to: attention) { attention in
                        kernel(attention, head, begin, end, keys, depth, scratch[thread].attention)
                    }
                }
            }
        }
    }
}

extension AttentionPlan {
    /// The kernels' description of an attention with this plan's tables in it, valid inside `body`.
    fileprivate func withTables(
        _ attention: lethe_attention, _ body: (lethe_attention) throws -> Void
    ) rethrows {
        try spans.withUnsafeBufferPointer { spans in
            try items.withUnsafeBufferPointer { items in
                try queryRows.withUnsafeBufferPointer { queryRows in
                    try outputRows.withUnsafeBufferPointer { outputRows in
                        try limits.withUnsafeBufferPointer { limits in
                            var attention = attention
                            attention.spans = spans.baseAddress
                            attention.items = items.baseAddress
                            attention.q_rows = queryRows.baseAddress
                            attention.o_rows = outputRows.baseAddress
                            attention.limits = limits.baseAddress
                            try body(attention)
                        }
                    }
                }
            }
        }
    }
}
