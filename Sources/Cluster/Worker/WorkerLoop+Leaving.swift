import Messages
import ZeroMQ

/// The end of a worker's files: its own when it leaves, and those that others left.
extension WorkerLoop {
    /// Seconds in which a worker that only wants to say that it deleted its shards looks for the coordinator.
    static let longestSearch = 30.0
    private static let longestDeletion = Duration.seconds(10)

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
        for note in notes.take(for: cluster, at: now) { try send(.cleared(worker: note.worker)) }
    }
}
