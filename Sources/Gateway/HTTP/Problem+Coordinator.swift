import Messages

extension Problem {
    /// What a coordinator's refusal means over HTTP.
    init(_ error: ClientError) {
        let (status, title, retry) = Self.meaning(of: error.code)
        self.init(
            status: status, name: error.code.rawValue, title: title, detail: error.message, retryAfter: retry)
    }

    private static func meaning(of code: ErrorCode) -> (status: Int, title: String, retry: Int?) {
        switch code {
        case .unknownUser, .unknownItem, .unknownInteraction, .unknownRequest, .unknownOperation, .unknownAdapter,
            .unknownWorker:
            (404, "There is no such thing", nil)
        case .invalidRequest, .tooLarge: (422, "The request makes no sense", nil)
        case .noData, .oneLabel, .notTrained, .noCleanAdapter, .methodNotAvailable, .promptsDiffer, .requestConflict,
            .dataChanged, .workerLive, .noCopies:
            (409, "The cluster cannot do this as it is now", nil)
        case .busy: (429, "Too many requests wait already", 1)
        case .unreachable: (503, "No coordinator answers", 5)
        case .notAllowed: (403, "The gateway's key may not do this", nil)
        case .keyRefused: (503, "The coordinator refuses the gateway's key", 30)
        case .superseded: (503, "Another coordinator came after this one", 5)
        case .cancelled: (503, "Nobody waits any more", 1)
        case .diskFull: (507, "The coordinator's disk is full", nil)
        default: (502, "The coordinator failed", nil)
        }
    }

    /// Any error of a handler.
    init(_ error: any Error) {
        switch error {
        case let problem as Problem: self = problem
        case let error as ClientError: self.init(error)
        case let error as WireError: self = .invalid("\(error)")
        case is CancellationError: self.init(ClientError(code: .cancelled, message: "the connection was closed"))
        default: self = .internalError
        }
    }
}
