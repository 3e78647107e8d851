import Files
import Foundation

/// What stands in for keys where a coordinator listens on loopback and was given none: a pair of keys in its data folder, which only
/// its user can read, and notes that lead the processes of the same user on the same machine there.
package struct LocalCoordinators: Sendable {
    /// Paths of key files.
    package struct Keys: Hashable, Sendable {
        /// What clients and workers show.
        package var own: String
        /// What they expect of the coordinator.
        package var coordinator: String
    }

    /// Below the data folder.
    package static let clientKey = "local-client.key"
    package static let coordinatorKey = "local-coordinator.key"

    private let notes: LiveNotes
    private let host: String

    /// Notes lie in `lethe/local` below `$XDG_STATE_HOME` and below `~/.local/state`: processes of one user do not all have the same
    /// environment.
    package init(environment: [String: String] = ProcessInfo.processInfo.environment) {
        let states = [
            environment.variable("XDG_STATE_HOME"), environment.variable("HOME").map { $0 + "/.local/state" },
        ]
        var folders: [String] = []
        for state in states.compactMap(\.self) where state.hasPrefix("/") && !folders.contains(state + "/lethe/local") {
            folders.append(state + "/lethe/local")
        }
        notes = LiveNotes(folders: folders)
        // A home may be several machines'.
        var name = [CChar](repeating: 0, count: 256)
        gethostname(&name, name.count - 1)
        host = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            .filter { $0.isASCII && ($0.isLetter || $0.isNumber || "-.".contains($0)) }
    }

    /// The keys of the coordinator that listens there; nil: none of this user does, or it has given no note.
    ///
    /// - Parameter place: an address and a port, as everybody writes them.
    package func keys(at place: String) -> Keys? {
        guard let data = notes.text(of: "\(host)-\(place)"), data.hasPrefix("/") else { return nil }
        return Keys(own: "\(data)/\(Self.clientKey)", coordinator: "\(data)/\(Self.coordinatorKey)")
    }

    /// Leads this user's clients to the data folder.
    ///
    /// - Returns: what has to live for as long as the coordinator does; nothing where there is no place for notes.
    package func announce(_ dataFolder: String, at place: String) -> [LiveNote] {
        notes.leave(dataFolder, named: "\(host)-\(place)")
    }
}
