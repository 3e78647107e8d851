import Coordination
import Files

/// How many connections the process may have open.
package enum DescriptorLimit {
    /// For the ledger, adapters and everything else that is no connection.
    static let others = 256
    /// As many clients as workers.
    static let connections = 2 * CoordinatorLimits.workers

    /// Raises the limit of open files to what the process may raise it to.
    ///
    /// - Parameter reserved: for what else the process serves.
    /// - Returns: connections for which there is room.
    static func raise(reserving reserved: Int) -> Int {
        connections(of: OpenFiles.raiseLimit(), reserving: reserved)
    }

    /// - Parameters:
    ///   - open: files and connections that the process may have open.
    ///   - reserved: of them, those for what else it serves.
    /// - Returns: connections for which there is room.
    package static func connections(of open: Int, reserving reserved: Int) -> Int {
        let left = max(0, open - reserved)
        return min(connections, left > 2 * others ? left - others : left / 2)
    }
}
