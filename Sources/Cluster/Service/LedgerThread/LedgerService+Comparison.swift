import Coordination
import Messages
import Recommendation
import Unlearning

extension LedgerService {
    /// Which cases there are, and whether a worker can be sent the first: the others are about as large.
    ///
    /// - Throws: `ClientError` (`no-data`, `too-large`, `invalid-request`).
    func loadComparison(_ options: ComparisonOptions) throws -> LoadedComparison {
        let plan = try comparisonPlan(options)
        let source = try comparisonSource()
        for entry in plan.entries.prefix(2) {
            let made = try comparisonCase(entry, of: plan, from: source)
            do {
                _ = try CoordinatorMessage.compare(task: 0, made).frames()
            } catch WireError.tooLarge {
                throw ClientError(
                    code: .tooLarge,
                    message: "\(made.promptCount) prompts are more than can be sent to a worker at once; "
                        + "keep fewer with --limit N")
            }
        }
        return LoadedComparison(cases: try plan.cases(of: source), basis: try ledger.comparisonBasis())
    }

    /// - Throws: `ClientError` with code `stale` when the data is not that of `basis` any more.
    func comparisonCase(_ options: ComparisonOptions, position: Int, basis: String) throws -> ComparisonCase {
        let plan = try comparisonPlan(options)
        guard try ledger.comparisonBasis() == basis, plan.entries.indices.contains(position) else {
            throw ClientError(code: .stale, message: "the data changed during the comparison")
        }
        return try comparisonCase(plan.entries[position], of: plan, from: comparisonSource())
    }

    private func comparisonPlan(_ options: ComparisonOptions) throws -> ComparisonPlan {
        let configuration = ledger.configuration
        do {
            return try ComparisonPlan(
                options: options,
                settings: ComparisonSettings(
                    specification: configuration.training, shards: configuration.shards,
                    partition: configuration.partition, embedding: configuration.embedding,
                    e2urec: configuration.corrections.e2urec, ifru: configuration.corrections.ifru))
        } catch let error as UnlearningError {
            throw ClientError.invalidComparison(error)
        }
    }

    private func comparisonSource() throws -> ComparisonSource {
        guard let source = try ledger.comparisonSource() else {
            throw ClientError(code: .noData, message: "nothing was imported yet")
        }
        return source
    }

    private func comparisonCase(
        _ entry: ComparisonPlan.Entry, of plan: ComparisonPlan, from source: ComparisonSource
    ) throws -> ComparisonCase {
        do {
            return try plan.makeCase(entry, from: source)
        } catch UnlearningError.noSamples {
            throw ClientError(
                code: .noData,
                message: "there are not enough prompts to compare methods: a comparison needs training and test "
                    + "prompts, and more to retain than to forget")
        }
    }
}
