import Messages
import Serving
import Testing

@Suite struct LeaseHolderTests {
    private let rules = LeaseRules()
    private let inputs = ForgottenInputs(people: [1], items: [], adapters: ["a"], changesReferences: false)

    private func grant(_ number: UInt64, _ version: UInt64 = 0, run: String = "run") -> LeaseGrant {
        LeaseGrant(number: number, run: run, version: version, milliseconds: rules.milliseconds)
    }

    private func revocation(_ version: UInt64, run: String = "run") -> Revocation {
        Revocation(run: run, version: version, inputs: inputs)
    }

    private func ask(_ number: UInt64, _ obeyed: UInt64?, run: String = "run") -> LeaseHolder.Action {
        .send(LeaseRequest(number: number, obeyed: obeyed.map { .init(run: run, version: $0) }))
    }

    private func following() -> LeaseHolder {
        var holder = LeaseHolder()
        _ = holder.tick(at: 0)
        _ = holder.granted(grant(1), at: 5)
        return holder
    }

    @Test func `A lease counts from when it was asked for, and is asked for again before it runs out`() {
        var holder = LeaseHolder()
        #expect(holder.tick(at: 0) == [ask(1, nil)] && !holder.mayAnswer(at: 0))
        #expect(holder.granted(grant(1), at: 400) == [.goOn])
        #expect(holder.mayAnswer(at: rules.milliseconds - 1) && !holder.mayAnswer(at: rules.milliseconds))
        #expect(holder.tick(at: rules.renewal - 1) == [])
        #expect(holder.tick(at: rules.renewal) == [ask(2, 0)])
        #expect(holder.granted(grant(2), at: rules.renewal + 5) == [.goOn])
        #expect(holder.until == rules.renewal + rules.milliseconds)
    }

    @Test func `What is revoked is let go before it is said that it is`() {
        var holder = following()
        #expect(holder.revoked(revocation(1), at: 10) == [.obey(inputs), ask(2, 1)])
        #expect(holder.isCurrent(run: "run", version: 1) && !holder.isCurrent(run: "run", version: 0))
        // Told again, it is confirmed again.
        #expect(holder.revoked(revocation(1), at: 11) == [ask(3, 1)])
    }

    @Test func `When a revocation is missing everything is let go`() {
        var holder = following()
        #expect(holder.revoked(revocation(2), at: 10) == [.letGo, ask(2, nil)])
        #expect(!holder.mayAnswer(at: 10))
        holder = following()
        _ = holder.tick(at: 1000)
        #expect(holder.granted(grant(2, 1), at: 1001) == [.letGo, ask(3, nil)])
    }

    @Test func `Another run of the coordinator knows nothing of what was obeyed`() {
        var holder = following()
        #expect(holder.revoked(revocation(1, run: "later"), at: 10) == [.letGo, ask(2, nil)])
        #expect(holder.granted(grant(2, 3, run: "later"), at: 12) == [.goOn])
        #expect(holder.isCurrent(run: "later", version: 3))
    }

    @Test func `A grant that was asked for before everything was let go brings no lease`() {
        var holder = following()
        _ = holder.tick(at: 1000)
        _ = holder.reset(at: 1001)
        #expect(holder.granted(grant(2), at: 1002) == [] && !holder.mayAnswer(at: 1002))
        #expect(holder.granted(grant(3), at: 1003) == [.goOn])
    }

    @Test func `A refusal ends the lease, and it is asked for anew a while later`() {
        var holder = following()
        _ = holder.tick(at: 1000)
        #expect(holder.refused(2, at: 1001) == [.letGo])
        #expect(holder.tick(at: 1002) == [])
        #expect(holder.tick(at: 1001 + rules.renewal) == [ask(3, nil)])
        // Of a request that does not count any more.
        #expect(holder.refused(2, at: 3000) == [])
    }

    @Test func `A coordinator cannot grant more than the rules say`() {
        var holder = LeaseHolder()
        _ = holder.tick(at: 0)
        _ = holder.granted(LeaseGrant(number: 1, run: "run", version: .max, milliseconds: .max), at: 1)
        #expect(holder.until == rules.milliseconds)
        #expect(holder.revoked(Revocation(run: "run", version: 0, inputs: inputs), at: 2) == [ask(2, .max)])
        holder = LeaseHolder()
        _ = holder.tick(at: 0)
        #expect(holder.granted(LeaseGrant(number: 1, run: "run", version: 0, milliseconds: .min), at: 1) == [])
    }
}
