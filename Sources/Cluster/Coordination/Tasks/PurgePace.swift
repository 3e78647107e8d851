/// When the ledger may be purged next. A purge serves all requests before it, so that fewer of them cost nobody anything but
/// the wait for a certificate; each holds up whatever else the ledger is asked.
struct PurgePace {
    private(set) var notBefore: CoordinatorInstant
    private var began: CoordinatorInstant

    init(at now: CoordinatorInstant) {
        notBefore = now
        began = now
    }

    mutating func began(at now: CoordinatorInstant) {
        began = now
        notBefore = now.advanced(bySeconds: CoordinatorLimits.purgeSeconds.lowerBound)
    }

    mutating func ended(at now: CoordinatorInstant) {
        let pause = CoordinatorLimits.purgePauses * max(0, now.seconds(since: began))
        notBefore = max(
            notBefore, now.advanced(bySeconds: min(pause, CoordinatorLimits.purgeSeconds.upperBound)))
    }
}
