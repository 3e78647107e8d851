import Messages

/// Why a worker process cannot start or go on.
package enum WorkerError: Error, Hashable, Sendable, CustomStringConvertible {
    /// The coordinator will not have this worker: another base model, protocol version, precision or arithmetic; or two workers
    /// have one id.
    case refused(code: ErrorCode, message: String)
    /// Another worker uses the data directory.
    case dataDirectoryInUse(path: String)
    case dataDirectory(path: String, reason: String)
    /// The shards were deleted, but no coordinator was there to be told.
    case deletedUntold
    /// Nobody can be told there how the worker is.
    case healthAddress(String, reason: String)

    package var description: String {
        switch self {
        case .refused(let code, let message): "the coordinator refused this worker (\(code)): \(message)"
        case .dataDirectoryInUse(let path): "another worker uses the data directory \(path); give each its own"
        case .deletedUntold:
            "the shards were deleted, but the coordinator did not answer and does not know of it"
        case .healthAddress(let address, let reason): "--health \(address) cannot be used: \(reason)"
        case .dataDirectory(let path, let reason): "the data directory \(path) cannot be used: \(reason)"
        }
    }
}
