import Foundation

/// 32-bit floats as bytes, the least significant first, on every machine.
package enum LittleEndianFloats {
    package static func bytes(_ floats: some Collection<Float>) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: floats.count * 4) { target, count in
            let target = UnsafeMutableRawBufferPointer(target)
            for (index, value) in floats.enumerated() {
                target.storeBytes(of: value.bitPattern.littleEndian, toByteOffset: index * 4, as: UInt32.self)
            }
            count = floats.count * 4
        }
    }

    /// nil when the number of bytes is no multiple of four.
    package static func floats(_ bytes: some ContiguousBytes) -> [Float]? {
        bytes.withUnsafeBytes { source in
            guard source.count.isMultiple(of: 4) else { return nil }
            return (0..<(source.count / 4)).map { index in
                Float(
                    bitPattern: UInt32(littleEndian: source.loadUnaligned(fromByteOffset: index * 4, as: UInt32.self)))
            }
        }
    }
}
