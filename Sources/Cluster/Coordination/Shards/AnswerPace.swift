/// How soon a stage answers for a shard once others have been taken back: each that is leaves two entries in the audit log for
/// ever. A few that follow one another do at once.
struct AnswerPace: Sendable {
    /// Until then none would have been taken back, if they had been evenly; by shard.
    private var paidUntil: [Int: CoordinatorInstant] = [:]

    mutating func tookBack(of shard: Int, at now: CoordinatorInstant) {
        paidUntil[shard] = max(paidUntil[shard] ?? now, now).advanced(bySeconds: CoordinatorLimits.takenBackSeconds)
    }

    /// - Returns: when one may answer; nil: now.
    func wait(for shard: Int, at now: CoordinatorInstant) -> CoordinatorInstant? {
        let time = paidUntil[shard]?.advanced(bySeconds: -CoordinatorLimits.takenBackAtOnceSeconds)
        return time.flatMap { $0 > now ? $0 : nil }
    }
}
