import Messages

/// A verification on its way. Each shard is pinned to what it has when the verification begins; one that changes before it was
/// replayed is pinned anew, alone.
struct Verification: Sendable {
    enum Phase: Sendable {
        /// Until a shard that is asked for has an adapter: of a request, those that it waits for.
        case waiting
        /// The ledger was asked for the request's shards, or for what is on record of stages.
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
            /// The one slice that is trained; nil: all are.
            var stage: Stage?

            init(
                shard: Int, manifest: String, published: String, trainer: String?, stage: Stage? = nil
            ) {
                (self.shard, self.manifest, self.published) = (shard, manifest, published)
                (self.trainer, self.stage) = (trainer, stage)
            }

            /// Whether nothing more is done for it, as things are.
            var hasEnded: Bool { isReplayed || changed != nil }
            var isReplayed: Bool { result != nil || stage?.hasEnded == true }
        }

        /// A slice that is trained again.
        struct Stage: Sendable {
            /// What it is trained from, as recorded; nil: the initial adapter.
            var before: StageReport?
            /// No slice with prompts comes after it: what comes out is the adapter.
            var isLast: Bool
            var result: VerificationReport.Stage
            /// Who handed on what it is trained from, and whose was not what is on record, or of no use.
            var giver: String?
            var unfit: [String] = []

            init(before: StageReport?, isLast: Bool, result: VerificationReport.Stage) {
                (self.before, self.isLast, self.result) = (before, isLast, result)
            }

            var hasEnded: Bool { result.replayed != nil || result.missing != nil }

            mutating func end(missing reason: String) { result.missing = reason }

            mutating func end(_ report: TrainingReport, by worker: String) {
                let made = report.slices?.stages?.first { $0.slice == result.slice }
                result.replayed = made?.digest ?? ""
                result.match =
                    made?.digest == result.recorded && made?.name == result.name
                    && (!isLast || report.adapter == result.published)
                (result.worker, result.seconds, result.tokens) = (worker, report.seconds, report.slices?.tokens)
            }
        }

        var items: [Item]
        /// Asked for, and not to be replayed.
        var approximate: [VerificationReport.Approximate]
        var empty: [Int]
        var notCurrent: [Int]
        /// Of which slices cannot be drawn.
        var unrecorded: [VerificationReport.Unrecorded] = []
        /// Positions of items.
        var todo: [Int]

        var done: Int { items.count(where: \.hasEnded) }
    }

    /// A forget request; nil: every shard.
    let request: String?
    /// Single slices; nil: whole trainings.
    let stages: ClientRequest.StageChoice?
    var phase = Phase.waiting

    init(_ wanted: ClientRequest.VerifyRequest) {
        request = wanted.request
        stages = wanted.stages
    }
}
