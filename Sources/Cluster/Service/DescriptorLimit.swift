import Coordination
import Foundation

/// How many files and connections the process may have open.
enum DescriptorLimit {
    /// For the ledger, adapters and everything else that is no connection.
    static let others = 256
    /// As many clients as workers.
    static let connections = 2 * CoordinatorLimits.workers

    /// Raises the limit to what the process may raise it to.
    ///
    /// - Returns: connections for which there is room.
    static func raise() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 512 }
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        }
        let open = Int(clamping: limit.rlim_cur)
        return min(connections, open > 2 * others ? open - others : open / 2)
    }
}
