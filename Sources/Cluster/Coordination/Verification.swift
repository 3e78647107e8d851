import Messages

/// A verification on its way. Each shard is pinned to what it has when the verification begins; one that changes before it was
/// replayed is pinned anew, alone.
struct Verification: Sendable {
    enum Phase: Sendable {
        /// Until a shard that is asked for has an adapter: of a request, those that it waits for.
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
            /// How often it was pinned.
            var pins = 1
            /// The shard is not what it was pinned to; nil: it is.
            var changed: VerificationReport.Changed?

            /// Whether nothing more is done for it, as things are.
            var hasEnded: Bool { result != nil || changed != nil }
        }

        var items: [Item]
        /// Asked for, and not to be replayed.
        var approximate: [VerificationReport.Approximate]
        var empty: [Int]
        var notCurrent: [Int]
        /// Positions of items.
        var todo: [Int]

        var done: Int { items.count(where: \.hasEnded) }
    }

    /// A forget request; nil: every shard.
    let request: String?
    var phase = Phase.waiting

    init(request: String?) {
        self.request = request
    }
}
