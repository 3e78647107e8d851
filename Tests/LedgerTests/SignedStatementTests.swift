import ClusterTestSupport
import Crypto
import Foundation
import Ledger
import Messages
import Testing

@Suite("Signed statements")
struct SignedStatementTests {
    private func certificate() throws -> (Ledger, Certificate) {
        let fixture = LedgerFixture(partition: .userHash)
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 1))
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        try fixture.prepare(ledger)
        return (ledger, try ledger.finishForget(request: "f", arithmetic: "abc", at: fixture.now))
    }

    @Test("What is printed is what was signed: a JWS whose payload has the keys of the printed statement")
    func printedIsSigned() throws {
        let (ledger, certificate) = try certificate()
        let printed = try #require(
            try JSONSerialization.jsonObject(with: ReplyCoding.encode(certificate)) as? [String: Any])
        let compact = try #require(printed["jws"] as? String)
        let jws = try #require(SignedStatement(compact: compact))
        #expect(jws.verify(publicKey: ledger.publicKey))
        let payload = try JSONSerialization.jsonObject(with: jws.payload) as? NSDictionary
        #expect(payload == printed["statement"] as? NSDictionary)
        #expect(payload?["audit_head"] != nil && payload?["arithmetic"] as? String == "abc")
        #expect(payload?["cluster"] as? String == ledger.cluster)
        let head = payload?["audit_head_at_finish"] as? String
        #expect(try ledger.auditLog().contains { $0.hash == head })
    }

    @Test("No single changed character of it verifies")
    func everyCharacterCounts() throws {
        let (ledger, certificate) = try certificate()
        let text = Array(certificate.jws.compact.utf8)
        var step = 1
        for position in stride(from: 0, to: text.count, by: 7) + Array((text.count - 90)..<text.count) {
            var changed = text
            changed[position] = changed[position] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
            step += 1
            let jws = SignedStatement(compact: String(decoding: changed, as: UTF8.self))
            #expect(jws?.verify(publicKey: ledger.publicKey) != true, "position \(position)")
        }
        #expect(step > 100)
    }

    @Test("The statement beside the signature is for reading only: what counts is what was signed")
    func readByTheSignature() throws {
        let (_, certificate) = try certificate()
        var json = String(decoding: try JSONEncoder().encode(certificate), as: UTF8.self)
        json = json.replacingOccurrences(of: "\"request\":\"f\"", with: "\"request\":\"forged\"")
        let read = try JSONDecoder().decode(Certificate.self, from: Data(json.utf8))
        #expect(read.statement.request == "f" && read == certificate)
    }

    @Test("Other keys, other forms and empty parts are refused")
    func refused() throws {
        let (_, certificate) = try certificate()
        #expect(!certificate.verify(publicKey: Curve25519.Signing.PrivateKey().publicKey.rawRepresentation))
        #expect(!certificate.verify(publicKey: Data([1, 2, 3])))
        let parts = certificate.jws.compact.split(separator: ".").map(String.init)
        for text in ["", ".", "..", "a.b", parts[0] + "." + parts[1], certificate.jws.compact + ".x", "=.=.="] {
            #expect(SignedStatement(compact: text) == nil)
        }
        // A header that asks for no signature, as in attacks on JWS libraries.
        let none = Data(#"{"alg":"none","kid":"","typ":"x"}"#.utf8).base64EncodedString()
        #expect(SignedStatement(compact: "\(none).\(parts[1]).\(parts[2])") == nil)
    }

    @Test("Certificates of before are signed anew in today's form, and say what they said")
    func olderCertificates() throws {
        let fixture = LedgerFixture(partition: .userHash)
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 1))
        for user in ["u1", "u2"] {
            _ = try ledger.forget(requestID: user, LedgerFixture.forget(users: [user]), at: fixture.now)
            try fixture.prepare(ledger)
            _ = try ledger.finishForget(request: user, at: fixture.now)
        }
        try ledger.unpackRows()
        let raw = try Data(contentsOf: fixture.directory.appendingPathComponent("certificate.key"))
        let key = try Curve25519.Signing.PrivateKey(rawRepresentation: raw)
        var statements: [String: Certificate.Statement] = [:]
        for user in ["u1", "u2"] {
            var statement = try #require(try ledger.forgetRequest(user)?.certificate).statement
            statement.version = 2
            (statement.cluster, statement.doubleChecks, statement.unconfirmed) = (nil, nil, nil)
            (statement.arithmetic, statement.auditHeadAtFinish) = (nil, nil)
            statements[user] = statement
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let signed = try encoder.encode(statement)
            // The second one was tampered with.
            let signature = try key.signature(for: user == "u1" ? signed : signed + Data([32]))
            let stored = """
                {"statement":\(String(decoding: signed, as: UTF8.self)),"signature":"\(signature.base64EncodedString())",
                "publicKey":"\(key.publicKey.rawRepresentation.base64EncodedString())"}
                """
            try ledger.tamper("UPDATE forget_requests SET certificate = '\(stored)' WHERE id = '\(user)'")
        }
        try ledger.close()
        let again = try fixture.open()
        let certificate = try #require(try again.forgetRequest("u1")?.certificate)
        #expect(certificate.verify(publicKey: again.publicKey))
        #expect(certificate.statement == statements["u1"] && certificate.statement.version == 2)
        #expect(try again.auditLog().last?.kind == "certificates in a new form")
        // Nobody signs what this ledger never signed.
        #expect(throws: (any Error).self) { try again.forgetRequest("u2") }
    }
}
