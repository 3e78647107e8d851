import Crypto
import Files
import Foundation

/// One tensor inside a mapped file.
struct StoredTensor: Sendable {
    var file: MappedFile
    var encoding: TensorEncoding
    /// Row-major, outermost dimension first.
    var shape: [Int]
    var range: Range<Int>
    /// Not nil for q and k of llama.cpp's llama files: the number of heads whose rows are interleaved for its RoPE.
    var interleavedHeads: Int? = nil

    /// - Throws: `.malformedFile` when the bytes lie outside the file.
    init(name: String, file: MappedFile, encoding: TensorEncoding, shape: [Int], start: Int) throws {
        guard let bytes = encoding.byteCount(shape: shape) else {
            throw LanguageModelError.malformedFile(
                path: file.path,
                reason: "the tensor \(name) has the impossible shape \(shape) for \(encoding.rawValue)")
        }
        let (end, overflow) = start.addingReportingOverflow(bytes)
        guard start >= 0, !overflow, end <= file.count else {
            throw LanguageModelError.malformedFile(
                path: file.path, reason: "the tensor \(name) reaches beyond the end of the file")
        }
        self.file = file
        self.encoding = encoding
        self.shape = shape
        range = start..<end
    }

    /// One of the matrices that a file stacks; nil where the stack has another number of rows.
    func part(_ stacked: StackedRows) -> StoredTensor? {
        let rows = stacked.range
        guard shape.count == 2, shape[0] == stacked.total, shape[0] > 0, rows.lowerBound >= 0,
            rows.upperBound <= shape[0], interleavedHeads == nil
        else { return nil }
        // Encodings divide rows into whole blocks.
        let rowBytes = range.count / shape[0]
        var part = self
        part.shape[0] = rows.count
        part.range =
            range.lowerBound + rows.lowerBound * rowBytes..<range.lowerBound + rows.upperBound * rowBytes
        return part
    }

    /// Whether the values are those of another tensor.
    func holdsSame(as other: StoredTensor) -> Bool {
        guard shape == other.shape else { return false }
        guard encoding == other.encoding else { return floats() == other.floats() }
        return file.withBytes { own in
            other.file.withBytes { theirs in own[range].elementsEqual(theirs[other.range]) }
        }
    }

    /// All values as 32-bit floats, row-major, rows in Hugging Face's order.
    func floats() -> [Float] {
        let count = shape.reduce(1, *)
        return [Float](unsafeUninitializedCapacity: count) { target, initialized in
            file.withBytes { bytes in
                let source = UnsafeRawBufferPointer(rebasing: bytes[range])
                if let heads = interleavedHeads {
                    decodeInterleaved(source, heads: heads, into: target)
                } else {
                    encoding.decode(source, into: UnsafeMutableBufferPointer(rebasing: target[0..<count]))
                }
            }
            initialized = count
        }
    }

    /// llama.cpp stores row `(head, half, 2)` where Hugging Face has `(head, 2, half)`.
    private func decodeInterleaved(
        _ source: UnsafeRawBufferPointer, heads: Int, into target: UnsafeMutableBufferPointer<Float>
    ) {
        let rows = shape[0]
        guard rows > 0 else { return }
        let columns = shape.dropFirst().reduce(1, *)
        let rowBytes = source.count / rows
        let dimension = rows / heads
        for row in 0..<rows {
            let within = row % dimension
            let targetRow = row - within + within % 2 * (dimension / 2) + within / 2
            encoding.decode(
                UnsafeRawBufferPointer(rebasing: source[row * rowBytes..<(row + 1) * rowBytes]),
                into: UnsafeMutableBufferPointer(rebasing: target[targetRow * columns..<(targetRow + 1) * columns]))
        }
    }
}

/// A checkpoint whose tensors lie in mapped files; values are decoded when asked for.
struct StoredCheckpoint: Checkpoint {
    let configuration: ModelConfiguration
    let digest: String
    private let tensors: [String: StoredTensor]

    /// - Parameters:
    ///   - tensors: by Hugging Face name; ones the decoder does not use are ignored.
    ///   - tokenizer: digest of the tokenizer's definition.
    /// - Throws: `.missingTensor` or `.wrongShape` when the tensors do not make up the configured decoder.
    init(configuration: ModelConfiguration, tensors: [String: StoredTensor], tokenizer: SHA256Digest) throws {
        var used: [String: StoredTensor] = [:]
        for (name, shape) in configuration.expectedTensors {
            guard let tensor = tensors[name] else { throw LanguageModelError.missingTensor(name: name) }
            guard tensor.shape == shape else {
                throw LanguageModelError.wrongShape(name: name, expected: shape, found: tensor.shape)
            }
            used[name] = tensor
        }
        self.configuration = configuration
        self.tensors = used
        digest = try Self.digest(configuration: configuration, tensors: used, tokenizer: tokenizer)
    }

    func shape(of name: String) -> [Int]? { tensors[name]?.shape }

    func floats(of name: String) throws -> [Float] {
        guard let tensor = tensors[name] else { throw LanguageModelError.missingTensor(name: name) }
        return tensor.floats()
    }

    func floats(of name: String, row: Int) throws -> [Float] {
        guard let tensor = tensors[name] else { throw LanguageModelError.missingTensor(name: name) }
        guard row >= 0, let part = tensor.part(StackedRows(range: row..<(row + 1), total: tensor.shape.first ?? 0))
        else {
            throw LanguageModelError.wrongShape(
                name: name, expected: [row + 1, tensor.shape.last ?? 0], found: tensor.shape)
        }
        return part.floats()
    }

    private static func digest(
        configuration: ModelConfiguration, tensors: [String: StoredTensor], tokenizer: SHA256Digest
    ) throws -> String {
        var hash = SHA256()
        let encoder = JSONEncoder()
        encoder.outputFormatting = .sortedKeys
        hash.update(data: try encoder.encode(configuration))
        tokenizer.withUnsafeBytes { hash.update(bufferPointer: $0) }
        for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
            let order = tensor.interleavedHeads.map { " interleaved \($0)" } ?? ""
            hash.update(data: Data("\n\(name) \(tensor.encoding.rawValue) \(tensor.shape)\(order)\n".utf8))
            tensor.file.withBytes { hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: $0[tensor.range])) }
        }
        return hash.finalize().hexadecimal
    }
}

extension ModelConfiguration {
    /// Names and shapes of all tensors of the decoder, in Hugging Face's terms.
    package var expectedTensors: [(name: String, shape: [Int])] {
        var expected: [(name: String, shape: [Int])] = [("model.embed_tokens.weight", [vocabulary, hidden])]
        for layer in 0..<layers {
            let block = "model.layers.\(layer)"
            expected.append(("\(block).input_layernorm.weight", [hidden]))
            expected.append(("\(block).post_attention_layernorm.weight", [hidden]))
            for site in LinearSite.allCases {
                let (inputs, outputs) = shape(of: site)
                let module = "\(block).\(site.module)"
                expected.append(("\(module).weight", [outputs, inputs]))
                if headNorm != nil, [.query, .key].contains(site) {
                    let norm = site == .query ? "q_norm" : "k_norm"
                    expected.append(("\(block).self_attn.\(norm).weight", [headDimension]))
                }
                if attentionBias, [.query, .key, .value].contains(site) {
                    expected.append(("\(module).bias", [outputs]))
                }
            }
        }
        expected.append(("model.norm.weight", [hidden]))
        if !tiedEmbeddings { expected.append(("lm_head.weight", [vocabulary, hidden])) }
        return expected
    }

    /// Limits far beyond any real model, within which no product of sizes overflows.
    func validate(path: String) throws {
        let sizes: [(String, Int, Int)] = [
            ("the vocabulary", vocabulary, 1 << 23), ("the hidden size", hidden, 1 << 20),
            ("the number of layers", layers, 4096), ("the number of heads", heads, 1 << 16),
            ("the number of key-value heads", keyValueHeads, 1 << 16), ("the head dimension", headDimension, 1 << 16),
            ("the feed-forward size", intermediate, 1 << 23), ("the context length", context, 1 << 23),
        ]
        for (name, value, limit) in sizes where value < 1 || value > limit {
            throw LanguageModelError.unsupportedCheckpoint(path: path, reason: "\(name) is \(value)")
        }
        guard heads % keyValueHeads == 0 else {
            throw LanguageModelError.unsupportedCheckpoint(
                path: path, reason: "\(heads) heads cannot share \(keyValueHeads) key-value heads evenly")
        }
        guard headDimension % 2 == 0 else {
            throw LanguageModelError.unsupportedCheckpoint(
                path: path, reason: "the head dimension \(headDimension) is odd, so it cannot be rotated")
        }
        guard headNorm == nil || !attentionBias else {
            throw LanguageModelError.unsupportedCheckpoint(path: path, reason: "it has both norms of heads and biases")
        }
        if let layer = layersWithoutRope?.first(where: { !(0..<layers).contains($0) }) {
            throw LanguageModelError.unsupportedCheckpoint(
                path: path, reason: "layer \(layer), said to be without rope, does not exist")
        }
        if let problem = ropeScaling?.problem(headDimension: headDimension) {
            throw LanguageModelError.unsupportedCheckpoint(path: path, reason: problem)
        }
        guard ropeTheta.isFinite, ropeTheta > 0, rmsNormEpsilon.isFinite, rmsNormEpsilon >= 0 else {
            throw LanguageModelError.unsupportedCheckpoint(
                path: path, reason: "the rope base \(ropeTheta) or the norm's epsilon \(rmsNormEpsilon) is impossible")
        }
    }
}

extension LinearSite {
    /// The module's name inside a decoder block, "self_attn.q_proj".
    package var module: String {
        switch self {
        case .query, .key, .value, .output: "self_attn.\(rawValue)"
        case .gate, .up, .down: "mlp.\(rawValue)"
        }
    }
}
