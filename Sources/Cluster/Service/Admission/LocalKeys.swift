import Files
import Foundation
import Messages
import ZeroMQ

/// The keys of a coordinator that was given none, in its data folder: made at the first start, the same from then on.
struct LocalKeys {
    let client: CurveKeyPair
    let coordinator: CurveKeyPair

    /// - Throws: `ZeroMQError.invalidKey`, also of a file that others may read; `FileFailure`.
    init(in folder: URL) throws {
        client = try Self.pair(folder.appendingPathComponent(LocalCoordinators.clientKey).path)
        coordinator = try Self.pair(folder.appendingPathComponent(LocalCoordinators.coordinatorKey).path)
    }

    private static func pair(_ path: String) throws -> CurveKeyPair {
        if FileManager.default.fileExists(atPath: path) {
            PrivateFiles.tighten(path + ".pub")
            do {
                return try CurveKeyPair(contentsOf: path)
            } catch {
                throw ZeroMQError.invalidKey(reason: "\(error); take it away, and a new one is made")
            }
        }
        // Killed in between, it leaves nothing that looks like a key.
        let new = path + ".new"
        for file in [new, new + ".pub"] { unlink(file) }
        let pair = try CurveKeyPair.generate()
        try pair.write(to: new)
        for suffix in [".pub", ""] {
            guard rename(new + suffix, path + suffix) == 0 else { throw FileFailure("cannot make", path + suffix) }
        }
        try AtomicFile.syncDirectory(FilePath.folder(of: path))
        return pair
    }
}
