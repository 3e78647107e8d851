/// How a tensor's values are stored.
///
/// The quantised encodings are those of ggml: blocks of 32 neighbours along the last dimension that share a 16-bit scale
/// (and, in Q4_1 and Q5_1, a 16-bit minimum), or of 256 whose stretches have scales of their own.
package enum TensorEncoding: String, Hashable, Sendable {
    case f32 = "F32"
    case f16 = "F16"
    case bf16 = "BF16"
    case q8Block = "Q8_0"
    case q4Block = "Q4_0"
    case q4MinimumBlock = "Q4_1"
    case q5Block = "Q5_0"
    case q5MinimumBlock = "Q5_1"
    case q2Stretches = "Q2_K"
    case q3Stretches = "Q3_K"
    case q4Stretches = "Q4_K"
    case q5Stretches = "Q5_K"
    case q6Stretches = "Q6_K"
    case q4Table = "IQ4_NL"
    case q4TableStretches = "IQ4_XS"

    /// By ggml's number of it (`ggml_type`).
    static let ggml: [UInt32: TensorEncoding] = [
        0: .f32, 1: .f16, 2: .q4Block, 3: .q4MinimumBlock, 6: .q5Block, 7: .q5MinimumBlock, 8: .q8Block,
        10: .q2Stretches, 11: .q3Stretches, 12: .q4Stretches, 13: .q5Stretches, 14: .q6Stretches, 20: .q4Table,
        23: .q4TableStretches, 30: .bf16,
    ]

    /// ggml's numbers of those that are not read, for messages.
    static let unread: [UInt32: String] = [
        9: "Q8_1", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS", 18: "IQ3_XXS", 19: "IQ1_S", 21: "IQ3_S", 22: "IQ2_S",
        24: "I8", 25: "I16", 26: "I32", 27: "I64", 28: "F64", 29: "IQ1_M", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4",
    ]

    /// Values in a block, and the bytes it takes.
    package var block: (values: Int, bytes: Int) {
        switch self {
        case .f32: (1, 4)
        case .f16, .bf16: (1, 2)
        case .q8Block: (32, 34)
        case .q4Block: (32, 18)
        case .q4MinimumBlock: (32, 20)
        case .q5Block: (32, 22)
        case .q5MinimumBlock: (32, 24)
        case .q2Stretches: (256, 84)
        case .q3Stretches: (256, 110)
        case .q4Stretches: (256, 144)
        case .q5Stretches: (256, 176)
        case .q6Stretches: (256, 210)
        case .q4Table: (32, 18)
        case .q4TableStretches: (256, 136)
        }
    }

    /// Bytes that `shape` takes; nil when that overflows, when a dimension is negative or when rows do not divide into
    /// blocks.
    package func byteCount(shape: [Int]) -> Int? {
        guard let values = elementCount(shape), (shape.last ?? 1) % block.values == 0 else { return nil }
        let (bytes, overflow) = (values / block.values).multipliedReportingOverflow(by: block.bytes)
        return overflow ? nil : bytes
    }

    /// Decodes `target.count` values; `source` must hold exactly their bytes.
    func decode(_ source: UnsafeRawBufferPointer, into target: UnsafeMutableBufferPointer<Float>) {
        precondition(target.count % block.values == 0 && source.count == target.count / block.values * block.bytes)
        guard let from = source.baseAddress, let to = target.baseAddress else { return }
        switch self {
        case .f32: UnsafeMutableRawPointer(to).copyMemory(from: from, byteCount: source.count)
        case .f16: decodeHalf(from, to, count: target.count)
        case .bf16: decodeBrain(from, to, count: target.count)
        case .q8Block: decodeQ8(from, to, blocks: target.count / 32)
        case .q4Block: decodeQ4(from, to, blocks: target.count / 32)
        case .q4MinimumBlock: decodeQ4Minimum(from, to, blocks: target.count / 32)
        case .q5Block: decodeQ5(from, to, blocks: target.count / 32)
        case .q5MinimumBlock: decodeQ5Minimum(from, to, blocks: target.count / 32)
        case .q2Stretches: decodeQ2K(from, to, blocks: target.count / 256)
        case .q3Stretches: decodeQ3K(from, to, blocks: target.count / 256)
        case .q4Stretches: decodeQ4K(from, to, blocks: target.count / 256)
        case .q5Stretches: decodeQ5K(from, to, blocks: target.count / 256)
        case .q6Stretches: decodeQ6K(from, to, blocks: target.count / 256)
        case .q4Table: decodeIQ4NL(from, to, blocks: target.count / 32)
        case .q4TableStretches: decodeIQ4XS(from, to, blocks: target.count / 256)
        }
    }
}

/// The product of the dimensions; nil when it overflows or a dimension is negative.
func elementCount(_ shape: [Int]) -> Int? {
    var count = 1
    for dimension in shape {
        let (product, overflow) = count.multipliedReportingOverflow(by: dimension)
        guard dimension >= 0, !overflow else { return nil }
        count = product
    }
    return count
}

/// IEEE half to single precision without branches, so that loops over it vectorise on any CPU.
@inline(__always)
func single(half bits: UInt16) -> Float {
    let magnitude = UInt32(bits & 0x7fff) << 13
    // Rebias the exponent by a multiplication, which also normalises subnormal numbers.
    let scaled = (Float(bitPattern: magnitude) * Float(bitPattern: 0x7780_0000)).bitPattern
    let special: UInt32 = magnitude >= 0x0f80_0000 ? 0x7f80_0000 : 0
    return Float(bitPattern: scaled | special | UInt32(bits & 0x8000) << 16)
}

private func decodeHalf(_ from: UnsafeRawPointer, _ to: UnsafeMutablePointer<Float>, count: Int) {
    for index in 0..<count {
        to[index] = single(half: from.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self))
    }
}

private func decodeBrain(_ from: UnsafeRawPointer, _ to: UnsafeMutablePointer<Float>, count: Int) {
    for index in 0..<count {
        let bits = from.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self)
        to[index] = Float(bitPattern: UInt32(bits) << 16)
    }
}

private func decodeQ8(_ from: UnsafeRawPointer, _ to: UnsafeMutablePointer<Float>, blocks: Int) {
    for block in 0..<blocks {
        let start = from + block &* 34
        let scale = single(half: start.loadUnaligned(as: UInt16.self))
        let values = (start + 2).loadUnaligned(as: SIMD32<Int8>.self)
        let output = UnsafeMutableRawPointer(to + block &* 32)
        output.storeBytes(of: SIMD32<Float>(values) * scale, as: SIMD32<Float>.self)
    }
}

private func decodeQ4(_ from: UnsafeRawPointer, _ to: UnsafeMutablePointer<Float>, blocks: Int) {
    for block in 0..<blocks {
        let start = from + block &* 18
        let scale = single(half: start.loadUnaligned(as: UInt16.self))
        let packed = (start + 2).loadUnaligned(as: SIMD16<UInt8>.self)
        let output = UnsafeMutableRawPointer(to + block &* 32)
        let low = SIMD16<Int8>(truncatingIfNeeded: packed & 15) &- 8
        let high = SIMD16<Int8>(truncatingIfNeeded: packed &>> 4) &- 8
        output.storeBytes(of: SIMD16<Float>(low) * scale, as: SIMD16<Float>.self)
        output.storeBytes(of: SIMD16<Float>(high) * scale, toByteOffset: 64, as: SIMD16<Float>.self)
    }
}

private func decodeQ4Minimum(_ from: UnsafeRawPointer, _ to: UnsafeMutablePointer<Float>, blocks: Int) {
    for block in 0..<blocks {
        let start = from + block &* 20
        let scale = single(half: start.loadUnaligned(as: UInt16.self))
        let minimum = single(half: start.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        let packed = (start + 4).loadUnaligned(as: SIMD16<UInt8>.self)
        let output = UnsafeMutableRawPointer(to + block &* 32)
        let low = SIMD16<Float>(packed & 15) * scale + minimum
        let high = SIMD16<Float>(packed &>> 4) * scale + minimum
        output.storeBytes(of: low, as: SIMD16<Float>.self)
        output.storeBytes(of: high, toByteOffset: 64, as: SIMD16<Float>.self)
    }
}
