import CKernels
import Compute

/// What one layer's backward needs of its forward, as pointers to row 0.
struct LayerBuffers {
    /// Inputs of the two norms as elements `[tokens, hidden]`, and their 1/rms `[tokens]`.
    let attentionInput: UnsafeMutableRawPointer
    let mlpInput: UnsafeMutableRawPointer
    let attentionRstd: UnsafeMutablePointer<Float>
    let mlpRstd: UnsafeMutablePointer<Float>
    /// Elements `[tokens, heads · d]`, `[tokens, kv · d]` twice, `[tokens, heads · d]`.
    let query: UnsafeMutableRawPointer
    let key: UnsafeMutableRawPointer
    let value: UnsafeMutableRawPointer
    /// Query and key before the norm of their heads, 32-bit `[tokens, (heads + kv) · d]`; nothing where there is no such norm.
    let headInput: UnsafeMutablePointer<Float>
    let attended: UnsafeMutableRawPointer
    /// log Σ exp of the scores `[tokens, heads]`.
    let logSum: UnsafeMutablePointer<Float>
    /// Elements `[tokens, 2 · intermediate]`.
    let gateUp: UnsafeMutableRawPointer
    /// A·x of all sites `[tokens, columns]`.
    let lowRank: UnsafeMutablePointer<Float>
}

/// One thread's scratch space.
struct ThreadScratch {
    /// Elements `[block, widest input]`.
    let input: UnsafeMutableRawPointer
    /// 32-bit `[block, widest output]`.
    let wide: UnsafeMutablePointer<Float>
    /// Elements `[block, intermediate]` twice, `[block, 2 · intermediate]` and `[block, projections]`.
    let act: UnsafeMutableRawPointer
    let actGradient: UnsafeMutableRawPointer
    let gateUp: UnsafeMutableRawPointer
    let projection: UnsafeMutableRawPointer
    /// 32-bit `[block, hidden]`.
    let hidden: UnsafeMutablePointer<Float>
    /// Gradient of u `[block, paddedRank]`.
    let lowRank: UnsafeMutablePointer<Float>
    /// For the low-rank kernels, oneDNN, attention and sums over slots.
    let unpacked: UnsafeMutablePointer<Float>
    let product: UnsafeMutableRawPointer
    let attention: UnsafeMutableRawPointer
    let sum: UnsafeMutablePointer<Float>
}

/// The memory of a decoder. Grows to what the largest micro-batch needed and stays.
final class DecoderBuffers {
    /// What decides the sizes.
    struct Need {
        /// Rows of the micro-batch and of the answers, padded to whole products.
        var tokens = 0
        var answers = 0
        var slots = 0
        /// Layers kept for the backward; 1 when there is none.
        var layers = 1
        var training = false
        var lowRankColumns = 0
        var paddedRank = 0
        /// Partial gradients: floats of a block, blocks.
        var gradientCount = 0
        var gradientBlocks = 0
        var attentionBytes = 0
        var productBytes = 0
    }

    /// Gives out consecutive pieces of one block of memory; a first walk without memory measures it.
    private struct Carver {
        var base: UnsafeMutableRawPointer?
        var used = 0

        mutating func take(_ bytes: Int) -> UnsafeMutableRawPointer {
            let at = used
            used += (bytes + 127) / 128 * 128
            // While measuring, the addresses are never used.
            return (base ?? UnsafeMutableRawPointer(bitPattern: 128).unsafelyUnwrapped) + at
        }

        mutating func floats(_ count: Int) -> UnsafeMutablePointer<Float> {
            take(4 * count).assumingMemoryBound(to: Float.self)
        }
    }

    private let model: ModelConfiguration
    private let element: Element
    private let threads: Int
    private var memory: AlignedMemory?
    private var scratchMemory: [AlignedMemory] = []

    private(set) var layers: [LayerBuffers] = []
    private(set) var scratch: [ThreadScratch] = []
    // The residual stream and its gradient [tokens, hidden], the same at the answer rows [answers, hidden].
    private(set) var x: UnsafeMutablePointer<Float>!
    private(set) var dx: UnsafeMutablePointer<Float>!
    private(set) var answerX: UnsafeMutablePointer<Float>!
    private(set) var answerDX: UnsafeMutablePointer<Float>!
    private(set) var answerHidden: UnsafeMutablePointer<Float>!
    private(set) var answerRstd: UnsafeMutablePointer<Float>!
    // Gradients of attention: of its output as elements, of queries, and of keys and values by slot.
    private(set) var attendedGradient: UnsafeMutableRawPointer!
    private(set) var queryGradient: UnsafeMutablePointer<Float>!
    private(set) var keyGradient: UnsafeMutablePointer<Float>!
    private(set) var valueGradient: UnsafeMutablePointer<Float>!
    // Two sets of partial adapter gradients [blocks, gradientCount], for even and odd layers.
    private(set) var partials: [UnsafeMutablePointer<Float>] = []

    init(model: ModelConfiguration, element: Element, threads: Int) {
        self.model = model
        self.element = element
        self.threads = threads
    }

    /// What `prepare` takes at most.
    func bytes(_ need: Need) -> Int {
        var (shared, own) = (Carver(), Carver())
        layOut(need, &shared)
        _ = threadScratch(need, &own)
        return shared.used + threads * own.used
    }

    /// Lays the memory out for a micro-batch.
    func prepare(_ need: Need) throws {
        var measure = Carver()
        layOut(need, &measure)
        if (memory?.bytes ?? 0) < measure.used {
            memory = nil
            memory = try AlignedMemory(bytes: measure.used)
        }
        var carver = Carver(base: memory?.pointer)
        layOut(need, &carver)
        scratch = []
        for thread in 0..<threads {
            var measure = Carver()
            _ = threadScratch(need, &measure)
            if scratchMemory.count <= thread {
                scratchMemory.append(try AlignedMemory(bytes: measure.used))
            } else if scratchMemory[thread].bytes < measure.used {
                scratchMemory[thread] = try AlignedMemory(bytes: measure.used)
            }
            var carver = Carver(base: scratchMemory[thread].pointer)
            scratch.append(threadScratch(need, &carver))
        }
    }

    private var queryWidth: Int { model.heads * model.headDimension }
    private var keyWidth: Int { model.keyValueHeads * model.headDimension }

    private func layOut(_ need: Need, _ carver: inout Carver) {
        let (rows, hidden, size) = (need.tokens, model.hidden, element.bytes)
        x = carver.floats(rows * hidden)
        answerX = carver.floats(need.answers * hidden)
        answerHidden = carver.floats(need.answers * hidden)
        answerRstd = carver.floats(need.answers)
        let backward = need.training ? rows : 0
        dx = carver.floats(backward * hidden)
        answerDX = carver.floats(need.training ? need.answers * hidden : 0)
        attendedGradient = carver.take(backward * queryWidth * size)
        queryGradient = carver.floats(backward * queryWidth)
        keyGradient = carver.floats(need.training ? need.slots * keyWidth : 0)
        valueGradient = carver.floats(need.training ? need.slots * keyWidth : 0)
        partials = (0..<2).map { _ in carver.floats(need.gradientBlocks * need.gradientCount) }
        layers = (0..<need.layers).map { _ in
            LayerBuffers(
                attentionInput: carver.take(backward * hidden * size), mlpInput: carver.take(backward * hidden * size),
                attentionRstd: carver.floats(backward), mlpRstd: carver.floats(backward),
                query: carver.take(rows * queryWidth * size), key: carver.take(rows * keyWidth * size),
                value: carver.take(rows * keyWidth * size),
                headInput: carver.floats(model.headNorm == nil ? 0 : backward * (queryWidth + keyWidth)),
                attended: carver.take(rows * queryWidth * size),
                logSum: carver.floats(rows * model.heads),
                gateUp: carver.take(backward * 2 * model.intermediate * size),
                lowRank: carver.floats(rows * need.lowRankColumns))
        }
    }

    private func threadScratch(_ need: Need, _ carver: inout Carver) -> ThreadScratch {
        let (block, size) = (RowBlocks.largest, element.bytes)
        let projection = queryWidth + 2 * keyWidth
        let widestInput = max(model.hidden, queryWidth)
        let widest = max(max(projection, model.hidden), max(queryWidth, 2 * model.intermediate))
        return ThreadScratch(
            input: carver.take(block * widestInput * size), wide: carver.floats(block * widest),
            act: carver.take(block * model.intermediate * size),
            actGradient: carver.take(block * model.intermediate * size),
            gateUp: carver.take(block * 2 * model.intermediate * size),
            projection: carver.take(block * projection * size), hidden: carver.floats(block * model.hidden),
            lowRank: carver.floats(block * need.paddedRank),
            unpacked: carver.floats(lethe_lowrank_scratch(Int32(block), Int32(widest))),
            product: carver.take(need.productBytes), attention: carver.take(need.attentionBytes),
            sum: carver.floats(keyWidth))
    }
}
