import CKernels
import Compute

// Low-rank part (LoRA, arXiv 2106.09685) of the adapted sites that read the same x: u = A·x, y += s·B·(ω ∘ u).
//   input     x [rows, inputs] as elements; A [rank, inputs] and B [outputs, rank] of each site, a mixture's beside each
//             other; its weights ω (decomposed, ω ∘ u has ω_k·Σ_j ω_j·u_j in adapter k's place)
//   output    added to y [rows, outputs of all the group's sites] in 32 bits
//   kept      ω ∘ u [rows, columns] in 32 bits (`lowRank`)
//   backward  of one adapter (ω = 1): dy like y as elements; du = s·Bᵀ·dy [rows, rank]; dB = s·dy·uᵀ, dA = du·xᵀ as
//             partial sums of the block; dx += Aᵀ·du [rows, inputs] in 32 bits
//   sum       gradient [adapter's layout] += the blocks' dA and dB, block by block
extension DecoderPass {
    func lowRankForward(
        _ kind: SiteGroup, layer index: Int, _ rows: RowBlock, input: UnsafeRawPointer,
        result: UnsafeMutablePointer<Float>, thread: Int
    ) {
        guard let lowRank, let group = lowRank.factors[kind] else { return }
        let factors = lowRank.factors
        meter.measure(.lowRank, thread: thread, operations: 0) {
            let (count, outputs) = (Int32(rows.count), outputs(of: kind))
            let u = layer(index).lowRank + rows.start * factors.width + group.column
            lethe_lowrank_down(
                element.kernel, count, Int32(group.inputs), Int32(group.columns), input, Int32(group.inputs),
                factors.floats(group.transposedA, layer: index), Int32(group.columns), u, Int32(factors.width),
                buffers.scratch[thread].unpacked)
            let rank = factors.adapters * factors.rank
            let groups = rows.ofAnswers ? answerGroups : tree.groups
            for site in group.sites {
                if let weights = lowRank.groupWeights {
                    groups.withUnsafeBufferPointer { groups in
                        guard let groups = groups.baseAddress else { return }
                        lethe_mixture_scale(
                            count, Int32(factors.adapters), Int32(factors.rank), lowRank.decomposed ? 1 : 0,
                            groups + rows.start, weights, u + site.column, Int32(factors.width))
                    }
                }
                lethe_lowrank_up(
                    count, Int32(rank), Int32(site.outputs), u + site.column, Int32(factors.width),
                    factors.floats(site.scaledTransposedB, layer: index), Int32(site.outputs),
                    result + site.outputColumn, outputs)
            }
        }
    }

    /// - Parameter inputGradient: dx; nil when it is not wanted.
    func lowRankBackward(
        _ kind: SiteGroup, layer index: Int, _ rows: RowBlock, output: UnsafeRawPointer, input: UnsafeRawPointer,
        inputGradient: UnsafeMutablePointer<Float>?, thread: Int
    ) {
        guard let factors = lowRank?.factors, let group = factors[kind] else { return }
        let scratch = buffers.scratch[thread]
        meter.measure(.lowRankBackward, thread: thread, operations: 0) {
            let (count, rank, padded) = (Int32(rows.count), Int32(factors.rank), Int32(factors.paddedRank))
            let outputs = outputs(of: kind)
            let u = layer(index).lowRank + rows.start * factors.width + group.column
            let partial = buffers.partials[index % 2] + rows.number * factors.gradientCount
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

    /// The end of a layer's backward, when all its blocks are done.
    func lowRankSum(_ index: Int, _ kind: SiteGroup, into gradient: UnsafeMutablePointer<Float>, thread: Int) {
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

    /// Columns of a row of y: those of all the group's sites, adapted or not.
    private func outputs(of kind: SiteGroup) -> Int32 {
        Int32(kind.sites.map { model.shape(of: $0).outputs }.reduce(0, +))
    }
}
