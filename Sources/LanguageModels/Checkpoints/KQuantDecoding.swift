// ggml's encodings in blocks of 256 neighbours whose stretches of 16 or 32 have scales of their own ("k-quants"), and those
// with a table of values (IQ4). Layouts: ggml-quants.c and the `gguf` package, with whose results these agree bit for bit: the
// scale of a stretch is rounded before it is multiplied by a value.

/// The pieces of a block by their offsets.
private struct Block {
    let start: UnsafeRawPointer

    @inline(__always)
    func byte(_ offset: Int) -> UInt8 { start.load(fromByteOffset: offset, as: UInt8.self) }

    @inline(__always)
    func half(_ offset: Int) -> Float {
        single(half: UInt16(littleEndian: start.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
    }
}

/// 16 bytes of 4-bit scales and minima, 64 of 2-bit values, two halves.
func decodeQ2K(_ from: UnsafeRawPointer, _ to: UnsafeMutablePointer<Float>, blocks: Int) {
    for number in 0..<blocks {
        let (block, target) = (Block(start: from + number &* 84), to + number &* 256)
        let (scale, minimum) = (block.half(80), block.half(82))
        for stretch in 0..<16 {
            let packed = block.byte(stretch)
            let (d, m) = (scale * Float(packed & 15), minimum * Float(packed >> 4))
            let (first, shift) = (16 &+ stretch / 8 &* 32 &+ stretch % 2 &* 16, UInt8(stretch / 2 % 4 &* 2))
            for index in 0..<16 {
                target[stretch &* 16 &+ index] = d * Float(block.byte(first &+ index) &>> shift & 3) - m
            }
        }
    }
}

/// 32 bytes of high bits, 64 of low bits, 12 of 6-bit scales, a half.
func decodeQ3K(_ from: UnsafeRawPointer, _ to: UnsafeMutablePointer<Float>, blocks: Int) {
    for number in 0..<blocks {
        let (block, target) = (Block(start: from + number &* 110), to + number &* 256)
        let scale = block.half(108)
        for stretch in 0..<16 {
            let low = block.byte(96 &+ stretch % 8) &>> UInt8(stretch / 8 &* 4) & 15
            let high = block.byte(104 &+ stretch % 4) &>> UInt8(stretch / 4 &* 2) & 3
            let d = scale * Float(Int(low | high << 4) - 32)
            let (first, shift) = (32 &+ stretch / 8 &* 32 &+ stretch % 2 &* 16, UInt8(stretch / 2 % 4 &* 2))
            let (mask, bit) = (stretch % 2 &* 16, UInt8(stretch / 2))
            for index in 0..<16 {
                let value = Int(block.byte(first &+ index) &>> shift & 3)
                let isHigh = block.byte(mask &+ index) &>> bit & 1 == 1
                target[stretch &* 16 &+ index] = d * Float(isHigh ? value : value - 4)
            }
        }
    }
}

/// The 6-bit scale and minimum of a stretch of 32 in the twelve bytes that Q4_K and Q5_K share.
@inline(__always)
private func scaleAndMinimum(_ block: Block, _ stretch: Int) -> (scale: Float, minimum: Float) {
    if stretch < 4 { return (Float(block.byte(4 &+ stretch) & 63), Float(block.byte(8 &+ stretch) & 63)) }
    let (scale, minimum, low) = (block.byte(stretch), block.byte(4 &+ stretch), block.byte(8 &+ stretch))
    return (Float(low & 15 | scale >> 2 & 48), Float(low >> 4 | minimum >> 2 & 48))
}

/// Two halves, twelve bytes of scales and minima, 128 of 4-bit values.
func decodeQ4K(_ from: UnsafeRawPointer, _ to: UnsafeMutablePointer<Float>, blocks: Int) {
    for number in 0..<blocks {
        let (block, target) = (Block(start: from + number &* 144), to + number &* 256)
        let (scale, minimum) = (block.half(0), block.half(2))
        for stretch in 0..<8 {
            let own = scaleAndMinimum(block, stretch)
            let (d, m) = (scale * own.scale, minimum * own.minimum)
            let (first, shift) = (16 &+ stretch / 2 &* 32, UInt8(stretch % 2 &* 4))
            for index in 0..<32 {
                target[stretch &* 32 &+ index] = d * Float(block.byte(first &+ index) &>> shift & 15) - m
            }
        }
    }
}

/// As Q4_K, with 32 bytes of fifth bits before the values.
func decodeQ5K(_ from: UnsafeRawPointer, _ to: UnsafeMutablePointer<Float>, blocks: Int) {
    for number in 0..<blocks {
        let (block, target) = (Block(start: from + number &* 176), to + number &* 256)
        let (scale, minimum) = (block.half(0), block.half(2))
        for stretch in 0..<8 {
            let own = scaleAndMinimum(block, stretch)
            let (d, m) = (scale * own.scale, minimum * own.minimum)
            let (first, shift) = (48 &+ stretch / 2 &* 32, UInt8(stretch % 2 &* 4))
            for index in 0..<32 {
                let high = block.byte(16 &+ index) &>> UInt8(stretch) & 1
                let value = block.byte(first &+ index) &>> shift & 15 | high << 4
                target[stretch &* 32 &+ index] = d * Float(value) - m
            }
        }
    }
}

/// 128 bytes of low bits, 64 of high bits, 16 scales, a half.
func decodeQ6K(_ from: UnsafeRawPointer, _ to: UnsafeMutablePointer<Float>, blocks: Int) {
    for number in 0..<blocks {
        let (block, target) = (Block(start: from + number &* 210), to + number &* 256)
        let scale = block.half(208)
        for stretch in 0..<16 {
            let d = scale * Float(Int8(bitPattern: block.byte(192 &+ stretch)))
            let (part, place) = (stretch / 8, stretch % 8)
            let (low, lowShift) = (part &* 64 &+ place % 4 &* 16, UInt8(place / 4 &* 4))
            let (high, highShift) = (128 &+ part &* 32 &+ place % 2 &* 16, UInt8(place / 2 &* 2))
            for index in 0..<16 {
                let value = block.byte(low &+ index) &>> lowShift & 15
                let top = block.byte(high &+ index) &>> highShift & 3
                target[stretch &* 16 &+ index] = d * Float(Int(value | top << 4) - 32)
            }
        }
    }
}

/// What the sixteen 4-bit values of the IQ4 encodings stand for.
private let fourBitValues: [Float] = [
    -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
]

/// Blocks of 32: a half, 16 bytes of 4-bit values.
func decodeIQ4NL(_ from: UnsafeRawPointer, _ to: UnsafeMutablePointer<Float>, blocks: Int) {
    fourBitValues.withUnsafeBufferPointer { values in
        for number in 0..<blocks {
            let (block, target) = (Block(start: from + number &* 18), to + number &* 32)
            let scale = block.half(0)
            for index in 0..<16 {
                let packed = block.byte(2 &+ index)
                target[index] = scale * values[Int(packed & 15)]
                target[16 &+ index] = scale * values[Int(packed >> 4)]
            }
        }
    }
}

/// Blocks of 256: a half, 16 high bits and 4 bytes of low bits of eight 6-bit scales, 128 bytes of 4-bit values.
func decodeIQ4XS(_ from: UnsafeRawPointer, _ to: UnsafeMutablePointer<Float>, blocks: Int) {
    fourBitValues.withUnsafeBufferPointer { values in
        for number in 0..<blocks {
            let (block, target) = (Block(start: from + number &* 136), to + number &* 256)
            let scale = block.half(0)
            let highBits = UInt16(block.byte(2)) | UInt16(block.byte(3)) << 8
            for stretch in 0..<8 {
                let low = block.byte(4 &+ stretch / 2) &>> UInt8(stretch % 2 &* 4) & 15
                let high = highBits &>> UInt16(2 &* stretch) & 3
                let d = scale * Float(Int(low) + Int(high << 4) - 32)
                for index in 0..<16 {
                    let packed = block.byte(8 &+ stretch &* 16 &+ index)
                    target[stretch &* 32 &+ index] = d * values[Int(packed & 15)]
                    target[stretch &* 32 &+ 16 &+ index] = d * values[Int(packed >> 4)]
                }
            }
        }
    }
}
