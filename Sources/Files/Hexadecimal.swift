import Crypto

extension Sequence where Element == UInt8 {
    /// Two lower-case digits a byte.
    package var hexadecimal: String {
        withContiguousStorageIfAvailable { text(UnsafeRawBufferPointer($0)) }
            ?? ContiguousArray(self).withUnsafeBytes(text)
    }
}

extension SHA256Digest {
    /// Two lower-case digits a byte.
    package var hexadecimal: String { withUnsafeBytes(text) }
}

private func text(_ bytes: UnsafeRawBufferPointer) -> String {
    String(unsafeUninitializedCapacity: 2 * bytes.count) { text in
        for (index, byte) in bytes.enumerated() {
            text[2 * index] = digit(byte >> 4)
            text[2 * index + 1] = digit(byte & 15)
        }
        return 2 * bytes.count
    }
}

@inline(__always)
private func digit(_ value: UInt8) -> UInt8 { value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") - 10 + value }

extension [UInt8] {
    /// - Parameter text: two digits a byte, in either case; nil for anything else.
    package init?(hexadecimal text: some StringProtocol) {
        func digit(_ character: UInt8) -> UInt8? {
            switch character {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): character - UInt8(ascii: "0")
            case UInt8(ascii: "a")...UInt8(ascii: "f"): character - UInt8(ascii: "a") + 10
            case UInt8(ascii: "A")...UInt8(ascii: "F"): character - UInt8(ascii: "A") + 10
            default: nil
            }
        }
        let characters = Array(text.utf8)
        guard characters.count.isMultiple(of: 2) else { return nil }
        self = []
        reserveCapacity(characters.count / 2)
        for index in stride(from: 0, to: characters.count, by: 2) {
            guard let high = digit(characters[index]), let low = digit(characters[index + 1]) else { return nil }
            append(high << 4 | low)
        }
    }
}

/// SHA-256 in hexadecimal.
package func sha256(_ bytes: some Sequence<UInt8>) -> String {
    var hash = SHA256()
    let isContiguous: Void? = bytes.withContiguousStorageIfAvailable {
        hash.update(bufferPointer: UnsafeRawBufferPointer($0))
    }
    if isContiguous == nil { hash.update(data: Array(bytes)) }
    return hash.finalize().hexadecimal
}
