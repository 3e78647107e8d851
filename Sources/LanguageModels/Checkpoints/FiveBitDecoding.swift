// ggml's blocks of 32 values of five bits: the low four in nibbles, the fifth bits in a word of 32.

/// A half and the values; the middle of the range is zero.
func decodeQ5(_ from: UnsafeRawPointer, _ to: UnsafeMutablePointer<Float>, blocks: Int) {
    for block in 0..<blocks {
        let (start, target) = (from + block &* 22, to + block &* 32)
        let scale = single(half: start.loadUnaligned(as: UInt16.self))
        eachFiveBits(start + 2) { index, value in target[index] = scale * Float(Int(value) - 16) }
    }
}

/// Two halves and the values; the second half is what zero stands for.
func decodeQ5Minimum(_ from: UnsafeRawPointer, _ to: UnsafeMutablePointer<Float>, blocks: Int) {
    for block in 0..<blocks {
        let (start, target) = (from + block &* 24, to + block &* 32)
        let scale = single(half: start.loadUnaligned(as: UInt16.self))
        let minimum = single(half: start.loadUnaligned(fromByteOffset: 2, as: UInt16.self))
        eachFiveBits(start + 4) { index, value in target[index] = scale * Float(value) + minimum }
    }
}

@inline(__always)
private func eachFiveBits(_ start: UnsafeRawPointer, _ body: (Int, UInt8) -> Void) {
    let high = start.loadUnaligned(as: UInt32.self)
    for index in 0..<16 {
        let packed = start.load(fromByteOffset: 4 &+ index, as: UInt8.self)
        body(index, packed & 15 | UInt8(truncatingIfNeeded: high &>> UInt32(index) & 1) << 4)
        body(16 &+ index, packed >> 4 | UInt8(truncatingIfNeeded: high &>> UInt32(16 &+ index) & 1) << 4)
    }
}
