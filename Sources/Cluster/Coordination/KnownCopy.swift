import Messages

/// What the coordinator knows of a worker's copy of a shard.
struct KnownCopy: Sendable {
    enum Content: Sendable {
        /// The worker said that it is exactly this manifest. `prepared`: content name of the adapter whose preparation is
        /// there.
        case exactly(String, prepared: String?)
        /// While data is on its way, or the worker is away, it may be any of these.
        case among([String])

        /// Data of another manifest is on its way.
        func expecting(_ manifest: String) -> Content {
            switch self {
            case .exactly(manifest, _): self
            case .exactly(let other, _): .among([other, manifest])
            case .among(let manifests): .among(manifests.contains(manifest) ? manifests : manifests + [manifest])
            }
        }
    }

    /// Why it is still there.
    struct HeldBack: Hashable, Sendable {
        /// The shard's data.
        var manifest: String
        /// When it began for any data of the shard.
        var since: CoordinatorInstant
        /// When whoever owns the shard was last known to be busy with another training.
        var busy: CoordinatorInstant?
        /// When its worker was told of this data.
        var told: CoordinatorInstant
        /// What it might be when its worker was told to drop what is not of that; nil: it was that.
        var before: [String]?
        /// Under which task it was told so; nil: it has answered since.
        var asked: TaskID?
        /// It answered that it could not.
        var isRefused = false

        /// When whoever owns the shard has had its time, and when anybody has.
        var idleEnd: CoordinatorInstant { (busy ?? since).advanced(bySeconds: CoordinatorLimits.handOverSeconds) }
        var lastEnd: CoordinatorInstant { since.advanced(bySeconds: CoordinatorLimits.heldBackSeconds) }
        /// When its worker has to have answered.
        var answerEnd: CoordinatorInstant { told.advanced(bySeconds: CoordinatorLimits.handSeconds) }
        var ends: [CoordinatorInstant] { [answerEnd, idleEnd, lastEnd] }

        /// The worker has come again: what it was told and said before does not count, and of the time only that in which it was
        /// here.
        func again(at now: CoordinatorInstant, after away: Double) -> HeldBack {
            HeldBack(
                manifest: manifest, since: since.advanced(bySeconds: away), busy: busy?.advanced(bySeconds: away),
                told: now)
        }

        /// The worker is heard again where it was: what either side said counts, but for the time in which it could not.
        func heardAgain(after away: Double) -> HeldBack {
            var held = self
            held.since = since.advanced(bySeconds: away)
            held.busy = busy?.advanced(bySeconds: away)
            held.told = told.advanced(bySeconds: away)
            return held
        }
    }

    var shard: Int
    var content: Content
    /// Names of stages that lie beside it, as the worker last said.
    var stages: [String] = []
    /// Content name of the adapter in which the training ended of which they are, or that lies beside them, as the worker last said;
    /// nil: it said so before a training that has ended since, or does not say it.
    var trained: String?
    /// Whether a checkpoint of a training lies there, as the worker last said.
    var hasCheckpoint = false
    /// Its stages are wanted by whoever owns the shard now.
    var heldBack: HeldBack?
    /// What its worker was told to bring it to, as far as that needs no prompts: a part of this may be left.
    var brought: String?
    /// When the worker was last told to delete it.
    var releaseSent: CoordinatorInstant?
    /// When it was first told to, and how often since.
    var releaseBegan: CoordinatorInstant?
    var releases = 0

    /// The possible contents.
    var manifests: [String] {
        switch content {
        case .exactly(let manifest, _): [manifest]
        case .among(let manifests): manifests
        }
    }

    var isConfirmed: Bool {
        if case .exactly = content { true } else { false }
    }

    var prepared: String? {
        get {
            if case .exactly(_, let prepared) = content { prepared } else { nil }
        }
        set {
            if case .exactly(let manifest, _) = content { content = .exactly(manifest, prepared: newValue) }
        }
    }

    func isExactly(_ manifest: String) -> Bool {
        if case .exactly(manifest, _) = content { true } else { false }
    }
}
