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
        var since: CoordinatorInstant
        var until: CoordinatorInstant

        init(_ name: String, of holder: String, task: TaskID, at now: CoordinatorInstant) {
            (self.name, self.holder, self.task, since) = (name, holder, task, now)
            until = now.advanced(bySeconds: CoordinatorLimits.handSeconds)
        }

        /// Bytes of it are coming.
        mutating func goesOn(at now: CoordinatorInstant) {
            let last = since.advanced(bySeconds: CoordinatorLimits.longestHandSeconds)
            until = max(until, min(last, now.advanced(bySeconds: CoordinatorLimits.handSeconds)))
        }
    }

    struct Delivery: Sendable {
        var task: TaskID
        var name: String
        /// Who handed it on.
        var holder: String
        var until: CoordinatorInstant
    }

    /// Somebody does not have a stage after all.
    struct Refusal: Hashable, Sendable {
        var name: String
        var holder: String
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
    /// What others were asked for before, who said nothing in time: it may come yet.
    var late: [Asking] = []
    /// How long these alone are waited for.
    var waitsUntil: CoordinatorInstant?
    /// What is on its way to whoever wants it: in memory until it is there, or long enough.
    var delivering: Delivery?
    /// It knows that no more comes, but for what is on its way.
    var isTold = false
    var refused: Set<Refusal> = []

    /// What somebody was asked for under the task.
    func asked(_ task: TaskID) -> Asking? { ([asking].compactMap { $0 } + late).first { $0.task == task } }

    /// The task has been answered: its worker is asked like any other again.
    mutating func settle(_ task: TaskID) {
        if asking?.task == task { asking = nil }
        late.removeAll { $0.task == task }
    }

    /// The one that is asked for has not come in time.
    mutating func passOver() {
        late += [asking].compactMap { $0 }
        asking = nil
    }

    func isRefused(_ name: String, by holder: String) -> Bool {
        refused.contains(Refusal(name: name, holder: holder))
    }

    func isLate(_ holder: String) -> Bool { late.contains { $0.holder == holder } }

    /// What was on its way is not what it should be, or was not taken: somebody else may have it.
    ///
    /// - `now`: the time that it is looked for begins anew; nil: it goes on.
    mutating func lookElsewhere(at now: CoordinatorInstant?) {
        guard let delivery = delivering else { return }
        names.insert(delivery.name, at: 0)
        refused.insert(Refusal(name: delivery.name, holder: delivery.holder))
        delivering = nil
        if let now { since = now }
    }

    /// It was had, or is not to be had.
    ///
    /// - `now`: the time that the others are looked for begins anew; nil: it goes on.
    mutating func pass(_ name: String, at now: CoordinatorInstant? = nil) {
        names.removeAll { $0 == name }
        asking = nil
        if let now { since = now }
    }

    /// The first comes after the others.
    mutating func postpone() {
        if !names.isEmpty { names.append(names.removeFirst()) }
    }
}

/// Who may have a stage that answers for a shard.
struct StageSource: Equatable, Sendable {
    var worker: String
    /// Its training of the shard; nil: it has the data, and trains something else.
    var training: TaskID?
}

/// Stages on their way from worker to worker, in the order in which they were wanted. The coordinator keeps none.
struct StageExchanges: Sendable {
    private(set) var wants: [StageWant] = []
    /// Whose hand-over has ended for which manifest, by shard: nobody waits for it any more.
    private var ended: [Int: (worker: String, manifest: String)] = [:]
    /// Who was given the data of which manifest to keep, by shard, and so says which stages it lacks.
    private var given: [Int: (worker: String, manifest: String)] = [:]

    /// Who was last asked, by shard, for a stage that answers for it, or would say of itself that it has one.
    private var asked: [Int: StageSource] = [:]
    /// Trainings that were said again for it, and of which no answer has come since.
    private var repeated: Set<TaskID> = []

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

    /// The one for which a stage is on its way under this task.
    func want(delivering task: TaskID) -> StageWant? { wants.first { $0.delivering?.task == task } }

    /// The worker has the data, and says which stages it lacks, if any.
    mutating func noteGiven(_ shard: Int, to worker: String, manifest: String) { given[shard] = (worker, manifest) }

    /// What it said that it lacks was not heard: it is to say so again.
    mutating func forgetGiven(_ shard: Int) { given[shard] = nil }

    func wasGiven(_ shard: Int, to worker: String, manifest: String) -> Bool {
        given[shard].map { $0 == (worker, manifest) } ?? false
    }

    /// A worker came with a copy of the shard: it may have what nobody had, or may have lost what it had.
    mutating func reopen(_ shard: Int) { (ended[shard], given[shard], asked[shard]) = (nil, nil, nil) }

    mutating func noteAsked(_ source: StageSource, for shard: Int) { asked[shard] = source }

    /// What was said came to something, or is of no use any more.
    mutating func forgetAsked(for shard: Int) { asked[shard] = nil }

    /// - `tasks`: those under way: of others no answer comes.
    mutating func noteRepeated(_ task: TaskID, among tasks: TaskList) {
        repeated = repeated.filter { tasks.contains($0) }
        repeated.insert(task)
    }

    /// An answer to the task has come.
    ///
    /// - Returns: whether it was said again, which may have crossed the answer.
    mutating func takeRepeated(_ task: TaskID) -> Bool { !repeated.isEmpty && repeated.remove(task) != nil }

    func wasAsked(_ source: StageSource, for shard: Int) -> Bool { asked[shard] == source }

    /// The one for which a worker was asked under this task.
    func want(asking task: TaskID) -> StageWant? { wants.first { $0.asked(task) != nil } }

    /// The one for which the worker is asked.
    func want(askedOf holder: String) -> StageWant? { wants.first { $0.asking?.holder == holder } }

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
