import Files
import Foundation

/// Writes safetensors files: the same tensors always give the same bytes.
package enum SafetensorsWriter {
    /// One tensor with its values already encoded.
    package struct Tensor {
        package var name: String
        package var encoding: TensorEncoding
        /// Row-major.
        package var shape: [Int]
        package var bytes: [UInt8]

        package init(name: String, encoding: TensorEncoding, shape: [Int], bytes: [UInt8]) {
            self.name = name
            self.encoding = encoding
            self.shape = shape
            self.bytes = bytes
        }

        /// Little-endian 32-bit floats.
        package init(name: String, shape: [Int], floats: some Sequence<Float>) {
            var bytes: [UInt8] = []
            bytes.reserveCapacity(floats.underestimatedCount * 4)
            for value in floats {
                let bits = value.bitPattern
                bytes.append(UInt8(truncatingIfNeeded: bits))
                bytes.append(UInt8(truncatingIfNeeded: bits >> 8))
                bytes.append(UInt8(truncatingIfNeeded: bits >> 16))
                bytes.append(UInt8(truncatingIfNeeded: bits >> 24))
            }
            self.init(name: name, encoding: .f32, shape: shape, bytes: bytes)
        }
    }

    /// The file's bytes. Tensors are written in the order of their names' bytes; the header is padded with blanks to a
    /// multiple of 8, so that the data is aligned.
    package static func bytes(of tensors: [Tensor], metadata: [(key: String, value: String)] = []) -> [UInt8] {
        let ordered = tensors.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
        var members: [String] = []
        if !metadata.isEmpty {
            let entries = metadata.map { "\(quoted($0.key)):\(quoted($0.value))" }.joined(separator: ",")
            members.append("\"__metadata__\":{\(entries)}")
        }
        var offset = 0
        for tensor in ordered {
            let end = offset + tensor.bytes.count
            let shape = tensor.shape.map(String.init).joined(separator: ",")
            members.append(
                "\(quoted(tensor.name)):{\"dtype\":\"\(tensor.encoding.rawValue)\",\"shape\":[\(shape)],"
                    + "\"data_offsets\":[\(offset),\(end)]}")
            offset = end
        }
        var header = Array("{\(members.joined(separator: ","))}".utf8)
        while header.count % 8 != 0 { header.append(0x20) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(8 + header.count + offset)
        let length = UInt64(header.count)
        for byte in 0..<8 { bytes.append(UInt8(truncatingIfNeeded: length >> (8 * UInt64(byte)))) }
        bytes.append(contentsOf: header)
        for tensor in ordered { bytes.append(contentsOf: tensor.bytes) }
        return bytes
    }

    private static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case _ where scalar.value < 0x20: result += "\\u00" + [UInt8(scalar.value)].hexadecimal
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }
}
