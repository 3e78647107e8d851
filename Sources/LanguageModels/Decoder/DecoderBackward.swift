import CKernels
import Compute

// Backward: from ∂loss/∂logits at the answer rows to the adapter's factors; stops at the lowest adapted layer.
extension DecoderPass {
    /// Adds the gradient of the adapter to `gradient`, laid out as the adapter.
    ///
    /// - Parameter answers: ∂loss/∂(yes, no) of each answer row, `[answers, 2]`.
    func backward(answers: [Float], into gradient: UnsafeMutablePointer<Float>) throws {
        guard let factors = lowRank?.factors else { return }
        answerGradient(answers)
        try pool.run(tasks: answerBlocks.count) { block, thread in
            try self.mlpBackward(
                self.lastLayer, blocks: self.answerBlocks, block: block, dx: self.buffers.answerDX, thread: thread)
        }
        let lowest = factors.lowestLayer
        for layer in stride(from: lastLayer, through: lowest, by: -1) {
            // Below the lowest projection adapter nothing is asked for any more.
            if layer == lowest && factors[.projection] == nil { break }
            if layer == lastLayer {
                buffers.queryGradient.update(repeating: 0, count: tree.tokens.count * queryWidth)
            }
            let sums = layer < lastLayer ? SiteGroup.allCases.count : 0
            try attend(
                layer: layer, plan: layer == lastLayer ? answerPlan : plan, backward: true, more: sums
            ) { task, thread in
                self.sumGradients(layer + 1, SiteGroup.allCases[task], into: gradient, thread: thread)
            }
            try pool.run(tasks: blocks.count) { block, thread in
                try self.projectBackward(layer, block: block, further: layer > lowest, thread: thread)
                if layer > lowest {
                    try self.mlpBackward(
                        layer - 1, blocks: self.blocks, block: block, dx: self.buffers.dx, thread: thread)
                }
            }
        }
        // The last sums: of the lowest layer, and of the one above it when its turn has not come.
        for layer in (factors[.projection] == nil && lowest < lastLayer ? [lowest + 1, lowest] : [lowest]) {
            for group in SiteGroup.allCases { sumGradients(layer, group, into: gradient, thread: 0) }
        }
    }

    private func answerGradient(_ answers: [Float]) {
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

    /// Through feed-forward, its norm and the output projection; leaves the gradient of attention's result.
    private func mlpBackward(
        _ index: Int, blocks: RowBlocks, block: Int, dx: UnsafeMutablePointer<Float>, thread: Int
    ) throws {
        let (start, count, padded) = (blocks.start(block), blocks.count(block), blocks.padded(block))
        let (scratch, layer) = (buffers.scratch[thread], layer(index))
        let (hidden, width) = (model.hidden, model.intermediate)
        let (rows, dx) = (start..<(start + count), dx + start * hidden)
        let gateUp = layer.gateUp + bytes(start * 2 * width)
        let down = lowRank?.factors[.down] != nil
        try meter.measure(.mlpBackward, thread: thread, operations: operations(.downBackward, rows: count)) {
            lethe_to_element(element.kernel, dx, scratch.input, count * hidden)
            try multiply(
                .downBackward, down ? .float32 : .element, rows: padded, layer: index, from: scratch.input,
                to: down ? UnsafeMutableRawPointer(scratch.wide) : scratch.actGradient, scratch: scratch)
        }
        if down {
            lethe_swiglu_apply(element.kernel, Int32(count), Int32(width), gateUp, scratch.act)
            lowRankBackward(
                .down, layer: index, rows: rows, block: block, output: scratch.input, input: scratch.act,
                inputGradient: scratch.wide, thread: thread)
            lethe_to_element(element.kernel, scratch.wide, scratch.actGradient, count * width)
        }
        try meter.measure(.mlpBackward, thread: thread, operations: operations(.gateUpBackward, rows: count)) {
            lethe_swiglu_backward(
                element.kernel, Int32(count), Int32(width), gateUp, scratch.actGradient, scratch.gateUp)
            try multiply(
                .gateUpBackward, .float32, rows: padded, layer: index, from: scratch.gateUp, to: scratch.hidden,
                scratch: scratch)
        }
        let (saved, rstd) = (layer.mlpInput + bytes(start * hidden), layer.mlpRstd + start)
        let norm = weights.floats(.mlpNorm, layer: index)
        if lowRank?.factors[.gateUp] != nil {
            lethe_rmsnorm_apply(element.kernel, Int32(count), Int32(hidden), saved, rstd, norm, scratch.input)
            lowRankBackward(
                .gateUp, layer: index, rows: rows, block: block, output: scratch.gateUp, input: scratch.input,
                inputGradient: scratch.hidden, thread: thread)
        }
        meter.measure(.mlpBackward, thread: thread, operations: 0) {
            lethe_rmsnorm_backward(
                element.kernel, Int32(count), Int32(hidden), scratch.hidden, saved, rstd, norm, dx)
        }
        try outputBackward(index, rows: rows, padded: padded, block: block, dx: dx, thread: thread)
    }

    private func outputBackward(
        _ index: Int, rows: Range<Int>, padded: Int, block: Int, dx: UnsafeMutablePointer<Float>, thread: Int
    ) throws {
        let scratch = buffers.scratch[thread]
        let adapted = lowRank?.factors[.output] != nil
        let attendedGradient = buffers.attendedGradient + bytes(rows.lowerBound * queryWidth)
        try meter.measure(.outputBackward, thread: thread, operations: operations(.outputBackward, rows: rows.count)) {
            lethe_to_element(element.kernel, dx, scratch.input, rows.count * model.hidden)
            try multiply(
                .outputBackward, adapted ? .float32 : .element, rows: padded, layer: index, from: scratch.input,
                to: adapted ? UnsafeMutableRawPointer(scratch.wide) : attendedGradient, scratch: scratch)
        }
        guard adapted else { return }
        lowRankBackward(
            .output, layer: index, rows: rows, block: block, output: scratch.input,
            input: layer(index).attended + bytes(rows.lowerBound * queryWidth), inputGradient: scratch.wide,
            thread: thread)
        lethe_to_element(element.kernel, scratch.wide, attendedGradient, rows.count * queryWidth)
    }

    /// Through the rotary embedding, the projections and their norm.
    ///
    /// - Parameter further: whether the gradient of the layer's input is wanted.
    private func projectBackward(_ index: Int, block: Int, further: Bool, thread: Int) throws {
        let (start, count, hidden) = (blocks.start(block), blocks.count(block), model.hidden)
        let (scratch, layer) = (buffers.scratch[thread], layer(index))
        let dx = buffers.dx + start * hidden
        if index == lastLayer { spreadAnswers(rows: start..<(start + count)) }
        try meter.measure(
            .projectionBackward, thread: thread,
            operations: further ? operations(.projectionBackward, rows: count) : 0
        ) {
            gatherProjection(index, start: start, count: count, into: scratch.projection, scratch: scratch)
            guard further else { return }
            try multiply(
                .projectionBackward, .float32, rows: blocks.padded(block), layer: index, from: scratch.projection,
                to: scratch.hidden, scratch: scratch)
        }
        let (saved, rstd) = (layer.attentionInput + bytes(start * hidden), layer.attentionRstd + start)
        let norm = weights.floats(.attentionNorm, layer: index)
        if lowRank?.factors[.projection] != nil {
            lethe_rmsnorm_apply(element.kernel, Int32(count), Int32(hidden), saved, rstd, norm, scratch.input)
            lowRankBackward(
                .projection, layer: index, rows: start..<(start + count), block: block, output: scratch.projection,
                input: scratch.input, inputGradient: further ? scratch.hidden : nil, thread: thread)
        }
        guard further else { return }
        meter.measure(.projectionBackward, thread: thread, operations: 0) {
            lethe_rmsnorm_backward(
                element.kernel, Int32(count), Int32(hidden), scratch.hidden, saved, rstd, norm, dx)
        }
    }

    /// The gradient of query, key and value before the rotary embedding, as elements `[rows, all]`.
    private func gatherProjection(
        _ index: Int, start: Int, count: Int, into target: UnsafeMutableRawPointer, scratch: ThreadScratch
    ) {
        let plan = index == lastLayer ? answerPlan : plan
        withProjection(layer: index) { projection in
            tree.positions.withUnsafeBufferPointer { positions in
                plan.slotBegin.withUnsafeBufferPointer { begin in
                    guard let positions = positions.baseAddress, let begin = begin.baseAddress else { return }
                    lethe_projection_backward(
                        projection, Int32(count), buffers.queryGradient + start * queryWidth, buffers.keyGradient,
                        buffers.valueGradient, begin + start, plan.slotRows, positions + start, scratch.sum, target)
                }
            }
        }
    }

    /// The residual stream's gradient at the top: that of the answers at their rows, zero elsewhere.
    private func spreadAnswers(rows: Range<Int>) {
        let hidden = model.hidden
        (buffers.dx + rows.lowerBound * hidden).update(repeating: 0, count: rows.count * hidden)
        for (answer, row) in tree.answerRows.enumerated() where rows.contains(Int(row)) {
            (buffers.dx + Int(row) * hidden).update(from: buffers.answerDX + answer * hidden, count: hidden)
        }
    }

    /// Gradients of A and B of a group's sites over one block, and the low-rank part of the input's gradient.
    ///
    /// With u = A·x and y = s·B·u: du = s·Bᵀ·dy, dB = s·dy·uᵀ, dA = du·xᵀ, dx += Aᵀ·du.
    private func lowRankBackward(
        _ kind: SiteGroup, layer index: Int, rows: Range<Int>, block: Int, output: UnsafeRawPointer,
        input: UnsafeRawPointer, inputGradient: UnsafeMutablePointer<Float>?, thread: Int
    ) {
        guard let factors = lowRank?.factors, let group = factors[kind] else { return }
        let scratch = buffers.scratch[thread]
        meter.measure(.lowRankBackward, thread: thread, operations: 0) {
            let (count, rank, padded) = (Int32(rows.count), Int32(factors.rank), Int32(factors.paddedRank))
            let outputs = Int32(kind.sites.map { model.shape(of: $0).outputs }.reduce(0, +))
            let u = layer(index).lowRank + rows.lowerBound * factors.width + group.column
            let partial = buffers.partials[index % 2] + block * factors.gradientCount
            for site in group.sites {
                let dy = output + bytes(site.outputColumn)
                lethe_lowrank_down(
                    element.kernel, count, Int32(site.outputs), padded, dy, outputs,
                    factors.floats(site.scaledB, layer: index), padded, scratch.lowRank, padded, scratch.unpacked)
                lethe_lowrank_outer(
                    element.kernel, count, rank, Int32(site.outputs), u + site.column, Int32(factors.width), dy,
                    outputs, factors.scale, partial + site.gradientB, Int32(site.outputs), scratch.unpacked)
                lethe_lowrank_outer(
                    element.kernel, count, rank, Int32(site.inputs), scratch.lowRank, padded, input,
                    Int32(site.inputs), 1, partial + site.gradientA, Int32(site.inputs), scratch.unpacked)
                if let inputGradient {
                    lethe_lowrank_up(
                        count, rank, Int32(site.inputs), scratch.lowRank, padded,
                        factors.floats(site.plainA, layer: index), Int32(site.inputs), inputGradient,
                        Int32(site.inputs))
                }
            }
        }
    }

    /// Adds the blocks' partial gradients of a group's sites, block by block.
    private func sumGradients(
        _ index: Int, _ kind: SiteGroup, into gradient: UnsafeMutablePointer<Float>, thread: Int
    ) {
        guard let factors = lowRank?.factors, let group = factors[kind] else { return }
        let targets = factors.configuration.targets
        let count = index == lastLayer && kind != .projection ? answerBlocks.count : blocks.count
        meter.measure(.gradientSum, thread: thread, operations: 0) {
            for site in group.sites {
                guard let position = targets.firstIndex(of: site.site) else { continue }
                let place = factors.layout.sites[(index - factors.lowestLayer) * targets.count + position]
                for block in 0..<count {
                    let partial = buffers.partials[index % 2] + block * factors.gradientCount
                    lethe_add(gradient + place.offsetA, partial + site.gradientA, factors.rank * site.inputs)
                    lethe_add_transposed(
                        gradient + place.offsetB, partial + site.gradientB, Int32(factors.rank), Int32(site.outputs),
                        Int32(site.outputs))
                }
            }
        }
    }
}
