import Messages

/// How a command ends. The table stands in the article ExitStatus; scripts rely on the numbers.
enum ExitStatus: Int32 {
    case success = 0
    /// The request failed; the message says why.
    case failed = 1
    /// `verify` found bytes that differ.
    case mismatch = 2
    /// Wrong arguments (ArgumentParser's own number).
    case usage = 64
    /// A file or an identifier in the request is not usable, or not there.
    case badInput = 65
    /// No coordinator answers.
    case unreachable = 69
    /// It cannot be done at the moment, and may be later: no data, no training, no clean adapter; a folder or a port that
    /// another process has.
    case notReady = 75
    /// The coordinator refuses this client for its key, or this worker for its base model, protocol version, precision or
    /// arithmetic; or another coordinator of the cluster came after it.
    case refused = 77

    /// The name of the kind in JSON.
    var kind: String {
        switch self {
        case .success: "success"
        case .failed: "failed"
        case .mismatch: "mismatch"
        case .usage: "usage"
        case .badInput: "bad-input"
        case .unreachable: "unreachable"
        case .notReady: "not-ready"
        case .refused: "refused"
        }
    }

    /// Of a request that a coordinator did not grant, or a client could not make.
    init(_ code: ErrorCode) {
        self =
            switch code {
            case .unreachable: .unreachable
            case .noSlices, .noSuchStage, .promptsDiffer: .usage
            case .superseded, .otherProtocol, .protocolVersion, .wrongProtocol, .arithmetic, .baseModel, .precision,
                .duplicateWorker, .foreignID, .full, .invalidHello, .notAllowed, .keyRefused:
                .refused
            case .noData, .oneLabel, .notTrained, .noCleanAdapter, .busy, .dataChanged, .workerLive, .stopped:
                .notReady
            case .unknownUser, .unknownItem, .unknownInteraction, .invalidRequest, .unknownOperation, .unknownRequest,
                .unknownAdapter, .unknownStage, .unknownWorker, .noCopies, .requestConflict, .methodNotAvailable,
                .tooLarge, .cannotBeStopped:
                .badInput
            default: .failed
            }
    }
}
