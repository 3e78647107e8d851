import Messages

/// A worker that wants stages of a shard's training which another worker may have.
struct StageWant: Sendable {
    enum Purpose: Hashable, Sendable {
        /// To keep them: its own training begins at one, or the shard is its own now.
        case keeping
        /// To replay one slice, under this task.
        case replaying(TaskID)
    }

    /// What another worker was asked for.
    struct Asking: Sendable {
        var task: TaskID
        var holder: String
        var name: String
        var until: CoordinatorInstant
    }

    struct Delivery: Sendable {
        var name: String
        var until: CoordinatorInstant
    }

    var purpose: Purpose
    /// That wants them.
    var worker: String
    var shard: Int
    /// Whose data they are to be of.
    var manifest: String
    /// Those that are still to be looked for, the most wanted first.
    var names: [String]
    /// When something last came of it.
    var since: CoordinatorInstant
    var asking: Asking?
    /// What is on its way to whoever wants it: in memory until it is there, or long enough.
    var delivering: Delivery?
    /// Workers that did not have the first of them after all, and those that said nothing.
    var refused: Set<String> = []
    var silent: Set<String> = []

    /// The one that is asked for did not come.
    mutating func fail(isSilent: Bool = false) {
        if let asking { refused.insert(asking.holder) }
        if isSilent, let asking { silent.insert(asking.holder) }
        asking = nil
    }

    /// No more is to be had of the first, or it was had.
    mutating func pass(at now: CoordinatorInstant? = nil) {
        if !names.isEmpty { names.removeFirst() }
        (asking, refused) = (nil, [])
        if let now { since = now }
    }
}

/// Stages on their way from worker to worker, in the order in which they were wanted. The coordinator keeps none.
struct StageExchanges: Sendable {
    private(set) var wants: [StageWant] = []
    /// Whose hand-over has ended for which manifest, by shard: nobody waits for it any more.
    private var ended: [Int: (worker: String, manifest: String)] = [:]

    var isEmpty: Bool { wants.isEmpty }
    var underWay: Int { wants.count { $0.asking != nil || $0.delivering != nil } }

    /// In the place of what it wanted before.
    mutating func add(_ want: StageWant) {
        remove(want)
        if want.purpose == .keeping { ended[want.shard] = nil }
        wants.append(want)
    }

    mutating func set(_ want: StageWant) {
        if let position = position(of: want) { wants[position] = want }
    }

    mutating func remove(_ want: StageWant) {
        if let position = position(of: want) { wants.remove(at: position) }
    }

    mutating func end(_ want: StageWant) {
        remove(want)
        if want.purpose == .keeping { ended[want.shard] = (want.worker, want.manifest) }
    }

    /// The one for which a worker was asked under this task.
    func want(asking task: TaskID) -> StageWant? { wants.first { $0.asking?.task == task } }

    /// To be kept.
    func isWanted(_ shard: Int, by worker: String) -> Bool {
        wants.contains { $0.purpose == .keeping && $0.shard == shard && $0.worker == worker }
    }

    func isBusy(_ worker: String) -> Bool { wants.contains { $0.asking?.holder == worker } }

    /// Whether the worker has of the shard's stages what it could get.
    func hasEnded(_ shard: Int, for worker: String, manifest: String) -> Bool {
        ended[shard].map { $0 == (worker, manifest) } ?? false
    }

    private func position(of want: StageWant) -> Int? {
        wants.firstIndex { $0.purpose == want.purpose && $0.worker == want.worker && $0.shard == want.shard }
    }
}
