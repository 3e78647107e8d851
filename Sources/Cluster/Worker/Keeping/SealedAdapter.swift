import Crypto
import Files
import Foundation
import Messages
import Unlearning

/// An adapter that a worker trained, as it lies on its disk: one box under the shard's key, in a file that is named after the
/// adapter's content.
struct SealedAdapter: Equatable {
    /// What is told of it when the same training is asked for again.
    struct Description: Codable, Equatable {
        /// Fingerprint of the arithmetic that trained it.
        var arithmetic: String
        var report: TrainingReport
    }

    var description: Description
    /// PEFT safetensors.
    var tensors: [UInt8]

    /// The length of the description (UInt32, little-endian), the description as JSON, the tensors; sealed.
    func sealed(shard: Int, key: SymmetricKey) throws(TaskFailure) -> Data {
        do {
            let json = try WireJSON.encode(description, kind: "adapter")
            let length = withUnsafeBytes(of: UInt32(truncatingIfNeeded: json.count).littleEndian) { Array($0) }
            return try SealedBytes.seal(
                length + json + tensors, key: key,
                context: SealContext.adapter(shard: shard, name: description.report.adapter))
        } catch {
            throw TaskFailure(code: .storage, message: "cannot seal the adapter of shard \(shard)")
        }
    }

    init(description: Description, tensors: [UInt8]) {
        self.description = description
        self.tensors = tensors
    }

    /// nil unless the file holds the shard's adapter of this name under this key.
    init?(sealed file: [UInt8]?, shard: Int, name: String, key: SymmetricKey) {
        guard let file,
            let bytes = try? SealedBytes.open(
                file, key: key, context: SealContext.adapter(shard: shard, name: name)), bytes.count >= 4
        else { return nil }
        let length = Int(UInt32(littleEndian: bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt32.self) }))
        guard length <= bytes.count - 4,
            let description = try? WireJSON.decode(Description.self, from: bytes[4..<(4 + length)], kind: "adapter"),
            description.report.adapter == name
        else { return nil }
        self.init(description: description, tensors: Array(bytes[(4 + length)...]))
    }
}
