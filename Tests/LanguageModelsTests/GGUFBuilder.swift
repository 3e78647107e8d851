/// Builds GGUF files byte by byte, right or wrong on purpose.
struct GGUFBuilder {
    struct Tensor {
        var name: String
        /// As the file lists them, innermost first.
        var dimensions: [UInt64]
        var type: UInt32
        var data: [UInt8]
        /// nil for the place where the data really is.
        var offset: UInt64?
    }

    enum Value {
        case integer(UInt32)
        case float(Float)
        case text(String)
        case texts([String])
        case raw(type: UInt32, bytes: [UInt8])
    }

    var version: UInt32 = 3
    var alignment = 32
    var metadata: [(String, Value)]
    var tensors: [Tensor]
    var tensorCount: UInt64?
    var keyCount: UInt64?

    /// A Llama of one block with hidden size 4, two heads and a vocabulary of 8.
    static func tiny(architecture: String = "llama", bias: Bool = false) -> GGUFBuilder {
        func key(_ name: String) -> String { "\(architecture).\(name)" }
        func tensor(_ name: String, _ dimensions: [UInt64]) -> Tensor {
            let count = Int(dimensions.reduce(1, *))
            return Tensor(
                name: name, dimensions: dimensions, type: 0, data: littleEndian((0..<count).map(Float.init)))
        }
        var tensors = [
            tensor("token_embd.weight", [4, 8]), tensor("output_norm.weight", [4]),
            tensor("blk.0.attn_norm.weight", [4]), tensor("blk.0.ffn_norm.weight", [4]),
            tensor("blk.0.attn_q.weight", [4, 8]), tensor("blk.0.attn_k.weight", [4, 4]),
            tensor("blk.0.attn_v.weight", [4, 4]), tensor("blk.0.attn_output.weight", [8, 4]),
            tensor("blk.0.ffn_gate.weight", [4, 6]), tensor("blk.0.ffn_up.weight", [4, 6]),
            tensor("blk.0.ffn_down.weight", [6, 4]),
        ]
        if bias {
            tensors += [
                tensor("blk.0.attn_q.bias", [8]), tensor("blk.0.attn_k.bias", [4]), tensor("blk.0.attn_v.bias", [4]),
            ]
        }
        return GGUFBuilder(
            metadata: [
                ("general.architecture", .text(architecture)), (key("block_count"), .integer(1)),
                (key("context_length"), .integer(16)), (key("embedding_length"), .integer(4)),
                (key("feed_forward_length"), .integer(6)), (key("attention.head_count"), .integer(2)),
                (key("attention.head_count_kv"), .integer(1)), (key("attention.key_length"), .integer(4)),
                (key("attention.layer_norm_rms_epsilon"), .float(1e-5)), (key("rope.freq_base"), .float(100)),
                ("tokenizer.ggml.model", .text("gpt2")), ("tokenizer.ggml.pre", .text("gpt-2")),
                ("tokenizer.ggml.tokens", .texts(["s", "o", "Y", "N", "e", "Ye", "Yes", "No"])),
                ("tokenizer.ggml.merges", .texts(["Y e", "Ye s", "N o"])),
            ], tensors: tensors)
    }

    mutating func set(_ key: String, _ value: Value?) {
        metadata.removeAll { $0.0 == key }
        if let value { metadata.append((key, value)) }
    }

    mutating func replace(_ name: String, _ change: (inout Tensor) -> Void) {
        for index in tensors.indices where tensors[index].name == name { change(&tensors[index]) }
    }

    func bytes() -> [UInt8] {
        var out: [UInt8] = []
        append(UInt32(0x4655_4747), to: &out)
        append(version, to: &out)
        append(tensorCount ?? UInt64(tensors.count), to: &out)
        append(keyCount ?? UInt64(metadata.count), to: &out)
        for (key, value) in metadata {
            append(key, to: &out)
            append(value, to: &out)
        }
        var data: [UInt8] = []
        for tensor in tensors {
            while data.count % alignment != 0 { data.append(0) }
            append(tensor.name, to: &out)
            append(UInt32(tensor.dimensions.count), to: &out)
            for dimension in tensor.dimensions { append(dimension, to: &out) }
            append(tensor.type, to: &out)
            append(tensor.offset ?? UInt64(data.count), to: &out)
            data += tensor.data
        }
        while out.count % alignment != 0 { out.append(0) }
        return out + data
    }

    private func append<Number: FixedWidthInteger>(_ number: Number, to out: inout [UInt8]) {
        withUnsafeBytes(of: number.littleEndian) { out.append(contentsOf: $0) }
    }

    private func append(_ text: String, to out: inout [UInt8]) {
        append(UInt64(text.utf8.count), to: &out)
        out.append(contentsOf: text.utf8)
    }

    private func append(_ value: Value, to out: inout [UInt8]) {
        switch value {
        case .integer(let number):
            append(UInt32(4), to: &out)
            append(number, to: &out)
        case .float(let number):
            append(UInt32(6), to: &out)
            append(number.bitPattern, to: &out)
        case .text(let text):
            append(UInt32(8), to: &out)
            append(text, to: &out)
        case .texts(let texts):
            append(UInt32(9), to: &out)
            append(UInt32(8), to: &out)
            append(UInt64(texts.count), to: &out)
            for text in texts { append(text, to: &out) }
        case .raw(let type, let bytes):
            append(type, to: &out)
            out += bytes
        }
    }
}
