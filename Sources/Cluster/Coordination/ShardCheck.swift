import Messages

/// A shard that was retrained for a forget request, and what other workers' trainings of the same data gave.
struct ShardCheck: Sendable {
    /// What one worker's training gave.
    struct Vote: Sendable {
        var report: TrainingReport
        /// Empty: the ledger has the bytes.
        var bytes: [UInt8]
        var worker: String
    }

    enum State: Sendable {
        /// A second training is wanted, or was made before the first was published.
        case open
        /// These workers' trainings gave the published bytes.
        case agreed(adapter: String, workers: [String])
        /// Trainings gave different bytes. Nothing of the shard answers until two workers agree.
        case disputed
        case failed
    }

    var shard: Int
    var manifest: String
    var state = State.open
    /// The last training of each worker, oldest first.
    var votes: [Vote] = []

    /// Whether another worker is to train it.
    var isWanted: Bool {
        switch state {
        case .open, .disputed: true
        case .agreed, .failed: false
        }
    }

    var isDisputed: Bool {
        if case .disputed = state { true } else { false }
    }

    mutating func add(_ vote: Vote) {
        votes.removeAll { $0.worker == vote.worker }
        votes = (votes + [vote]).suffix(CoordinatorLimits.votes)
    }

    /// Two workers' trainings with the same bytes, the last one first whose bytes are here: the adapter of a disputed
    /// training was taken away, and its bytes with it. nil: no two agree.
    var agreement: (first: Vote, second: Vote)? {
        for (position, vote) in votes.enumerated().reversed() {
            let others = votes[..<position].filter { $0.report.adapter == vote.report.adapter }
            if let other = others.last, !vote.bytes.isEmpty { return (vote, other) }
            if let other = others.last(where: { !$0.bytes.isEmpty }) { return (other, vote) }
        }
        return nil
    }
}
