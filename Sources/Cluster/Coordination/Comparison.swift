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
    }

    struct Cases: Sendable {
        /// Names the data that all cases are made of.
        var basis: String
        /// Positions of cases.
        var todo: [Int]
        var found: FoundCases
        /// By case: whether the client has it.
        private let isKept: [Bool]

        /// - Parameter kept: digests of cases that the client has.
        init(_ loaded: LoadedComparison, kept: [String]) {
            let kept = Set(kept)
            basis = loaded.basis
            isKept = loaded.cases.map { kept.contains($0.digest) }
            todo = loaded.cases.indices.filter { !kept.contains(loaded.cases[$0].digest) }
            found = FoundCases(plan: loaded.cases)
        }

        var count: Int { isKept.count }
        var done: Int { isKept.indices.count { isKept[$0] || found.reports[$0] != nil } }
    }

    let options: ComparisonOptions
    var phase = Phase.waiting

    init(_ options: ComparisonOptions) {
        self.options = options
    }

    var hasBegun: Bool {
        if case .waiting = phase { false } else { true }
    }
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

    init(plan: [PlannedCase]) {
        self.plan = plan
        reports = [ComparisonReport?](repeating: nil, count: plan.count)
    }

    /// In the order of the plan.
    package var report: ComparisonReport { ComparisonReport(merging: reports.compactMap { $0 }) }

    /// The plan and the first report that the client lacks: one at a time, so that a reply stays below what a worker may send.
    func portion(without known: Set<String>) -> ComparedCases {
        let next = plan.indices.lazy.compactMap { position in
            known.contains(plan[position].digest)
                ? nil : reports[position].map { FoundCase(digest: plan[position].digest, report: $0) }
        }.first
        return ComparedCases(plan: plan, found: next.map { [$0] } ?? [])
    }
}

extension Operation {
    /// nil: no comparison, or one whose cases are not known yet.
    var foundCases: FoundCases? {
        if case .comparison(let found) = result { return found }
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
