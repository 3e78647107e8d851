import Messages

/// A verification on its way.
struct Verification: Sendable {
    enum Phase: Sendable {
        /// Until everything is up to date.
        case waiting
        /// The ledger was asked for the request's shards.
        case loading
        case replaying(Replays)
    }

    /// What is trained again, and what is not.
    struct Replays: Sendable {
        struct Item: Sendable {
            var shard: Int
            var manifest: String
            var published: String
            /// The worker that trained it; nil: not on record.
            var trainer: String?
            /// nil: to come.
            var result: VerificationReport.Shard?
        }

        var items: [Item]
        /// Asked for, and not to be replayed.
        var approximate: [VerificationReport.Approximate]
        var empty: [Int]
        var notCurrent: [Int]
        /// Positions of items.
        var todo: [Int]

        var done: Int { items.count { $0.result != nil } }
    }

    /// A forget request; nil: every shard.
    let request: String?
    var phase = Phase.waiting

    init(request: String?) {
        self.request = request
    }

    var hasBegun: Bool {
        if case .waiting = phase { false } else { true }
    }
}
