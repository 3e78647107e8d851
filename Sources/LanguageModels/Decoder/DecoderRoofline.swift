import Compute

// How fast oneDNN alone is on this model's shapes, and how much of that work a batch needs.
extension Decoder {
    /// Floating-point operations (a multiplication and an addition count two) of oneDNN's products for a call with these
    /// prompts: shared beginnings once, and only the answer rows after the last layer's attention.
    public func productOperations(prompts: [[Int32]], training: Bool) throws -> Double {
        try check(prompts)
        let batches =
            training
            ? MicroBatches.consecutive(prompts: prompts, budget: tokenBudget)
            : MicroBatches.sorted(prompts: prompts, groups: [], budget: scoringBudget)
        return batches.reduce(0) { sum, batch in
            let tree = TokenTree(prompts: batch.map { prompts[$0] })
            return sum + productOperations(rows: tree.tokens.count, answers: tree.answerRows.count, training: training)
        }
    }

    private func productOperations(rows: Int, answers: Int, training: Bool) -> Double {
        func operations(_ kinds: [FrozenProduct]) -> Double {
            kinds.reduce(0) { sum, kind in
                let (inputs, outputs) = kind.shape(configuration)
                return sum + 2 * Double(inputs) * Double(outputs)
            }
        }
        let (rows, answers, layers) = (Double(rows), Double(answers), Double(configuration.layers))
        var sum = rows * layers * operations([.projection])
        sum += (rows * (layers - 1) + answers) * operations([.output, .gateUp, .down])
        guard training else { return sum }
        // The lowest layer's input needs no gradient.
        sum += rows * (layers - 1) * operations([.projectionBackward])
        sum += (rows * (layers - 1) + answers) * operations([.outputBackward, .gateUpBackward, .downBackward])
        return sum
    }

    /// Floating-point operations a second that oneDNN alone reaches with this decoder's threads on whole blocks of rows,
    /// going through the model's weights layer by layer as a training step does: the roof for `profile`.
    public func peakOperationsPerSecond(seconds: Double) throws -> Double {
        let rows = RowBlocks.largest
        try products.prepare(rows: [rows], backward: true)
        let (weights, products, layers) = (weights, products, configuration.layers)
        let shapes = FrozenProduct.allCases.map { $0.shape(configuration) }
        let widest = shapes.map { max($0.inputs, $0.outputs) }.max() ?? 1
        var memory: [(source: AlignedMemory, result: AlignedMemory, scratch: AlignedMemory)] = []
        for _ in 0..<threads {
            let (source, result) = (
                try AlignedMemory(bytes: 4 * rows * widest), try AlignedMemory(bytes: 4 * rows * widest)
            )
            memory.append((source, result, try AlignedMemory(bytes: products.scratchBytes)))
        }
        // Several blocks a thread between barriers, as in a micro-batch.
        let blocks = 4 * threads
        let perRow = shapes.reduce(0.0) { $0 + 2 * Double($1.inputs) * Double($1.outputs) }
        var (operations, spent) = (0.0, 0.0)
        while spent < seconds {
            let start = DecoderMeter.wallClock()
            for layer in 0..<layers {
                try pool.run(tasks: blocks) { _, thread in
                    for kind in FrozenProduct.allCases {
                        let result: DecoderProducts.Result = kind == .output || kind == .down ? .accumulate : .float32
                        guard let product = products.product(kind, result, rows: rows) else { continue }
                        try product.execute(
                            memory[thread].source.pointer, weights.pointer(.product(kind), layer: layer),
                            memory[thread].result.pointer, scratch: memory[thread].scratch.pointer)
                    }
                }
            }
            spent += DecoderMeter.wallClock() - start
            operations += Double(blocks * rows * layers) * perRow
        }
        return operations / spent
    }
}
