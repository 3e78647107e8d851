import ClusterTestSupport
import Crypto
import Foundation
import Ledger
import Messages
import Testing

@Suite("Ledger: a log that was cut or rewritten is named")
struct LedgerAuditVerdictTests {
    private static let unlocked = "DROP TRIGGER audit_is_never_changed; DROP TRIGGER audit_is_never_deleted;"

    /// A ledger with a finished request and a pending one.
    private func evidence() throws -> (LedgerFixture, Ledger) {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 1))
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        try fixture.prepare(ledger)
        _ = try ledger.finishForget(request: "f", at: fixture.now.addingTimeInterval(12.5))
        _ = try ledger.forget(requestID: "g", LedgerFixture.forget(users: ["u2"]), at: fixture.now)
        #expect(try ledger.auditVerdict() == AuditVerdict(entries: ledger.auditLog().count, finding: nil))
        return (fixture, ledger)
    }

    /// What somebody who can write the file does to make the log look whole again.
    private func rechain(_ ledger: Ledger) throws {
        var previous = String(repeating: "0", count: 64)
        for (position, entry) in try ledger.auditLog().enumerated() {
            var forged = entry
            forged.sequence = position + 1
            forged.previous = previous
            forged.hash = forged.computedHash
            previous = forged.hash
            try ledger.tamper(
                """
                UPDATE audit SET sequence = \(forged.sequence), previous = '\(forged.previous)', hash = '\(forged.hash)'
                WHERE sequence = \(entry.sequence)
                """)
        }
    }

    private func tamper(_ ledger: Ledger, _ change: String) throws {
        switch change {
        case "cut tail": try ledger.tamper("DELETE FROM audit WHERE sequence = (SELECT MAX(sequence) FROM audit)")
        case "long cut": try ledger.tamper("DELETE FROM audit WHERE sequence > 3")
        case "deleted": try ledger.tamper("DELETE FROM audit")
        case "recomputed":
            try ledger.tamper("UPDATE audit SET detail = '{}' WHERE kind = 'import'")
            try rechain(ledger)
        case "one left out":
            try ledger.tamper(
                "DELETE FROM audit WHERE sequence = (SELECT MIN(sequence) FROM audit WHERE kind = 'publish')")
            try rechain(ledger)
        case "request removed":
            try ledger.tamper("DELETE FROM forget_shards; DELETE FROM forget_requests WHERE id = 'f'")
        case "certificate removed": try ledger.tamper("UPDATE forget_requests SET certificate = NULL WHERE id = 'f'")
        case "head removed": try ledger.tamper("DELETE FROM meta WHERE key = 'audit head'")
        default: Issue.record("unknown change \(change)")
        }
    }

    @Test("While the log is read, a portion at a time, requests are acknowledged and finished; the verdict counts them")
    func acknowledgedMeanwhile() throws {
        let (fixture, ledger) = try evidence()
        var reading = AuditReading(entries: 3, requests: 1)
        // The last one of these has read the first request, and the one after them the second one, which is pending.
        let entries = try ledger.auditLog().count
        for _ in 0...entries / 3 { #expect(try ledger.goOn(with: &reading) == nil) }
        #expect(try ledger.goOn(with: &reading) == nil)
        try fixture.prepare(ledger)
        _ = try ledger.finishForget(request: "g", at: fixture.now.addingTimeInterval(20))
        _ = try ledger.forget(requestID: "h", LedgerFixture.forget(users: ["u3"]), at: fixture.now)
        var verdict: AuditVerdict?
        var portions = 0
        while verdict == nil, portions < 100 {
            portions += 1
            verdict = try ledger.goOn(with: &reading)
        }
        #expect(verdict == AuditVerdict(entries: try ledger.auditLog().count, finding: nil))
    }

    @Test(
        "What is changed while the log is read is named",
        arguments: ["cut tail", "request removed", "certificate removed"])
    func changedMeanwhile(_ change: String) throws {
        let (_, ledger) = try evidence()
        try ledger.tamper(Self.unlocked)
        var reading = AuditReading(entries: 2, requests: 1)
        #expect(try ledger.goOn(with: &reading) == nil)
        try tamper(ledger, change)
        var verdict: AuditVerdict?
        for _ in 0..<100 where verdict == nil { verdict = try ledger.goOn(with: &reading) }
        #expect(try verdict == ledger.auditVerdict() && verdict?.isIntact == false)
    }

    @Test(
        "While the ledger is open: the verdict names what is wrong, and what is written afterwards does not hide it",
        arguments: [
            "cut tail", "long cut", "deleted", "recomputed", "one left out", "request removed", "certificate removed",
            "head removed",
        ])
    func whileOpen(_ change: String) throws {
        let (fixture, ledger) = try evidence()
        try ledger.tamper(Self.unlocked)
        try tamper(ledger, change)
        let finding = try #require(try ledger.auditVerdict().finding)
        #expect(!finding.isEmpty)
        try ledger.requestTraining(at: fixture.now)
        try fixture.prepare(ledger)
        #expect(try !ledger.auditVerdict().isIntact)
        try ledger.close()
        #expect(try !fixture.open().auditVerdict().isIntact)
    }

    @Test(
        "While the ledger is closed: the log says so from the next start on, and accepting it brings nothing back",
        arguments: ["cut tail", "long cut", "deleted", "recomputed", "one left out"])
    func whileClosed(_ change: String) throws {
        let (fixture, ledger) = try evidence()
        try ledger.tamper(Self.unlocked)
        try tamper(ledger, change)
        try ledger.close()
        let opened = try fixture.open()
        try opened.requestTraining(at: fixture.now)
        #expect(try !opened.auditVerdict().isIntact)
        #expect(try opened.auditLog().filter { $0.kind == "audit finding" }.count == 1)
        try opened.close()
        let accepted = try Ledger(
            directory: fixture.directory, configuration: fixture.configuration, accepting: .auditLog, at: fixture.now)
        #expect(try accepted.auditLog().last?.kind == "audit finding accepted")
        // What was acknowledged is still not in a log that lost it.
        #expect(try !accepted.auditVerdict().isIntact)
    }

    @Test("A deleted, damaged or foreign audit.head is named, at once and after a restart")
    func headFile() throws {
        let stranger = LedgerFixture()
        try stranger.open().close()
        let foreign = try Data(contentsOf: stranger.directory.appendingPathComponent("audit.head"))
        for replacement in [nil, Data("{}".utf8), foreign] {
            let (fixture, ledger) = try evidence()
            let file = fixture.directory.appendingPathComponent("audit.head")
            try FileManager.default.removeItem(at: file)
            try replacement?.write(to: file)
            #expect(try ledger.auditVerdict().finding?.contains("audit.head") == true)
            let copy = LedgerFixture()
            try FileManager.default.moveItem(at: fixture.copyOfFiles(), to: copy.directory)
            let restarted = try copy.open()
            #expect(try restarted.auditVerdict().finding?.contains("audit.head") == true)
            try restarted.close()
            let accepted = try Ledger(
                directory: copy.directory, configuration: copy.configuration, accepting: .auditLog, at: copy.now)
            #expect(try accepted.auditVerdict().isIntact)
            try accepted.close()
            #expect(try copy.open().auditVerdict().isIntact)
        }
    }

    @Test("A database that is older than its signed head is refused by name, and taken only when told to")
    func olderDatabase() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 12, seed: 1)
        let ledger = try fixture.trained(data)
        try ledger.close()
        let file = fixture.directory.appendingPathComponent("ledger.sqlite")
        let backup = try Data(contentsOf: file)
        let later = try fixture.open()
        _ = try later.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        try later.close()
        try backup.write(to: file)
        let error = #expect(throws: LedgerError.self) { try fixture.open() }
        guard case .olderThanHead(file.path, _) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        let accepted = try Ledger(
            directory: fixture.directory, configuration: fixture.configuration, accepting: .auditLog, at: fixture.now)
        // Not even then is anybody back whom a request took away since: the key is gone.
        #expect(try !accepted.hasUser("u1") && accepted.hasUser("u2") && accepted.auditVerdict().isIntact)
        #expect(
            try accepted.auditLog().map(\.kind).filter { $0.hasPrefix("audit finding") }.suffix(2) == [
                "audit finding", "audit finding accepted",
            ])
    }

    @Test("So is one from before there were heads")
    func olderVersion() throws {
        let (fixture, ledger) = try evidence()
        try ledger.tamper(Self.unlocked)
        try tamper(ledger, "head removed")
        try tamper(ledger, "long cut")
        try ledger.close()
        #expect(throws: LedgerError.self) { try fixture.open() }
    }

    @Test("A kill between a commit and the head's file is healed: the file is behind the database, never before it")
    func killedBetween() throws {
        let (fixture, ledger) = try evidence()
        let head = fixture.directory.appendingPathComponent("audit.head")
        let before = try Data(contentsOf: head)
        _ = try ledger.forget(requestID: "h", LedgerFixture.forget(users: ["u3"]), at: fixture.now)
        #expect(try Data(contentsOf: head) != before)
        let killed = LedgerFixture()
        try FileManager.default.moveItem(at: fixture.copyOfFiles(), to: killed.directory)
        try before.write(to: killed.directory.appendingPathComponent("audit.head"))
        let healed = try killed.open()
        #expect(try healed.auditVerdict() == AuditVerdict(entries: ledger.auditLog().count, finding: nil))
        #expect(try healed.auditLog() == ledger.auditLog())
    }

    @Test(
        "The head is in its file when a forget, its certificate or an adapter is acknowledged, and verifies with the public key"
    )
    func sealedBeforeAcknowledgement() throws {
        struct Head: Decodable {
            var sequence, requests, certificates: Int
            var hash, cluster: String
        }
        let (fixture, ledger) = try evidence()
        let text = try String(contentsOf: fixture.directory.appendingPathComponent("audit.head"), encoding: .utf8)
        let signed = try #require(SignedStatement(compact: text.trimmingCharacters(in: .whitespacesAndNewlines)))
        #expect(signed.type == "lethe-audit-head+jwt" && signed.verify(publicKey: ledger.publicKey))
        let head = try JSONDecoder().decode(Head.self, from: signed.payload)
        let last = try #require(try ledger.auditLog().last)
        #expect(head.sequence == last.sequence && head.hash == last.hash && head.cluster == ledger.cluster)
        #expect(head.requests == 2 && head.certificates == 1)
        #expect(
            try FileManager.default.attributesOfItem(
                atPath: fixture.directory.appendingPathComponent("audit.head").path)[.posixPermissions] as? Int == 0o600
        )
    }

    @Test("Without its certificate key, or with another's, a ledger with signed evidence does not open unless told to")
    func certificateKey() throws {
        let (fixture, ledger) = try evidence()
        let certificate = try #require(try ledger.forgetRequest("f")?.certificate)
        let former = ledger.publicKey
        try ledger.close()
        let file = fixture.directory.appendingPathComponent("certificate.key")
        for foreign in [nil, Curve25519.Signing.PrivateKey().rawRepresentation] {
            try? FileManager.default.removeItem(at: file)
            try foreign?.write(to: file)
            let error = #expect(throws: LedgerError.self) { try fixture.open() }
            guard case .keyUnusable(file.path, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
        try FileManager.default.removeItem(at: file)
        let opened = try Ledger(
            directory: fixture.directory, configuration: fixture.configuration, accepting: .certificateKey,
            at: fixture.now)
        #expect(opened.publicKey != former && !certificate.verify(publicKey: opened.publicKey))
        let entry = try #require(try opened.auditLog().last)
        #expect(entry.kind == "new certificate key" && entry.detail.contains("former"))
        #expect(try opened.auditVerdict().isIntact)
        try opened.close()
        #expect(try fixture.open().auditVerdict().isIntact)
    }

    @Test("A ledger of an earlier version, without heads, gets its first one when it is opened")
    func firstHead() throws {
        let (fixture, ledger) = try evidence()
        let log = try ledger.auditLog()
        try ledger.tamper("DELETE FROM meta WHERE key = 'audit head'")
        try ledger.close()
        try FileManager.default.removeItem(at: fixture.directory.appendingPathComponent("audit.head"))
        let opened = try fixture.open()
        #expect(try opened.auditVerdict().isIntact && opened.auditLog() == log)
    }
}
