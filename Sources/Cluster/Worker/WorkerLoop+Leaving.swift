import Messages
import ZeroMQ

/// The end of a worker's files: its own when it leaves, and those that others left.
extension WorkerLoop {
    /// Seconds in which a worker that only wants to say that it deleted its shards looks for the coordinator.
    static let longestSearch = 30.0
    private static let longestDeletion = Duration.seconds(10)

    /// Whether the worker, which was asked to end now or before, ends now.
    ///
    /// It goes on for as long as the configuration says, so that what it computes is not lost, and gets no more work. Asked
    /// once more, or without a coordinator that would take a result, it ends at once.
    func isTimeToLeave(isAsked: Bool) -> Bool {
        if isAsked {
            let grace = configuration.grace / .seconds(1)
            guard leavesAt == nil, grace > 0, connection.isConnected, configuration.disposal != .deletedAtOnce else {
                return true
            }
            leavesAt = now + grace
            logger.info("asked to end: finishing what is under way, for \(configuration.grace) at most")
            do { try send(.leaving) } catch { return true }
        }
        guard let leavesAt, now >= leavesAt else { return false }
        logger.warning("what is under way did not end in time: others do it again")
        return true
    }

    /// Deletes the shards, unless they are kept, and says goodbye.
    func leave(_ state: WorkerLogic, _ storage: StorageThread) {
        let deleted = directory.isRemovedAtEnd ? deleteShards(state, storage) : []
        guard connection.isConnected else { return }
        if directory.isRemovedAtEnd {
            // These notes go with the directory.
            notes.add(ClearedNotesFile.read(in: directory.path))
            try? sayCleared()
        }
        try? send(.goodbye(deleted: deleted))
    }

    /// - Returns: the shards that are gone, sorted. A deletion that takes too long, or fails, claims nothing.
    private func deleteShards(_ state: WorkerLogic, _ storage: StorageThread) -> [Int] {
        storage.deleteShards()
        let deadline = clock.now + Self.longestDeletion
        while clock.now < deadline {
            for report in reports.take(timeout: .milliseconds(250)) {
                switch report {
                case .deletedShards(.success(let remaining)):
                    if !remaining.isEmpty { logger.error("could not delete shards \(remaining)") }
                    return state.shards.filter { !remaining.contains("\($0)") }
                case .deletedShards(.failure(let failure)):
                    logger.error("could not delete the shards: \(failure.message)")
                    return []
                case .ended: threadsRunning -= 1
                default: break
                }
            }
        }
        logger.error("the shards are not deleted yet after \(Self.longestDeletion)")
        return []
    }

    /// Tells of the workers whose leftovers were deleted.
    func sayCleared() throws {
        guard connection.isConnected, let cluster else { return }
        for note in notes.take(for: cluster, at: now) { try send(.cleared(worker: note.worker, secret: note.secret)) }
    }
}
