/// How soon the ledger is told again of a worker's copies: each time leaves an entry in the audit log for ever.
///
/// A few that follow one another are told at once, and so is the first after a quiet time, however much it says. After that a
/// worker that says something else again and again is written down when there is time, with everything that is known then.
struct SettlementPace: Sendable {
    private struct Account: Sendable {
        /// Until then nothing was written of the worker, if it had been written evenly.
        var paidUntil: CoordinatorInstant
        /// Manifests that changed and are not written yet; nil: none are.
        var owed: Int?
        var isAlarmSet = false
    }

    private var accounts: [String: Account] = [:]

    /// Whether more of the worker's copies has changed than was written yet.
    func owes(_ worker: String) -> Bool { accounts[worker]?.owed != nil }

    mutating func owe(_ worker: String, manifests: Int, at now: CoordinatorInstant) {
        if accounts[worker] == nil, accounts.count >= CoordinatorLimits.workers {
            accounts = accounts.filter { $0.value.owed != nil || $0.value.paidUntil > now }
        }
        let owed = min((accounts[worker]?.owed ?? 0) + manifests, 2 * CoordinatorLimits.copies)
        accounts[worker, default: Account(paidUntil: now)].owed = owed
    }

    /// - Returns: when what is owed may be written; nil: now.
    func wait(_ worker: String, at now: CoordinatorInstant) -> CoordinatorInstant? {
        guard let account = accounts[worker] else { return nil }
        let time = account.paidUntil.advanced(bySeconds: -CoordinatorLimits.settlementsAtOnceSeconds)
        return time > now ? time : nil
    }

    /// - Returns: whether somebody must look again at that time who would not otherwise.
    mutating func setsAlarm(for worker: String) -> Bool {
        guard accounts[worker]?.isAlarmSet == false else { return false }
        accounts[worker]?.isAlarmSet = true
        return true
    }

    mutating func rang(for worker: String) { accounts[worker]?.isAlarmSet = false }

    /// What is owed is being written.
    mutating func wrote(_ worker: String, at now: CoordinatorInstant) {
        guard var account = accounts[worker] else { return }
        let manifests = Double(account.owed ?? 0)
        let seconds = max(CoordinatorLimits.settlementSeconds, manifests / CoordinatorLimits.settledManifestsPerSecond)
        account.paidUntil = max(account.paidUntil, now).advanced(bySeconds: seconds)
        account.owed = nil
        accounts[worker] = account
    }

    /// Nobody needs it any more.
    mutating func drop(_ worker: String) { accounts[worker]?.owed = nil }
}
