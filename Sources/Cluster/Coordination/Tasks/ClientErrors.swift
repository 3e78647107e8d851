import Messages

/// What the coordinator's logic answers to requests that make no sense now.
extension ClientError {
    package static func unknownOperation(_ id: String) -> ClientError {
        ClientError(
            code: .unknownOperation,
            message: "no operation has the id \(id.clipped); forget requests are known for ever, other operations that "
                + "ended until the coordinator is started again")
    }

    static func requestConflict(_ id: String) -> ClientError {
        ClientError(
            code: .requestConflict,
            message: "the request id \(id.clipped) belongs to another request: every request needs an id of its own")
    }

    static let invalidRequestID = ClientError(
        code: .invalidRequest, message: "a request needs an id of 1 to \(CoordinatorLimits.text) bytes")

    static let notAnOperation = ClientError(
        code: .invalidRequest, message: "this request does not start an operation")

    static func methodNotAvailable(_ error: LedgerError) -> ClientError {
        ClientError(code: .methodNotAvailable, message: error.description)
    }

    static let busy = ClientError(
        code: .busy, message: "the coordinator has as many operations under way as it takes: try again later")

    static func nothingToTrain(hasData: Bool) -> ClientError {
        ClientError(
            code: .noData,
            message: hasData
                ? "the imported ratings give no training prompt: no user has enough history, or all was forgotten"
                : "there is nothing to train on: import ratings first (lethe import)")
    }

    static func oneLabel(_ labels: LedgerSnapshot.Labels, prompts: Int) -> ClientError {
        ClientError(
            code: .oneLabel,
            message: "all \(prompts) training prompts have the answer \(labels.likes == 0 ? "No" : "Yes"), so there is "
                + "nothing to learn: a rating above \(labels.likeAbove) is a like now; import again with another threshold "
                + "(lethe import --like-above N --change-prompts)")
    }

    static func emptySplit(_ split: Split) -> ClientError {
        ClientError(
            code: .noData,
            message: "the split \(split.rawValue) has no prompts: import ratings first (lethe import)")
    }

    static let notTrained = ClientError(
        code: .notTrained, message: "no shard was ever trained: train first (lethe train)")

    static let lostWithWork = ClientError(code: .silent, message: "the worker was lost while it was at it")

    static let dataKeepsChanging = ClientError(
        code: .dataChanged, message: "the data changed again and again while the operation ran: try again")
}
