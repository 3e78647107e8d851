import Messages

/// Who may answer beside the coordinator, and until when: the coordinator's side of leases. A value without a clock.
///
/// What a forget request took away is told to every holder as a revocation with a number. The request is acknowledged once
/// every holder has said that it obeys it, or its lease has run out (`settled`). A holder that does not obey gets no longer
/// lease, so that nobody is kept waiting by it for more than `LeaseRules.patience` and `waited` together.
package struct LeaseBook {
    package enum Refusal: Error, Equatable {
        /// A later request of the same connection came before it: nothing is answered.
        case overtaken
        /// It has not said that it obeys what was revoked a while ago.
        case disobedient
        /// There are as many as may be.
        case full
    }

    private struct Holder {
        /// Of the last request.
        var number: UInt64
        var until: Int64
        /// Revocations that it obeys.
        var obeyed: UInt64
    }

    private let rules: LeaseRules
    /// Names this run of the coordinator.
    package let run: String
    /// The last revocation; 0: none.
    package private(set) var version: UInt64 = 0
    private var holders: [PeerID: Holder] = [:]
    /// Revocations that some holder may not obey yet, and when they were told, the oldest first.
    private var told: [(version: UInt64, at: Int64)] = []
    /// Leases that an earlier run granted may hold until then.
    private let inherited: Int64

    /// - `mayInherit`: whether an earlier run of the coordinator may have granted leases.
    /// - `now`: milliseconds of any clock that does not go back.
    package init(run: String, mayInherit: Bool, rules: LeaseRules = LeaseRules(), at now: Int64) {
        self.run = run
        self.rules = rules
        inherited = mayInherit ? now + rules.waited : now
    }

    /// Those that have not run out.
    package func holders(at now: Int64) -> [PeerID] {
        holders.filter { $0.value.until > now }.keys.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    }

    package func count(at now: Int64) -> Int { holders.count { $0.value.until > now } }

    package func holds(_ peer: PeerID, at now: Int64) -> Bool { (holders[peer]?.until ?? .min) > now }

    // MARK: what holders say

    package mutating func take(
        _ request: LeaseRequest, from peer: PeerID, at now: Int64
    ) -> Result<LeaseGrant, Refusal> {
        defer { forgetRunOut(at: now) }
        let known = holders[peer]
        if let known, request.number <= known.number { return .failure(.overtaken) }
        guard known != nil || count(at: now) < rules.holders else { return .failure(.full) }
        if let obeyed = request.obeyed {
            // What another run revoked is not known here, nor whether it was obeyed; and what was revoked while somebody had no
            // lease was not told to them.
            guard obeyed.run == run, known == nil ? obeyed.version == version : obeyed.version <= version else {
                return .failure(.disobedient)
            }
        }
        // Who holds nothing that an answer could be made from obeys everything.
        var holder = Holder(
            number: request.number, until: known?.until ?? .min, obeyed: request.obeyed?.version ?? version)
        guard mayRenew(holder, at: now) else {
            if known != nil { holders[peer] = holder }
            return .failure(.disobedient)
        }
        holder.until = max(holder.until, now + rules.waited)
        holders[peer] = holder
        return .success(
            LeaseGrant(number: request.number, run: run, version: version, milliseconds: rules.milliseconds))
    }

    private func mayRenew(_ holder: Holder, at now: Int64) -> Bool {
        guard let oldest = told.first(where: { $0.version > holder.obeyed }) else { return true }
        return now - oldest.at < rules.patience
    }

    /// It answers no more.
    package mutating func end(_ peer: PeerID) {
        holders[peer] = nil
    }

    // MARK: what is taken away

    /// It is counted also when nobody has a lease: whose lease ran out, and who did not hear of it, is known by that.
    ///
    /// - Returns: what everybody with a lease is to be told.
    package mutating func revoke(_ inputs: ForgottenInputs, at now: Int64) -> (revocation: Revocation, to: [PeerID]) {
        forgetRunOut(at: now)
        version += 1
        let peers = holders(at: now)
        if !peers.isEmpty { told.append((version, now)) }
        return (Revocation(run: run, version: version, inputs: inputs), peers)
    }

    /// The last revocation that nobody can answer against any more: all holders obey it, or their leases have run out.
    package func settled(at now: Int64) -> UInt64 {
        holders.values.reduce(version) { $1.until > now ? min($0, $1.obeyed) : $0 }
    }

    /// Whether leases of an earlier run have certainly run out.
    package func inheritsNothing(at now: Int64) -> Bool { now >= inherited }

    private mutating func forgetRunOut(at now: Int64) {
        holders = holders.filter { $0.value.until > now }
        let settled = settled(at: now)
        told.removeFirst(told.firstIndex { $0.version > settled } ?? told.endIndex)
    }
}
