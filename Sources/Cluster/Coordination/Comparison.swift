import Messages

/// A comparison of unlearning methods on its way: cases are given to workers as these are free, and reports come back.
/// Reports hold numbers only; nothing of a comparison is written to a disk.
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
        /// By case; nil: to come.
        var reports: [ComparisonReport?]

        init(_ loaded: LoadedComparison) {
            basis = loaded.basis
            todo = Array(0..<loaded.cases)
            reports = [ComparisonReport?](repeating: nil, count: loaded.cases)
        }

        var done: Int { reports.count { $0 != nil } }
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
    package var cases: Int
    /// Names the data: cases made later must be made of the same.
    package var basis: String

    package init(cases: Int, basis: String) {
        self.cases = cases
        self.basis = basis
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
