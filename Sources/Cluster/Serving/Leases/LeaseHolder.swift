import Messages

/// A gateway's side of leases: what it may answer from, and until when. A value without a clock.
///
/// The connection to the coordinator is new whenever something may have been lost: a revocation that is missing, a grant of another
/// run, silence. Then everything that was made from what the coordinator told before is let go.
package struct LeaseHolder {
    package enum Action: Equatable, Sendable {
        case send(LeaseRequest)
        /// Lets go of every question's material, of reference rows and of adapters.
        case letGo
        /// Lets go of what rests on this.
        case obey(ForgottenInputs)
        /// There is a lease, or a longer one: what waited for it goes on.
        case goOn
    }

    private enum State: Equatable {
        /// Nothing is held that an answer could be made from.
        case none
        /// The lease may have run out.
        case following(run: String, version: UInt64, until: Int64)
    }

    private let rules: LeaseRules
    private var state = State.none
    private var lastNumber: UInt64 = 0
    /// When it asks again if nothing comes.
    private var next = Int64.min
    /// Requests whose grants count, and when they were sent, the oldest first.
    private var asked: [(number: UInt64, at: Int64)] = []

    package init(rules: LeaseRules = LeaseRules()) {
        self.rules = rules
    }

    // MARK: what it may do

    /// Whether an answer may go out at this moment.
    package func mayAnswer(at now: Int64) -> Bool { now < until }

    /// Milliseconds of the holder's clock; `Int64.min`: there is no lease.
    package var until: Int64 {
        if case .following(_, _, let until) = state { until } else { .min }
    }

    /// Whether material belongs to what is known now.
    package func isCurrent(run: String, version: UInt64) -> Bool {
        guard case .following(run, version, _) = state else { return false }
        return true
    }

    /// Whether the coordinator's run has revoked more than is known here.
    package func isBehind(run: String, version: UInt64) -> Bool {
        guard case .following(run, let known, _) = state else { return false }
        return known < version
    }

    // MARK: what happens

    /// To be called several times a second.
    package mutating func tick(at now: Int64) -> [Action] {
        now < next ? [] : [ask(at: now)]
    }

    package mutating func granted(_ grant: LeaseGrant, at now: Int64) -> [Action] {
        guard let position = asked.firstIndex(where: { $0.number == grant.number }) else { return [] }
        let sent = asked[position].at
        asked.removeFirst(position + 1)
        next = min(next, sent + rules.renewal)
        let length = min(max(0, grant.milliseconds), rules.milliseconds)
        switch state {
        case .none:
            state = .following(run: grant.run, version: grant.version, until: sent + length)
        case .following(let run, let version, let until):
            // A revocation before the grant did not come; nothing is known of another run's.
            guard run == grant.run, grant.version <= version else { return reset(at: now) }
            state = .following(run: run, version: version, until: max(until, sent + length))
        }
        return mayAnswer(at: now) ? [.goOn] : []
    }

    package mutating func revoked(_ revocation: Revocation, at now: Int64) -> [Action] {
        // Who holds nothing obeys; if what is granted next is of before this, the grant after that does not fit.
        guard case .following(let run, let version, let until) = state else { return [] }
        guard run == revocation.run else { return reset(at: now) }
        guard revocation.version > version else { return [ask(at: now)] }
        guard revocation.version - version == 1 else { return reset(at: now) }
        state = .following(run: run, version: revocation.version, until: until)
        return [.obey(revocation.inputs), ask(at: now)]
    }

    /// The connection is another one, or something is missing.
    package mutating func reset(at now: Int64) -> [Action] {
        state = .none
        return [.letGo, ask(at: now)]
    }

    /// The coordinator does not grant what was asked for with this number.
    package mutating func refused(_ number: UInt64, at now: Int64) -> [Action] {
        guard asked.contains(where: { $0.number == number }) else { return [] }
        (state, asked) = (.none, [])
        next = now + rules.renewal
        return [.letGo]
    }

    private mutating func ask(at now: Int64) -> Action {
        lastNumber += 1
        guard case .following(let run, let version, _) = state else {
            // It says that nothing is held: no earlier request may bring a lease after it. A grant that takes longer than a lease
            // brings none.
            asked = [(lastNumber, now)]
            next = now + rules.milliseconds
            return .send(LeaseRequest(number: lastNumber))
        }
        asked.append((lastNumber, now))
        if asked.count > Self.remembered { asked.removeFirst() }
        next = now + rules.renewal
        return .send(LeaseRequest(number: lastNumber, obeyed: .init(run: run, version: version)))
    }

    /// Requests that wait for their grants.
    private static let remembered = 64
}
