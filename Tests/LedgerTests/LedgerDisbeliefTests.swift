import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Testing
import Unlearning

@Suite("Ledger: what workers send is not believed")
struct LedgerDisbeliefTests {
    private func forgotten() throws -> (LedgerFixture, Ledger, shard: Int, old: [UInt8], oldName: String) {
        let fixture = LedgerFixture(partition: .userHash)
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 1))
        let shard = try #require(try ledger.plan(LedgerFixture.forget(users: ["u1"])).shards.first).index
        let old = LedgerFixture.adapter(shard, try ledger.manifest(shard: shard).digest)
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        return (fixture, ledger, shard, old, try LedgerFixture.contentName(old))
    }

    @Test("An adapter that a forget request took away is refused for ever, and the log says who sent it")
    func droppedAdapters() throws {
        let (fixture, ledger, shard, old, name) = try forgotten()
        func send(to ledger: Ledger) throws {
            try ledger.publish(
                shard: shard, bytes: old, report: fixture.report(of: old, shard: shard, ledger), trainer: "liar",
                at: fixture.now,
                contentName: LedgerFixture.contentName)
        }
        #expect(throws: LedgerError.self) { try send(to: ledger) }
        try ledger.close()
        let again = try fixture.open()
        #expect(throws: LedgerError.self) { try send(to: again) }
        #expect(try again.snapshot().shards[shard].adapter == nil)
        let entry = try #require(try again.auditLog().last { $0.kind == "refuse adapter" })
        #expect(entry.detail.contains(name) && entry.detail.contains("liar"))
        try fixture.prepare(again)
        #expect(
            try again.finishForget(request: "f", at: fixture.now).statement.shards.allSatisfy { $0.newAdapter != name })
    }

    @Test("Where only held-out prompts are forgotten the same adapter is taken again, else it is not")
    func heldOut() throws {
        let fixture = LedgerFixture(partition: .userHash)
        fixture.heldOut = 0.5
        // At most three training prompts of each.
        let ledger = try fixture.trained(SyntheticRatings(users: 30, largest: 9, seed: 3))
        let training = fixture.configuration.training
        var bytes = try (0..<fixture.shards).map { LedgerFixture.adapter($0, try ledger.manifest(shard: $0).digest) }
        func learned(_ shard: Int) throws -> [String] {
            try ledger.manifest(shard: shard).entries.filter { !training.holdsOut($0.id) }.map(\.digest).sorted()
        }
        var seen: Set<Bool> = []
        for user in (0..<30).map({ "u\($0)" }) where seen.count < 2 {
            let request = LedgerFixture.forget(users: [user])
            guard let shard = try ledger.plan(request).shards.first?.index else { continue }
            let before = try learned(shard)
            let outcome = try ledger.forget(requestID: user, request, at: fixture.now)
            #expect(outcome.waitingFor == [shard])
            let isSame = try learned(shard) == before
            seen.insert(isSame)
            let old = bytes[shard]
            func send() throws {
                try ledger.publish(
                    shard: shard, bytes: old, report: fixture.report(of: old, shard: shard, ledger), at: fixture.now,
                    contentName: LedgerFixture.contentName)
            }
            if isSame {
                try send()
            } else {
                #expect(throws: LedgerError.self) { try send() }
                #expect(try ledger.adapters().allSatisfy { $0.shard != shard })
                try fixture.publish(ledger, shard: shard)
                bytes[shard] = LedgerFixture.adapter(shard, try ledger.manifest(shard: shard).digest)
            }
            #expect(
                try ledger.adapters().first { $0.shard == shard }?.name == LedgerFixture.contentName(bytes[shard]))
        }
        #expect(seen.count == 2)
    }

    @Test("A disputed adapter answers nothing, and requests that rest on it wait again")
    func disputed() throws {
        let (fixture, ledger, shard, _, _) = try forgotten()
        try fixture.prepare(ledger)
        let published = try #require(try ledger.snapshot().shards[shard].adapter?.name)
        #expect(try ledger.snapshot().pendingForgets.first?.waitingFor == [])
        try ledger.quarantine(
            AdapterDispute(shard: shard, published: published, other: "other", workers: ["a", "b"]), at: fixture.now)
        let after = try ledger.snapshot()
        #expect(after.shards[shard].adapter == nil && after.shards[shard].quarantinedSince != nil)
        #expect(after.pendingForgets.first?.waitingFor == [shard])
        #expect(throws: LedgerError.requestUnfinished(id: "f", waitingFor: [shard])) {
            try ledger.finishForget(request: "f", at: fixture.now)
        }
        try fixture.prepare(ledger)
        #expect(try ledger.finishForget(request: "f", at: fixture.now).statement.shards.map(\.index) == [shard])
    }

    @Test("A dispute about an adapter that a signed certificate names is added to the evidence")
    func disputedLater() throws {
        let (fixture, ledger, shard, _, _) = try forgotten()
        try fixture.prepare(ledger)
        _ = try ledger.finishForget(request: "f", at: fixture.now)
        let published = try #require(try ledger.snapshot().shards[shard].adapter?.name)
        try ledger.quarantine(
            AdapterDispute(shard: shard, published: published, other: "other", workers: ["a", "b"]), at: fixture.now)
        let supplement = try #require(try ledger.supplements(request: "f").first)
        guard case .disputed(let adapter) = supplement.statement.finding else {
            Issue.record("another finding")
            return
        }
        #expect(adapter.adapter == published && adapter.other == "other" && adapter.workers == ["a", "b"])
        let record = try #require(try ledger.forgetRequest("f"))
        #expect(try ledger.evidenceFindings(of: record).count == 1)
    }

    @Test("Second trainings stand in the signed statement")
    func checks() throws {
        let (fixture, ledger, shard, _, _) = try forgotten()
        try fixture.prepare(ledger)
        let name = try #require(try ledger.snapshot().shards[shard].adapter?.name)
        let check = DoubleCheck(shard: shard, adapter: name, outcome: .sameBytes, workers: ["a", "b"])
        let certificate = try ledger.finishForget(request: "f", checks: [check], at: fixture.now)
        #expect(certificate.statement.doubleChecks == [check] && certificate.verify(publicKey: ledger.publicKey))
    }

    @Test("A rewritten log does not fit the certificates, even where its chain is whole again")
    func rewrittenLog() throws {
        let (fixture, ledger, _, _, _) = try forgotten()
        try fixture.prepare(ledger)
        _ = try ledger.finishForget(request: "f", at: fixture.now)
        let record = try #require(try ledger.forgetRequest("f"))
        #expect(try ledger.evidenceFindings(of: record).isEmpty)
        var entries = try ledger.auditLog()
        try ledger.tamper("DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_deleted; DELETE FROM audit")
        var previous = String(repeating: "0", count: 64)
        entries.removeAll { $0.kind == "import" }
        for index in entries.indices {
            entries[index].sequence = index + 1
            entries[index].previous = previous
            entries[index].hash = entries[index].computedHash
            previous = entries[index].hash
            let entry = entries[index]
            let milliseconds = Int64((entry.time.timeIntervalSince1970 * 1000).rounded())
            try ledger.tamper(
                """
                INSERT INTO audit (sequence, time, kind, detail, previous, hash) VALUES (\(entry.sequence), \
                \(milliseconds), '\(entry.kind)', '\(entry.detail)', '\(entry.previous)', '\(entry.hash)')
                """)
        }
        #expect(try !ledger.evidenceFindings(of: record).isEmpty)
    }
}
