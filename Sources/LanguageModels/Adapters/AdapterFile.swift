import Crypto
import Files
import Foundation

/// The file of an adapter, `<content name>.sealed`: its safetensors, sealed under a key of its own. Whatever is in it is compared
/// with its name.
package enum AdapterFile {
    package enum Failure: Error, Hashable {
        /// There is no such file.
        case lost
        /// It does not open with its key, or the SHA-256 of what is in it is not its name.
        case damaged
        case system(FileFailure)
    }

    package static func fileName(_ name: String) -> String { "\(name).sealed" }

    /// Without its key, which may be lost, a file is as good as damaged.
    package static func bytes(
        name: String, key: SymmetricKey?, in directory: String
    ) throws(Failure) -> [UInt8] {
        let sealed: [UInt8]
        do throws(FileFailure) {
            sealed = try AtomicFile.read("\(directory)/\(fileName(name))")
        } catch {
            throw error.code == ENOENT ? .lost : .system(error)
        }
        guard let key, let bytes = try? SealedBytes.open(sealed, key: key, context: context(name)),
            sha256(bytes) == name
        else { throw .damaged }
        return bytes
    }

    /// Whole and durable, or not there at all.
    package static func write(
        _ bytes: [UInt8], name: String, key: SymmetricKey, in directory: String
    ) throws(FileFailure) {
        let path = "\(directory)/\(fileName(name))"
        guard let sealed = try? SealedBytes.seal(bytes, key: key, context: context(name)) else {
            throw FileFailure("cannot seal", path)
        }
        try AtomicFile.write(sealed, to: path)
    }

    private static func context(_ name: String) -> String { "adapter \(name)" }
}
