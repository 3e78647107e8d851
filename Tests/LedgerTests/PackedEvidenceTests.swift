import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

@Suite("Ledger: evidence is stored packed")
struct PackedEvidenceTests {
    /// With a finished request and the certificate that was given out.
    private func finished() throws -> (LedgerFixture, Ledger, Certificate) {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 1))
        let certificate = try finish("f", user: "u1", fixture, ledger)
        return (fixture, ledger, certificate)
    }

    private func finish(_ id: String, user: String, _ fixture: LedgerFixture, _ ledger: Ledger) throws -> Certificate {
        _ = try ledger.forget(requestID: id, LedgerFixture.forget(users: [user]), at: fixture.now)
        try fixture.prepare(ledger)
        return try ledger.finishForget(request: id, at: fixture.now)
    }

    @Test("A certificate comes back as it was signed, byte for byte, and its request with what it did")
    func sameBytes() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 1))
        let outcome = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        try fixture.prepare(ledger)
        let given = try ledger.finishForget(request: "f", at: fixture.now)
        let kept = try #require(try ledger.forgetRequest("f"))
        #expect(kept.certificate == given && kept.certificate?.jws.compact == given.jws.compact)
        #expect(try ReplyCoding.encode(kept.certificate) == ReplyCoding.encode(given))
        #expect(kept.outcome == outcome && kept.state == .finished)
        #expect(given.verify(publicKey: ledger.publicKey))
        #expect(try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now) == outcome)
        let text = try JSONEncoder.stable.encode(given).count + JSONEncoder.stable.encode(outcome).count
        let sizes = try ledger.inspect("SELECT length(certificate) + length(outcome) FROM forget_requests")
        #expect(sizes.compactMap(Int.init).allSatisfy { 4 * $0 < text } && sizes.count == 1, "\(sizes) of \(text)")
        #expect(try ledger.inspect("SELECT DISTINCT length(hash) FROM audit") == ["32"])
        #expect(try ledger.inspect("SELECT DISTINCT length(previous) FROM audit") == ["32"])
        #expect(try ledger.inspect("SELECT length(audit) FROM forget_requests") == ["32"])
        try ledger.close()
        let again = try fixture.open()
        #expect(try again.forgetRequest("f") == kept && again.auditVerdict().isIntact)
    }

    @Test("Rows of releases before are read, prove what they proved, and go on with those of today")
    func olderRows() throws {
        let (fixture, ledger, certificate) = try finished()
        let (records, log) = (try ledger.forgetRequests(), try ledger.auditLog())
        try ledger.unpackRows()
        try ledger.close()
        let again = try fixture.open()
        #expect(try again.forgetRequests() == records && again.auditLog() == log)
        #expect(try again.auditVerdict().isIntact && again.evidenceFindings(of: records[0]).isEmpty)
        #expect(try again.finishForget(request: "f", at: fixture.now) == certificate)
        _ = try finish("g", user: "u2", fixture, again)
        let mixed = try again.forgetRequests()
        #expect(mixed.first == records[0] && mixed.count == 2)
        #expect(try again.auditVerdict().isIntact)
        for record in mixed { #expect(try again.evidenceFindings(of: record).isEmpty) }
        // A dispute finds the requests that rest on an adapter, however their rows are written.
        let adapter = try #require(certificate.statement.shards.first)
        let isStill = try again.snapshot().shards[adapter.index].adapter?.name == adapter.newAdapter
        try again.quarantine(
            AdapterDispute(
                shard: adapter.index, published: try #require(again.snapshot().shards[adapter.index].adapter).name,
                other: String(repeating: "0", count: 64), workers: ["a", "b"]), at: fixture.now)
        #expect(try again.supplements(request: "f").count == (isStill ? 1 : 0))
        #expect(try again.supplements(request: "f").count + again.supplements(request: "g").count > 0)
    }

    @Test(
        "A damaged certificate is an error that names its request, and a finding of the audit",
        arguments: [
            "x'09' || substr(certificate, 2)", "x'01'", "x''", "substr(certificate, 1, length(certificate) - 1)",
            "CAST(substr(certificate, 1, 60) || x'00' || substr(certificate, 62) AS BLOB)", "zeroblob(20000000)",
        ])
    func damagedCertificate(value: String) throws {
        let (fixture, ledger, _) = try finished()
        try ledger.tamper("UPDATE forget_requests SET certificate = CAST(\(value) AS BLOB) WHERE id = 'f'")
        let calls: [() throws -> Void] = [
            { _ = try ledger.forgetRequest("f") }, { _ = try ledger.forgetRequests() },
            { _ = try ledger.evidence(ofForget: "f") },
            { _ = try ledger.finishForget(request: "f", at: fixture.now) },
            { _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now) },
        ]
        for call in calls {
            let error = #expect(throws: LedgerError.self) { try call() }
            #expect(error?.description.contains("forget_requests.certificate of request f") == true)
        }
        #expect(try ledger.auditVerdict().finding == "the certificate of request f cannot be read")
        // Others are forgotten all the same, and the ledger opens.
        _ = try finish("g", user: "u2", fixture, ledger)
        try ledger.close()
        #expect(try fixture.open().forgetRequest("g")?.state == .finished)
    }

    @Test(
        "A damaged entry of the audit log is an error that names it, and a finding of the audit",
        arguments: ["detail", "hash", "previous"])
    func damagedEntry(column: String) throws {
        let (_, ledger, _) = try finished()
        try ledger.tamper("DROP TRIGGER audit_is_never_changed")
        let sequence = try #require(try ledger.auditLog().first { $0.kind == "forget" }).sequence
        try ledger.tamper(
            """
            UPDATE audit SET \(column) = CAST(substr(\(column), 1, length(\(column)) - 1) AS BLOB)
            WHERE sequence = \(sequence)
            """)
        let error = #expect(throws: LedgerError.self) { try ledger.auditLog() }
        #expect(error?.description.contains("audit.\(column)") == true)
        if column == "detail" { #expect(error?.description.contains("entry \(sequence)") == true) }
        let finding = try #require(try ledger.auditVerdict().finding)
        #expect(finding.hasPrefix("entry \(sequence) of the log cannot be read"), "\(finding)")
        #expect(try ledger.auditLog(after: sequence).isEmpty == false)
    }
}
