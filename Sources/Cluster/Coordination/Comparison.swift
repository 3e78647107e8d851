import Messages

/// A comparison of unlearning methods on its way: cases are given to workers as these are free, and reports come back.
///
/// Reports hold numbers only; the coordinator writes nothing of a comparison to a disk. What is to outlive it its client keeps
/// (`lethe evaluate --resume`): a report is what somebody asked for and reads, it answers no query, and a ledger that kept it
/// would have to take it into every backup, purge and certificate. The client says which cases it has, by digest.
struct Comparison: Sendable {
    enum Phase: Sendable {
        /// Until everything is up to date.
        case waiting
        /// The ledger was asked what the comparison consists of.
        case loading
        case comparing(Cases)
        /// Ended before all cases were: what was found by then is told whoever asks for it.
        case stopped(FoundCases)
    }

    struct Cases: Sendable {
        /// Names the data that all cases are made of.
        var basis: String
        /// Positions of cases, in the order in which they are given out.
        var todo: [Int]
        var found: FoundCases
        /// By case: whether the client has it.
        private let isKept: [Bool]
        /// By case.
        private var attempts: [CaseAttempts]

        /// - Parameter kept: digests of cases that the client has.
        init(_ loaded: LoadedComparison, kept: [String]) {
            let kept = Set(kept)
            basis = loaded.basis
            isKept = loaded.cases.map { kept.contains($0.digest) }
            todo = loaded.cases.indices.filter { !kept.contains(loaded.cases[$0].digest) }
            found = FoundCases(plan: loaded.cases)
            attempts = [CaseAttempts](repeating: CaseAttempts(), count: loaded.cases.count)
        }

        var count: Int { isKept.count }
        var done: Int { isKept.indices.count { isKept[$0] || found.reports[$0] != nil } }
        var failed: Int { found.failures.count { $0 != nil } }
        var areOver: Bool { done + failed == count }

        /// On whom the case was tried in vain last.
        func lastWorker(of position: Int) -> String? {
            attempts.indices.contains(position) ? attempts[position].worker : nil
        }

        /// Notes a trial in vain: the case waits behind all others, or is given up.
        mutating func missed(_ position: Int, _ miss: CaseAttempts.Miss, on worker: String, _ error: ClientError) {
            guard attempts.indices.contains(position), found.reports[position] == nil else { return }
            todo.removeAll { $0 == position }
            attempts[position].note(miss, on: worker)
            if attempts[position].areOver {
                found.failures[position] = error
            } else {
                todo.append(position)
            }
        }

        /// Who was given up with the case went on with it all the same.
        mutating func heardAgain(_ position: Int) {
            if attempts.indices.contains(position) { attempts[position].takeBackLoss() }
        }
    }

    let options: ComparisonOptions
    var phase = Phase.waiting
    /// When a client last asked where it stands.
    var lastAsked: CoordinatorInstant
    /// Until when an alarm is set that looks whether anybody asks.
    var watchedUntil: CoordinatorInstant?

    init(_ options: ComparisonOptions, at now: CoordinatorInstant) {
        self.options = options
        lastAsked = now
    }

    /// The same from the beginning.
    var renewed: Comparison {
        var copy = self
        copy.phase = .waiting
        return copy
    }

    var hasBegun: Bool {
        if case .waiting = phase { false } else { true }
    }

    /// When it ends by itself unless somebody asks before.
    var unattendedEnd: CoordinatorInstant { lastAsked.advanced(bySeconds: CoordinatorLimits.unattendedSeconds) }
}

/// Trials of a case that came to nothing. A lost worker says little of the case that it had, since machines go for reasons of
/// their own: more losses are borne than failures. But a case that takes its workers down does so for ever.
struct CaseAttempts: Hashable, Sendable {
    enum Miss: Sendable { case failure, loss }

    private var failures = 0
    private var losses = 0
    private(set) var worker: String?

    var areOver: Bool { failures >= CoordinatorLimits.attempts || losses >= CoordinatorLimits.caseLosses }

    mutating func note(_ miss: Miss, on worker: String) {
        self.worker = worker
        switch miss {
        case .failure: failures += 1
        case .loss: losses += 1
        }
    }

    mutating func takeBackLoss() { losses = max(0, losses - 1) }
}

/// What a comparison consists of on the data of one moment.
package struct LoadedComparison: Hashable, Sendable {
    /// In the order in which they are given out.
    package var cases: [PlannedCase]
    /// Names the data: cases made later must be made of the same.
    package var basis: String

    package init(cases: [PlannedCase], basis: String) {
        self.cases = cases
        self.basis = basis
    }
}

/// The cases of a comparison with what workers found, while it runs and after.
package struct FoundCases: Hashable, Sendable {
    package let plan: [PlannedCase]
    /// By case; nil: to come, or kept by the client.
    package var reports: [ComparisonReport?]
    /// By case: why it was given up; nil: it was not.
    package var failures: [ClientError?]

    init(plan: [PlannedCase]) {
        self.plan = plan
        reports = [ComparisonReport?](repeating: nil, count: plan.count)
        failures = [ClientError?](repeating: nil, count: plan.count)
    }

    /// In the order of the plan.
    package var failed: [FailedCase] {
        plan.indices.compactMap { position in
            failures[position].map { FailedCase(planned: plan[position], code: $0.code.rawValue, reason: $0.message) }
        }
    }

    /// In the order of the plan, with the reasons of the cases that were given up.
    package var report: ComparisonReport {
        var report = ComparisonReport(merging: reports.compactMap { $0 })
        report.take(failed)
        return report
    }

    /// The plan and the first report that the client lacks: one at a time, so that a reply stays below what a worker may send.
    func portion(without known: Set<String>) -> ComparedCases {
        let next = plan.indices.lazy.compactMap { position in
            known.contains(plan[position].digest)
                ? nil : reports[position].map { FoundCase(digest: plan[position].digest, report: $0) }
        }.first
        return ComparedCases(plan: plan, found: next.map { [$0] } ?? [], failed: failed.isEmpty ? nil : failed)
    }
}

extension Operation {
    /// nil: no comparison, or one whose cases are not known yet.
    var foundCases: FoundCases? {
        if case .comparison(let found) = result { return found }
        if case .compare(let comparison) = course, case .stopped(let found) = comparison.phase { return found }
        return cases?.found
    }
}

extension OperationPart {
    /// Position of the case, for a part of a comparison.
    var comparisonCase: Int? {
        if case .compare(let position) = item { position } else { nil }
    }
}

extension CoordinatorTask {
    var isComparison: Bool {
        if case .part(let part) = kind { part.comparisonCase != nil } else { false }
    }

    /// How much of it is done, as far as its worker said.
    var share: Double {
        guard let progress, progress.steps > 0 else { return 0 }
        return min(1, max(0, Double(progress.step) / Double(progress.steps)))
    }
}
