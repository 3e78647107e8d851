import Files
import Foundation
import LanguageModels

/// The newest generation that was seen of each cluster, one file a cluster.
public struct GenerationMemory: Sendable {
    /// Clusters that a worker tells a coordinator of.
    package static let told = 32

    private let directory: String

    public init(directory: String) {
        self.directory = directory
    }

    /// A user's own: `$XDG_STATE_HOME/lethe/clusters`, by default below `~/.local/state`; nil where there is no such place.
    public static func standard(
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> GenerationMemory? {
        guard
            let state = environment.variable("XDG_STATE_HOME")
                ?? environment.variable("HOME").map({ $0 + "/.local/state" }),
            state.hasPrefix("/")
        else { return nil }
        return GenerationMemory(directory: state + "/lethe/clusters")
    }

    /// nil: never seen, or the file cannot be read.
    public func generation(of cluster: String) -> Generation? {
        guard let path = path(cluster), let bytes = AtomicFile.contents(path) else { return nil }
        return try? WireJSON.decode(KnownGeneration.self, from: bytes, kind: "generation").generation
    }

    /// Sorted by cluster.
    package func all() -> [KnownGeneration] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
        return names.sorted().prefix(Self.told).compactMap { name in
            generation(of: name).map { KnownGeneration(cluster: name, generation: $0) }
        }
    }

    /// Compares with what is remembered, and remembers what is newer: durably, before it is believed.
    ///
    /// - Returns: nil when the coordinator is the one to follow.
    /// - Throws: `FileFailure` when it cannot be remembered.
    public func objection(to generation: Generation, of cluster: String) throws -> SupersededCoordinator? {
        let known = self.generation(of: cluster)
        switch known.map(generation.relation(to:)) {
        case .same: return nil
        case .newer, nil:
            try remember(generation, of: cluster)
            return nil
        case .older, .conflict:
            return known.map { SupersededCoordinator(cluster: cluster, generation: generation, known: $0) }
        }
    }

    private func remember(_ generation: Generation, of cluster: String) throws {
        guard let path = path(cluster) else { return }
        guard PrivateFiles.makeDirectory(directory) else { throw FileFailure("cannot make", directory) }
        let bytes = try WireJSON.encode(KnownGeneration(cluster: cluster, generation: generation), kind: "generation")
        try AtomicFile.write(bytes, to: path)
    }

    /// nil for a name that is none of a cluster: it comes from outside.
    private func path(_ cluster: String) -> String? {
        let isName =
            (1...64).contains(cluster.utf8.count)
            && cluster.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-") }
        return isName ? "\(directory)/\(cluster)" : nil
    }
}
