import CKernels
import Compute

/// The frozen weights of a decoder, packed for this machine's matrix products; shared by all decoders of a process and,
/// through the cache file, by all processes of a machine.
public final class DecoderWeights: Sendable {
    public let configuration: ModelConfiguration
    public let precision: Precision
    /// `Checkpoint.digest` of the base model.
    public let digest: String
    let element: Element
    let products: PackedProducts
    let layout: WeightLayout
    /// Those whose logits are computed.
    public let answerTokens: AnswerTokens
    private let region: WeightRegion
    /// Where further answer rows are read.
    private let checkpoint: any Checkpoint
    /// Of answers that are not those of the region, `[2, hidden]`.
    private let ownAnswers: AnswerRows?

    /// - `answerTokens`: the ids whose logits are wanted.
    /// - `cacheDirectory`: where the packed weights are kept for the next process; nil keeps them in memory only.
    /// - Throws: `LanguageModelError` when the checkpoint lacks a tensor or has one of another shape, `ComputeError`.
    public init(
        checkpoint: any Checkpoint, precision: Precision, answerTokens: (yes: Int32, no: Int32),
        cacheDirectory: String? = nil
    ) throws {
        let model = checkpoint.configuration
        try Self.check(model, answerTokens: answerTokens)
        configuration = model
        self.precision = precision
        digest = checkpoint.digest
        element = precision.element
        products = try PackedProducts(model: model, element: element)
        layout = WeightLayout(model: model, element: element, products: products)
        let packer = WeightPacker(
            checkpoint: checkpoint, precision: precision, element: element, products: products, layout: layout,
            answerTokens: answerTokens)
        self.checkpoint = checkpoint
        self.answerTokens = AnswerTokens(yes: answerTokens.yes, no: answerTokens.no)
        ownAnswers = nil
        region = try WeightRegion.open(
            directory: cacheDirectory,
            key: WeightRegion.Key(
                digest: checkpoint.digest,
                description: [
                    precision.rawValue, "\(element)", MatrixProduct.library, products.description, "\(layout.bytes)",
                    "\(answerTokens.yes) \(answerTokens.no)",
                    // Files of before were packed unlooked at.
                    "finite",
                ].joined(separator: "\n")),
            bytes: layout.bytes, fill: packer.pack)
    }

    /// The same weights for other answers; only these two rows are read anew.
    private init(_ weights: DecoderWeights, tokens: AnswerTokens, rows: AnswerRows) {
        configuration = weights.configuration
        precision = weights.precision
        digest = weights.digest
        element = weights.element
        products = weights.products
        layout = weights.layout
        region = weights.region
        checkpoint = weights.checkpoint
        answerTokens = tokens
        ownAnswers = rows
    }

    /// - Throws: `LanguageModelError.tokenOutOfRange`, and what reading the checkpoint throws.
    func answering(with tokens: AnswerTokens) throws -> DecoderWeights {
        try Self.check(configuration, answerTokens: (tokens.yes, tokens.no))
        let packer = WeightPacker(
            checkpoint: checkpoint, precision: precision, element: element, products: products, layout: layout,
            answerTokens: (tokens.yes, tokens.no))
        return DecoderWeights(self, tokens: tokens, rows: AnswerRows(try packer.answerRows()))
    }

    private static func check(_ model: ModelConfiguration, answerTokens: (yes: Int32, no: Int32)) throws {
        let sizes = [
            model.vocabulary, model.hidden, model.layers, model.heads, model.keyValueHeads, model.headDimension,
            model.intermediate, model.context,
        ]
        guard sizes.allSatisfy({ $0 > 0 && $0 < 1 << 24 }), model.headDimension % 2 == 0,
            model.heads % model.keyValueHeads == 0
        else {
            throw LanguageModelError.unsupportedCheckpoint(
                path: "", reason: "the sizes of the model (\(sizes)) are no Llama decoder's")
        }
        for token in [answerTokens.yes, answerTokens.no] where token < 0 || token >= Int32(model.vocabulary) {
            throw LanguageModelError.tokenOutOfRange(index: 0, token: token)
        }
    }

    /// Packed weights, norms, biases, tables by their place.
    func pointer(_ part: WeightLayout.Part, layer: Int = 0) -> UnsafeRawPointer {
        UnsafeRawPointer(region.pointer + layout.offset(part, layer: layer))
    }

    func floats(_ part: WeightLayout.Part, layer: Int = 0) -> UnsafePointer<Float> {
        if part == .answer, let ownAnswers { return UnsafePointer(ownAnswers.pointer) }
        return pointer(part, layer: layer).assumingMemoryBound(to: Float.self)
    }
}

/// Two rows of the output table, in memory that stays where it is.
private final class AnswerRows: @unchecked Sendable {
    /// Nobody writes here after `init`.
    let pointer: UnsafeMutablePointer<Float>

    init(_ rows: [Float]) {
        pointer = .allocate(capacity: rows.count)
        pointer.initialize(from: rows, count: rows.count)
    }

    deinit { pointer.deallocate() }
}

/// The four frozen products of a block, forward and backward: query, key and value as one, gate and up as one.
enum FrozenProduct: Int, CaseIterable, Sendable {
    case projection, output, gateUp, down
    case projectionBackward, outputBackward, gateUpBackward, downBackward

    /// Inputs and outputs.
    func shape(_ model: ModelConfiguration) -> (inputs: Int, outputs: Int) {
        let query = model.heads * model.headDimension
        let all = query + 2 * model.keyValueHeads * model.headDimension
        switch self {
        case .projection: return (model.hidden, all)
        case .output: return (query, model.hidden)
        case .gateUp: return (model.hidden, 2 * model.intermediate)
        case .down: return (model.intermediate, model.hidden)
        case .projectionBackward: return (all, model.hidden)
        case .outputBackward: return (model.hidden, query)
        case .gateUpBackward: return (2 * model.intermediate, model.hidden)
        case .downBackward: return (model.hidden, model.intermediate)
        }
    }
}

/// One product of each kind at the largest block, which fixes the packed layout of its weights.
struct PackedProducts: Sendable {
    private let products: [MatrixProduct]

    init(model: ModelConfiguration, element: Element) throws {
        products = try FrozenProduct.allCases.map { kind in
            let (inputs, outputs) = kind.shape(model)
            return try MatrixProduct(
                rows: RowBlocks.largest, inputs: inputs, outputs: outputs, element: element, result: .float32)
        }
    }

    subscript(kind: FrozenProduct) -> MatrixProduct { products[kind.rawValue] }

    /// The packed layouts in words.
    var description: String { products.map(\.layout).joined(separator: ";") }
}

/// Where everything lies inside the weights' memory or file.
struct WeightLayout: Sendable {
    enum Part: Hashable, Sendable {
        case product(FrozenProduct)
        case attentionNorm, mlpNorm, bias, queryNorm, keyNorm
        /// Embeddings as elements, the final norm and the two answer rows in 32 bits.
        case embedding, finalNorm, answer
    }

    private let productOffsets: [Int]
    private let normOffsets: (attention: Int, mlp: Int, bias: Int)
    private let headNormOffsets: (query: Int, key: Int)
    private let layerBytes: Int
    private let ends: (embedding: Int, finalNorm: Int, answer: Int)
    let bytes: Int

    init(model: ModelConfiguration, element: Element, products: PackedProducts) {
        var at = 0
        func take(_ bytes: Int) -> Int {
            defer { at += (bytes + 127) / 128 * 128 }
            return at
        }
        productOffsets = FrozenProduct.allCases.map { take(products[$0].packedBytes) }
        let width = FrozenProduct.projection.shape(model).outputs
        normOffsets = (take(4 * model.hidden), take(4 * model.hidden), take(model.attentionBias ? 4 * width : 0))
        let head = model.headNorm == nil ? 0 : 4 * model.headDimension
        headNormOffsets = (take(head), take(head))
        layerBytes = at
        at = layerBytes * model.layers
        ends = (
            take(element.bytes * model.vocabulary * model.hidden), take(4 * model.hidden), take(8 * model.hidden)
        )
        bytes = at
    }

    func offset(_ part: Part, layer: Int) -> Int {
        switch part {
        case .product(let kind): layer * layerBytes + productOffsets[kind.rawValue]
        case .attentionNorm: layer * layerBytes + normOffsets.attention
        case .mlpNorm: layer * layerBytes + normOffsets.mlp
        case .bias: layer * layerBytes + normOffsets.bias
        case .queryNorm: layer * layerBytes + headNormOffsets.query
        case .keyNorm: layer * layerBytes + headNormOffsets.key
        case .embedding: ends.embedding
        case .finalNorm: ends.finalNorm
        case .answer: ends.answer
        }
    }
}
