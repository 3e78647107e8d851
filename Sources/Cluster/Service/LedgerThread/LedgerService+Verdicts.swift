import Coordination
import Ledger
import Messages

/// What an operation found of the audit log, on its way.
final class VerdictReading {
    /// Called with what was found.
    typealias Waiter = (LedgerService, Result<AuditVerdict, ClientError>) -> Void

    fileprivate(set) var reading = AuditReading()
    fileprivate(set) var waiters: [Waiter] = []
}

/// The audit log of years, and every certificate, take seconds to read: that is done a portion at a time, and whatever waits for
/// the ledger goes in between.
extension LedgerService {
    /// The log is read from its first entry, once for each operation, however often its client asks.
    func withVerdict(of operation: String, _ waiter: @escaping VerdictReading.Waiter) {
        if let known = verdicts[operation] { return waiter(self, .success(known)) }
        if let known = readings[operation] {
            known.waiters.append(waiter)
            return
        }
        let begun = VerdictReading()
        begun.waiters = [waiter]
        readings[operation] = begun
        goOnReading(for: operation)
    }

    private func goOnReading(for operation: String) {
        guard let known = readings[operation] else { return }
        do {
            var found = try ledger.goOn(with: &known.reading)
            while found == nil {
                if let later { return later(.call { $0.goOnReading(for: operation) }) }
                found = try ledger.goOn(with: &known.reading)
            }
            guard let verdict = found else { return }
            if verdicts.count >= CoordinatorLimits.endedOperations { verdicts = [:] }
            verdicts[operation] = verdict
            end(known, of: operation, .success(verdict))
        } catch {
            end(known, of: operation, .failure(ClientError(of: error)))
        }
    }

    private func end(_ known: VerdictReading, of operation: String, _ result: Result<AuditVerdict, ClientError>) {
        readings[operation] = nil
        for waiter in known.waiters { waiter(self, result) }
    }
}
