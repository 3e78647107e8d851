import Foundation
import Recommendation

/// Names of manifests: the same few come up again and again in a simulation, and each costs microseconds a prompt.
enum ManifestNames {
    nonisolated(unsafe) private static var known: [ShardManifest: String] = [:]
    private static let lock = NSLock()

    static func name(of manifest: ShardManifest) -> String {
        lock.withLock {
            if let name = known[manifest] { return name }
            let name = manifest.digest
            if known.count > 100_000 { known = [:] }
            known[manifest] = name
            return name
        }
    }
}

extension ShardManifest {
    var name: String { ManifestNames.name(of: self) }
}
