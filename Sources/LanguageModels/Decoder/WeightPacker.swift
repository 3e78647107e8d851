import CKernels
import Compute

/// Reads a checkpoint's tensors and packs them into the weights' memory.
struct WeightPacker {
    let checkpoint: any Checkpoint
    let precision: Precision
    let element: Element
    let products: PackedProducts
    let layout: WeightLayout
    let answerTokens: (yes: Int32, no: Int32)
    /// What is packed was looked at: a start that finds packed weights need not look again.
    private let census = FiniteCensus()

    init(
        checkpoint: any Checkpoint, precision: Precision, element: Element, products: PackedProducts,
        layout: WeightLayout,
        answerTokens: (yes: Int32, no: Int32)
    ) {
        self.checkpoint = checkpoint
        self.precision = precision
        self.element = element
        self.products = products
        self.layout = layout
        self.answerTokens = answerTokens
    }

    /// - Throws: `LanguageModelError.weightsNotFinite`, and what reading throws.
    func pack(into memory: UnsafeMutableRawPointer) throws {
        let model = checkpoint.configuration
        for layer in 0..<model.layers {
            let prefix = "model.layers.\(layer)."
            try packPair(
                ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"], .projection, .projectionBackward,
                sites: [.query, .key, .value], layer: layer, memory)
            try packPair(["self_attn.o_proj"], .output, .outputBackward, sites: [.output], layer: layer, memory)
            try packPair(
                ["mlp.gate_proj", "mlp.up_proj"], .gateUp, .gateUpBackward, sites: [.gate, .up], layer: layer, memory)
            try packPair(["mlp.down_proj"], .down, .downBackward, sites: [.down], layer: layer, memory)
            try copy(prefix + "input_layernorm.weight", [model.hidden], .attentionNorm, layer: layer, memory)
            try copy(prefix + "post_attention_layernorm.weight", [model.hidden], .mlpNorm, layer: layer, memory)
            if model.attentionBias { try packBias(layer: layer, memory) }
            if model.headNorm != nil {
                for (name, part) in [("q_norm", WeightLayout.Part.queryNorm), ("k_norm", .keyNorm)] {
                    try copy(
                        prefix + "self_attn.\(name).weight", [model.headDimension], part, layer: layer, memory)
                }
            }
        }
        try packEnds(memory)
        try census.refuse()
    }

    /// A tensor of the expected shape; in bf16 its values are rounded.
    private func tensor(_ name: String, _ shape: [Int], rounded: Bool) throws -> [Float] {
        guard let found = checkpoint.shape(of: name) else { throw LanguageModelError.missingTensor(name: name) }
        guard found == shape else {
            throw LanguageModelError.wrongShape(name: name, expected: shape, found: found)
        }
        var values = try checkpoint.floats(of: name)
        guard values.count == shape.reduce(1, *) else {
            throw LanguageModelError.wrongShape(name: name, expected: shape, found: [values.count])
        }
        census.look(at: values, of: name)
        if rounded { round(&values) }
        return values
    }

    /// As the precision has them on a processor without bfloat16 products.
    private func round(_ values: inout [Float]) {
        if precision == .bf16 && element == .float32 {
            var elements = [UInt16](repeating: 0, count: values.count)
            lethe_to_element(lethe_kernel_bfloat16, values, &elements, values.count)
            lethe_from_element(lethe_kernel_bfloat16, elements, &values, values.count)
        }
    }

    /// Stacks weights `[outputs, inputs]` that share their input and packs them as they are used forward and backward.
    private func packPair(
        _ names: [String], _ forward: FrozenProduct, _ backward: FrozenProduct, sites: [LinearSite], layer: Int,
        _ memory: UnsafeMutableRawPointer
    ) throws {
        var stacked: [Float] = []
        var inputs = 0
        for (name, site) in zip(names, sites) {
            let shape = checkpoint.configuration.shape(of: site)
            inputs = shape.inputs
            stacked += try tensor(
                "model.layers.\(layer).\(name).weight", [shape.outputs, shape.inputs], rounded: true)
        }
        try products[forward].pack(
            stacked, inputStride: 1, outputStride: inputs,
            into: memory + layout.offset(.product(forward), layer: layer))
        try products[backward].pack(
            stacked, inputStride: inputs, outputStride: 1,
            into: memory + layout.offset(.product(backward), layer: layer))
    }

    private func copy(
        _ name: String, _ shape: [Int], _ part: WeightLayout.Part, layer: Int, _ memory: UnsafeMutableRawPointer
    ) throws {
        let values = try tensor(name, shape, rounded: false)
        (memory + layout.offset(part, layer: layer)).copyMemory(from: values, byteCount: 4 * values.count)
    }

    private func packBias(layer: Int, _ memory: UnsafeMutableRawPointer) throws {
        var bias: [Float] = []
        for site in [LinearSite.query, .key, .value] {
            bias += try tensor(
                "model.layers.\(layer).self_attn.\(site.rawValue).bias",
                [checkpoint.configuration.shape(of: site).outputs], rounded: false)
        }
        (memory + layout.offset(.bias, layer: layer)).copyMemory(from: bias, byteCount: 4 * bias.count)
    }

    private func packEnds(_ memory: UnsafeMutableRawPointer) throws {
        let model = checkpoint.configuration
        let shape = [model.vocabulary, model.hidden]
        var table = try tensor("model.embed_tokens.weight", shape, rounded: true)
        lethe_to_element(element.kernel, table, memory + layout.offset(.embedding, layer: 0), table.count)
        try copy("model.norm.weight", [model.hidden], .finalNorm, layer: 0, memory)
        if !model.tiedEmbeddings { table = try tensor("lm_head.weight", shape, rounded: true) }
        let rows = answerRows(in: table)
        (memory + layout.offset(.answer, layer: 0)).copyMemory(from: rows, byteCount: 4 * rows.count)
    }

    /// Rows of the output table as they are packed, `[2, hidden]`.
    func answerRows() throws -> [Float] {
        let model = checkpoint.configuration
        let name = model.tiedEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight"
        var rows = try [answerTokens.yes, answerTokens.no].flatMap { try checkpoint.floats(of: name, row: Int($0)) }
        guard rows.count == 2 * model.hidden else {
            throw LanguageModelError.wrongShape(name: name, expected: [2, model.hidden], found: [rows.count])
        }
        census.look(at: rows, of: name)
        try census.refuse()
        round(&rows)
        return rows
    }

    private func answerRows(in table: [Float]) -> [Float] {
        let hidden = checkpoint.configuration.hidden
        return [answerTokens.yes, answerTokens.no].flatMap { table[(Int($0) * hidden)..<((Int($0) + 1) * hidden)] }
    }
}

extension Element {
    var kernel: lethe_kernel_element { self == .float32 ? lethe_kernel_float32 : lethe_kernel_bfloat16 }
}
