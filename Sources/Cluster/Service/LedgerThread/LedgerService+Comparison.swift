import Coordination
import Ledger
import Messages
import Recommendation
import Unlearning

extension LedgerService {
    /// Called with what was read.
    typealias ComparisonWaiter = (LedgerService, Result<ComparisonParts, ClientError>) -> Void

    /// Everybody is read a portion at a time; workers that are to have cases meanwhile wait for the same.
    func withComparison(_ waiter: @escaping ComparisonWaiter) {
        comparisonWaiters.append(waiter)
        guard comparisonWaiters.count == 1 else { return }
        let reading = ComparisonReading()
        goOnReading {
            try $0.ledger.goOn(with: reading)
        } then: { service, parts in
            let waiters = service.comparisonWaiters
            service.comparisonWaiters = []
            for waiter in waiters { waiter(service, parts) }
        }
    }
}

/// Cases of a comparison, made where nobody waits for them.
struct ComparisonBuilding: Sendable {
    let configuration: ClusterConfiguration
    let options: ComparisonOptions

    /// Which cases there are, and whether a worker can be sent the first: the others are about as large.
    ///
    /// - Throws: `ClientError` (`no-data`, `too-large`, `invalid-request`).
    func loaded(_ parts: ComparisonParts) throws -> LoadedComparison {
        let plan = try plan
        let source = try source(parts)
        for entry in plan.entries.prefix(2) {
            let made = try makeCase(entry, of: plan, from: source)
            do {
                _ = try CoordinatorMessage.compare(task: 0, made).frames()
            } catch WireError.tooLarge {
                throw ClientError(
                    code: .tooLarge,
                    message: "\(made.promptCount) prompts are more than can be sent to a worker at once; "
                        + "keep fewer with --limit N")
            }
        }
        return LoadedComparison(cases: try plan.cases(of: source), basis: parts.basis)
    }

    /// - Throws: `ClientError` with code `stale` when the data is not that of `basis` any more.
    func makeCase(at position: Int, basis: String, _ parts: ComparisonParts) throws -> ComparisonCase {
        let plan = try plan
        guard parts.basis == basis, plan.entries.indices.contains(position) else { throw ClientError.dataIsStale }
        return try makeCase(plan.entries[position], of: plan, from: source(parts))
    }

    private var plan: ComparisonPlan {
        get throws {
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
    }

    private func source(_ parts: ComparisonParts) throws -> ComparisonSource {
        guard let source = try parts.source() else {
            throw ClientError(code: .noData, message: "nothing was imported yet")
        }
        return source
    }

    private func makeCase(
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

extension ClientError {
    static let dataIsStale = ClientError(code: .stale, message: "the data changed meanwhile")
}
