import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Testing

@Suite("Ledger: identifiers of before")
struct OlderSpellingTests {
    @Test("A person kept with blanks or control characters is forgotten by today's spelling, and does not come back")
    func forgotten() throws {
        let fixture = LedgerFixture(partition: .userHash)
        let data = SyntheticRatings(users: 12, seed: 1)
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        // As a release of before would have them.
        try ledger.tamper("UPDATE users SET token = 'u1 ' WHERE token = 'u1'")
        try ledger.tamper("UPDATE users SET token = 'u' || char(1) || '2' WHERE token = 'u2'")
        try ledger.tamper("DELETE FROM meta WHERE key = 'older spellings'")
        try ledger.close()
        let again = try fixture.open()
        for user in ["u1", "u2"] {
            let outcome = try again.forget(requestID: user, LedgerFixture.forget(users: [user]), at: fixture.now)
            #expect(outcome.counts.interactions == data.interactions.count { $0.user == user })
        }
        let back = try fixture.load(data, into: again, id: "again")
        #expect(back.rowsRefused == data.interactions.count { ["u1", "u2"].contains($0.user) })
        #expect(try fixture.traces(of: ["u1 "]).isEmpty)
    }

    @Test("One interaction of such a person is forgotten, and stays out under today's spelling")
    func singly() throws {
        let fixture = LedgerFixture(partition: .userHash)
        let data = SyntheticRatings(users: 12, seed: 1)
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        let one = try #require(data.interactions.first { $0.user == "u1" })
        try ledger.tamper("UPDATE users SET token = ' u1' WHERE token = 'u1'")
        try ledger.tamper("DELETE FROM meta WHERE key = 'older spellings'")
        try ledger.close()
        let again = try fixture.open()
        let outcome = try again.forget(requestID: "one", LedgerFixture.forget(one.key), at: fixture.now)
        #expect(outcome.counts.interactions == 1)
        #expect(try fixture.load(data, into: again, id: "again").rowsRefused == 1)
    }
}
