import Files
import Foundation

/// How many clients a gateway may have connected at once, of the files that its process may have open.
package struct DescriptorShare: Hashable, Sendable {
    /// Of clients, at once.
    package var connections: Int
    /// All that the gateway may take, with what it needs beside its clients.
    package var descriptors: Int

    /// Connections that have given way and are being closed.
    static func closing(of connections: Int) -> Int { min(64, connections) }

    /// Connections to the coordinator (some ten descriptors each), imports, the log; and three for each loop of events.
    private static func others(cores: Int) -> Int { 256 + 3 * cores }
    private static let fewest = 8

    /// - Parameters:
    ///   - open: files that the process may have open.
    ///   - most: connections, however many files there may be.
    ///   - isAlone: false: the process serves something else as well, to which at least half of the files are left.
    ///   - cores: of the machine.
    package init(
        of open: Int, most: Int, isAlone: Bool, cores: Int = ProcessInfo.processInfo.activeProcessorCount
    ) {
        let others = Self.others(cores: cores)
        let share = isAlone ? open : open / 2
        let left = share - others
        // Those that are being closed have their descriptors still.
        let connections = min(most, left > 128 ? left - 64 : left / 2)
        self.connections = max(min(most, Self.fewest), connections)
        descriptors = min(share, others + self.connections + Self.closing(of: self.connections))
    }
}
