import Files
import Foundation

/// The file of an adapter, `<content name>.safetensors`: whatever its bytes are, they are compared with its name.
package enum AdapterFile {
    package enum Failure: Error, Hashable {
        /// There is no such file.
        case lost
        /// Its SHA-256 is not its name.
        case damaged
        case system(FileFailure)
    }

    package static func path(name: String, in directory: String) -> String { "\(directory)/\(name).safetensors" }

    package static func bytes(name: String, in directory: String) throws(Failure) -> [UInt8] {
        let bytes: [UInt8]
        do throws(FileFailure) {
            bytes = try AtomicFile.read(path(name: name, in: directory))
        } catch {
            throw error.code == ENOENT ? .lost : .system(error)
        }
        guard sha256(bytes) == name else { throw .damaged }
        return bytes
    }
}
