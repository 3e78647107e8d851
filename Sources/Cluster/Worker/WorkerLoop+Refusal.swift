import Messages

/// Refusals: those that nothing but another start of this worker can change end it; the others are asked about again.
extension WorkerLoop {
    func refused(
        _ code: ErrorCode, _ message: String, _ state: inout WorkerLogic, _ compute: ComputeThread,
        _ storage: StorageThread
    ) throws {
        let refusal = WorkerError.refused(code: code, message: message)
        guard code.isRefusalThatMayPass, configuration.disposal != .deletedAtOnce else { throw refusal }
        if code == .duplicateWorker, connection.isDuplicate(at: now) { throw refusal }
        // It did answer.
        attempts = 0
        warn("\(refusal); asking again")
        if connection.refused(code, at: now) { try disconnected(&state, compute, storage) }
        if code == .notAllowed { try letGo(&state, compute, storage) }
        // Nobody takes what is being finished.
        if leavesAt != nil { mayLeave = true }
    }

    /// The coordinator that this worker worked for does not have its key as a worker's any more: what the key stood for leaves the
    /// memory. The disk keeps what is sealed, which nobody opens without the keys that come with a welcome.
    func letGo(_ state: inout WorkerLogic, _ compute: ComputeThread, _ storage: StorageThread) throws {
        guard losesPlace() else { return }
        logger.notice("the keys of people and shards are forgotten here; sealed files stay, for the case of a return")
        try perform(state.handle(.turnedOut), &state, compute, storage)
    }
}

extension ErrorCode {
    /// Whether a worker that is refused for this may be taken later without another start: a list of keys is changed back, a place
    /// becomes free, the connection of before is given up.
    package var isRefusalThatMayPass: Bool { [.notAllowed, .full, .duplicateWorker].contains(self) }
}
