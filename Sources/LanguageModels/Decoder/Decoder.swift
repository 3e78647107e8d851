import Compute
import Files

/// A Llama-family decoder as one differentiable function from an adapter to the answer logits.
///
/// Token rows of all prompts of a micro-batch form one matrix without padding; what prompts share at their beginning is
/// computed once, forward and backward (`TokenTree`). Results depend on prompts, adapters, weights, token budget and what is
/// given of the prompts' beginnings, not on threads or earlier calls.
public final class Decoder: AnswerModel {
    public let weights: DecoderWeights
    public var configuration: ModelConfiguration { weights.configuration }
    public let threads: Int
    public let tokenBudget: Int
    public static let usualTokenBudget = 1024
    let pool: ThreadPool
    private let cores: SharedCores?
    let products: DecoderProducts
    let buffers: DecoderBuffers
    let meter: DecoderMeter
    private var rotary: RotaryTables
    /// Of the layers without rope; without positions where there are none.
    private var still: RotaryTables
    private var factors: LowRankFactors?
    /// This decoder with other answers, the last that was asked for.
    private var other: (tokens: AnswerTokens, decoder: Decoder)?

    /// Scoring keeps nothing for a backward: a micro-batch may be larger, and fewer of them repeat a shared beginning.
    var scoringBudget: Int { 4 * tokenBudget }

    /// - `threads`: how many threads compute; no result depends on it.
    /// - `cores`: asked before every micro-batch how many of the threads may compute; nil: all.
    /// - `tokenBudget`: tokens computed at once in training, those of shared beginnings counted once. The last bits of a
    ///   result may depend on it.
    /// - Throws: `ComputeError` when threads or memory cannot be had.
    public convenience init(
        weights: DecoderWeights, threads: Int, tokenBudget: Int = Decoder.usualTokenBudget
    ) throws {
        try self.init(weights: weights, threads: threads, cores: nil, tokenBudget: tokenBudget)
    }

    package init(
        weights: DecoderWeights, threads: Int, cores: SharedCores?, tokenBudget: Int = Decoder.usualTokenBudget
    ) throws {
        self.weights = weights
        self.cores = cores
        self.threads = max(1, threads)
        self.tokenBudget = max(1, tokenBudget)
        pool = try ThreadPool(count: self.threads)
        products = DecoderProducts(weights: weights)
        buffers = DecoderBuffers(
            model: weights.configuration, element: weights.element, threads: self.threads)
        meter = try DecoderMeter(threads: self.threads)
        rotary = RotaryTables(model: weights.configuration, positions: 0)
        still = rotary
    }

    /// With the memory, the threads and the meter of another one.
    private init(_ decoder: Decoder, weights: DecoderWeights) {
        self.weights = weights
        threads = decoder.threads
        tokenBudget = decoder.tokenBudget
        pool = decoder.pool
        cores = decoder.cores
        products = decoder.products
        buffers = decoder.buffers
        meter = decoder.meter
        rotary = decoder.rotary
        still = decoder.still
    }

    public func answering(with tokens: AnswerTokens) throws -> any AnswerModel {
        if tokens == weights.answerTokens { return self }
        if let other, other.tokens == tokens { return other.decoder }
        let decoder = Decoder(self, weights: try weights.answering(with: tokens))
        other = (tokens, decoder)
        return decoder
    }

    public func answerLogits(
        prompts: [[Int32]], adapters: AdapterMixture?, weights: [Float]?
    ) throws -> [AnswerLogits] {
        try answerLogits(prompts: prompts, adapters: adapters, weights: weights, beginnings: PromptBeginnings()).logits
    }

    public func answerLogits(
        prompts: [[Int32]], adapters: AdapterMixture?, weights: [Float]?, beginnings: PromptBeginnings
    ) throws -> (logits: [AnswerLogits], kept: [KeptBeginning]) {
        try check(prompts)
        let (lowRank, groups) = try mixture(adapters, weights: weights, prompts: prompts.count)
        let (known, numbers) = Self.numbered(beginnings.known, of: prompts)
        let row = configuration.keyValueHeads * configuration.headDimension * self.weights.element.bytes
        let kept = try beginnings.wanted.map { wanted in
            try KeptBeginning(
                tokens: Array(prompts[wanted.prompt].prefix(wanted.tokens)), layers: configuration.layers, rowBytes: row
            )
        }
        var logits = [AnswerLogits](repeating: AnswerLogits(yes: 0, no: 0), count: prompts.count)
        for batch in MicroBatches.sorted(prompts: prompts, groups: groups, budget: scoringBudget) {
            let tree = TokenTree(
                prompts: batch.map { prompts[$0] }, groups: groups.isEmpty ? [] : batch.map { groups[$0] },
                beginnings: numbers.isEmpty ? [] : batch.map { numbers[$0] }, kept: known.map(\.tokens.count))
            let keepings = zip(beginnings.wanted, kept).compactMap { wanted, target in
                batch.firstIndex(of: wanted.prompt).map { position in
                    DecoderPass.Keeping(answer: tree.answers[position], target: target)
                }
            }
            let values = try onFreeCores {
                try pass(tree, lowRank: lowRank, training: false, beginnings: known, keepings: keepings).forward()
            }
            for (position, prompt) in batch.enumerated() {
                let answer = tree.answers[position]
                logits[prompt] = AnswerLogits(yes: values[2 * answer], no: values[2 * answer + 1])
            }
        }
        return (logits, kept)
    }

    /// Each beginning once, and of each prompt its number; −1: none, or the prompt does not begin with it.
    private static func numbered(
        _ known: [KeptBeginning?], of prompts: [[Int32]]
    ) -> (beginnings: [KeptBeginning], numbers: [Int32]) {
        guard known.count == prompts.count, known.contains(where: { $0 != nil }) else { return ([], []) }
        var (beginnings, places): ([KeptBeginning], [ObjectIdentifier: Int32]) = ([], [:])
        let numbers = zip(known, prompts).map { beginning, prompt -> Int32 in
            guard let beginning, prompt.count > beginning.tokens.count, prompt.starts(with: beginning.tokens) else {
                return -1
            }
            if let place = places[ObjectIdentifier(beginning)] { return place }
            places[ObjectIdentifier(beginning)] = Int32(beginnings.count)
            beginnings.append(beginning)
            return Int32(beginnings.count - 1)
        }
        return (beginnings, numbers)
    }

    public func gradient(
        prompts: [[Int32]], adapter: Adapter, lossGradient: (Int, AnswerLogits) -> AnswerLogits
    ) throws -> (gradient: [Float], logits: [AnswerLogits]) {
        try check(prompts)
        let factors = try load([adapter])
        let lowRank = DecoderPass.LowRank(factors: factors, decomposed: false, groupWeights: nil)
        var gradient = [Float](repeating: 0, count: adapter.layout.count)
        var logits: [AnswerLogits] = []
        try gradient.withUnsafeMutableBufferPointer { gradient in
            guard let gradient = gradient.baseAddress else { return }
            for batch in MicroBatches.consecutive(prompts: prompts, budget: tokenBudget) {
                try onFreeCores {
                    let tree = TokenTree(prompts: batch.map { prompts[$0] })
                    let pass = try pass(tree, lowRank: lowRank, training: true)
                    let values = try pass.forward()
                    var answers = [Float](repeating: 0, count: values.count)
                    for (position, prompt) in batch.enumerated() {
                        let answer = tree.answers[position]
                        logits.append(AnswerLogits(yes: values[2 * answer], no: values[2 * answer + 1]))
                        let loss = lossGradient(prompt, logits[prompt])
                        answers[2 * answer] += loss.yes
                        answers[2 * answer + 1] += loss.no
                    }
                    try pass.backward(answers: answers, into: gradient)
                }
            }
        }
        return (gradient, logits)
    }

    public func embeddings(prompts: [[Int32]], source: EmbeddingSource) throws -> [Float] {
        try check(prompts)
        guard (0...configuration.layers).contains(source.layer) else {
            throw LanguageModelError.adapterMismatch(
                reason: "there is no layer \(source.layer) in a model of \(configuration.layers)")
        }
        let hidden = configuration.hidden
        var result = [Float](repeating: 0, count: prompts.count * hidden)
        for batch in MicroBatches.sorted(prompts: prompts, groups: [], budget: scoringBudget) {
            let tree = TokenTree(prompts: batch.map { prompts[$0] })
            try onFreeCores { try pass(tree, lowRank: nil, training: false).forward(layers: source.layer) }
            for (position, prompt) in batch.enumerated() {
                let answer = tree.answers[position]
                switch source.pooling {
                case .last:
                    let row = buffers.x + Int(tree.answerRows[answer]) * hidden
                    for index in 0..<hidden { result[prompt * hidden + index] = row[index] }
                case .mean:
                    let count = prompts[prompt].count
                    for segment in tree.path(to: tree.answerSegments[answer]).map({ tree.segments[$0] }) {
                        for row in segment.start..<(segment.start + segment.count) {
                            let values = buffers.x + row * hidden
                            for index in 0..<hidden { result[prompt * hidden + index] += values[index] }
                        }
                    }
                    for index in 0..<hidden { result[prompt * hidden + index] /= Float(count) }
                }
            }
        }
        return result
    }

    /// Starts measuring where the time goes, from zero.
    public func startProfile() { meter.start() }

    /// What was measured since `startProfile`; nil when it was never called.
    public func profile() -> DecoderProfile? { meter.profile() }

    func check(_ prompts: [[Int32]]) throws {
        for (index, prompt) in prompts.enumerated() {
            guard !prompt.isEmpty else { throw LanguageModelError.emptyPrompt(index: index) }
            guard prompt.count <= configuration.context else {
                throw LanguageModelError.promptTooLong(
                    index: index, tokens: prompt.count, limit: configuration.context)
            }
            for token in prompt where token < 0 || Int(token) >= configuration.vocabulary {
                throw LanguageModelError.tokenOutOfRange(index: index, token: token)
            }
        }
    }

    /// Waits for cores, computes one micro-batch on them and gives them back.
    private func onFreeCores<Result>(_ compute: () throws -> Result) rethrows -> Result {
        guard let cores else { return try compute() }
        pool.use(cores.take())
        defer { cores.giveBack() }
        return try compute()
    }

    private func pass(
        _ tree: TokenTree, lowRank: DecoderPass.LowRank?, training: Bool, beginnings: [KeptBeginning] = [],
        keepings: [DecoderPass.Keeping] = []
    ) throws -> DecoderPass {
        let longest = Int(tree.positions.max() ?? 0) + 1
        if rotary.positions < longest {
            rotary = RotaryTables(model: configuration, positions: (longest + 511) / 512 * 512)
            if configuration.layersWithoutRope != nil {
                still = RotaryTables(model: configuration, positions: rotary.positions, turns: false)
            }
        }
        return try DecoderPass(
            decoder: self, tree: tree, lowRank: lowRank, training: training, rotary: (rotary, still),
            beginnings: beginnings, keepings: keepings)
    }

    /// The factors of these adapters, in memory that is kept for the next call of the same shape.
    private func load(_ adapters: [Adapter]) throws -> LowRankFactors {
        let layout = adapters[0].layout
        guard layout == AdapterLayout(model: configuration, configuration: layout.configuration),
            layout.configuration.rank > 0
        else { throw LanguageModelError.adapterMismatch(reason: "the adapter was made for a model of another shape") }
        if factors?.matches(layout, adapters: adapters.count) != true {
            factors = nil
        }
        let loaded = try factors ?? LowRankFactors(model: configuration, layout: layout, adapters: adapters.count)
        try loaded.load(adapters, pool: pool)
        factors = loaded
        return loaded
    }

    /// The factors of a mixture, and the group of each prompt: those with equal weights may share a beginning.
    private func mixture(
        _ mixture: AdapterMixture?, weights: [Float]?, prompts: Int
    ) throws -> (DecoderPass.LowRank?, groups: [Int32]) {
        guard let mixture else { return (nil, []) }
        let count = mixture.adapters.count
        if let weights, weights.count != prompts * count {
            throw LanguageModelError.adapterMismatch(
                reason: "\(weights.count) weights for \(prompts) prompts and \(count) adapters")
        }
        let factors = try load(mixture.adapters)
        let decomposed = mixture.rule == .decomposed
        guard let weights else {
            let equal = count == 1 ? nil : [Float](repeating: 1 / Float(count), count: count)
            return (DecoderPass.LowRank(factors: factors, decomposed: decomposed, groupWeights: equal), [])
        }
        // Groups are numbered in the order in which their weights first appear.
        var numbers: [[Float]: Int32] = [:]
        var (rows, groups) = ([Float](), [Int32]())
        for prompt in 0..<prompts {
            let row = Array(weights[(prompt * count)..<((prompt + 1) * count)])
            if let number = numbers[row] {
                groups.append(number)
            } else {
                groups.append(Int32(numbers.count))
                numbers[row] = Int32(numbers.count)
                rows += row
            }
        }
        return (DecoderPass.LowRank(factors: factors, decomposed: decomposed, groupWeights: rows), groups)
    }
}
