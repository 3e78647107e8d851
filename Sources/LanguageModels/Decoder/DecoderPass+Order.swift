import Compute

// The order of a pass: which operation follows which, layer by layer, and what runs between two barriers of the threads.
// What an operation computes, forward and backward, is in its file in Operations/.
extension DecoderPass {
    /// The logits of "Yes" and "No" of each answer row, `[answers, 2]`.
    func forward() throws -> [Float] {
        embeddingForward()
        for layer in 0...lastLayer { try throughAttention(layer, plan: layer == lastLayer ? answerPlan : plan) }
        try pool.run(tasks: answerBlocks.count) { block, thread in
            let answers = self.rows(block, ofAnswers: true)
            self.answerRowsForward(answers)
            try self.afterAttention(self.lastLayer, answers, thread: thread)
        }
        return answerForward()
    }

    /// The hidden states `[tokens, hidden]` after so many blocks are left in `buffers.x`.
    func forward(layers: Int) throws {
        embeddingForward()
        guard layers > 0 else { return }
        for layer in 0..<layers { try throughAttention(layer, plan: plan) }
        try pool.run(tasks: blocks.count) { block, thread in
            try self.afterAttention(layers - 1, self.rows(block), thread: thread)
        }
    }

    /// Adds the gradient of the adapter to `gradient`, laid out as the adapter; stops at the lowest adapted layer.
    ///
    /// - Parameter answers: ∂loss/∂(yes, no) of each answer row, `[answers, 2]`.
    func backward(answers: [Float], into gradient: UnsafeMutablePointer<Float>) throws {
        guard let factors = lowRank?.factors else { return }
        answerBackward(answers)
        try pool.run(tasks: answerBlocks.count) { block, thread in
            try self.afterAttentionBackward(self.lastLayer, self.rows(block, ofAnswers: true), thread: thread)
        }
        let lowest = factors.lowestLayer
        for layer in stride(from: lastLayer, through: lowest, by: -1) {
            // Below the lowest projection adapter nothing is asked for any more.
            if layer == lowest && factors[.projection] == nil { break }
            let sums = layer < lastLayer ? SiteGroup.allCases.count : 0
            try attentionBackward(layer, more: sums) { task, thread in
                self.lowRankSum(layer + 1, SiteGroup.allCases[task], into: gradient, thread: thread)
            }
            try pool.run(tasks: blocks.count) { block, thread in
                let rows = self.rows(block)
                if layer == self.lastLayer { self.answerRowsBackward(rows) }
                try self.projectionBackward(layer, rows, further: layer > lowest, thread: thread)
                if layer > lowest { try self.afterAttentionBackward(layer - 1, rows, thread: thread) }
            }
        }
        // The last sums: of the lowest layer, and of the one above it when its turn has not come.
        for layer in (factors[.projection] == nil && lowest < lastLayer ? [lowest + 1, lowest] : [lowest]) {
            for group in SiteGroup.allCases { lowRankSum(layer, group, into: gradient, thread: 0) }
        }
    }

    /// Ends the layer before (on all rows) and does the layer's attention.
    ///
    /// - Parameter plan: which rows ask.
    private func throughAttention(_ layer: Int, plan: AttentionPlan) throws {
        try pool.run(tasks: blocks.count) { block, thread in
            let rows = self.rows(block)
            if layer > 0 { try self.afterAttention(layer - 1, rows, thread: thread) }
            try self.projectionForward(layer, rows, thread: thread)
        }
        carryBeginnings(layer)
        try attentionForward(layer, plan: plan)
    }

    /// What follows attention in a layer: x ← x + Wo·o, x ← x + Wd·(silu(Wg·h) ∘ Wu·h) with h = norm x.
    private func afterAttention(_ layer: Int, _ rows: RowBlock, thread: Int) throws {
        try outputForward(layer, rows, thread: thread)
        try mlpForward(layer, rows, thread: thread)
    }

    private func afterAttentionBackward(_ layer: Int, _ rows: RowBlock, thread: Int) throws {
        try mlpBackward(layer, rows, thread: thread)
        try outputBackward(layer, rows, thread: thread)
    }
}
