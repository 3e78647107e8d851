import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Testing

@Suite("Ledger: identifiers of before")
struct OlderSpellingTests {
    /// What a release of before kept of somebody, under a name that none would have today.
    private func renamed(_ user: String, to token: String) throws -> (OlderDataDirectory, Ledger, rows: Int) {
        let older = try OlderDataDirectory(.exact)
        let database = older.directory.appendingPathComponent("ledger.sqlite")
        try Ledger.tamper("UPDATE users SET token = \(token) WHERE token = '\(user)'", at: database)
        let rows = try Ledger.inspect(
            "SELECT COUNT(*) FROM interactions WHERE user = (SELECT id FROM users WHERE token = \(token))", at: database
        )
        return (older, try older.open(), Int(rows.first ?? "") ?? 0)
    }

    @Test(
        "A person kept with blanks or control characters is forgotten by today's spelling, and does not come back",
        arguments: ["'u5 '", "'u' || char(1) || '5'"])
    func forgotten(token: String) throws {
        let (older, ledger, rows) = try renamed("u5", to: token)
        let history = try ledger.history(user: "u5")
        let outcome = try ledger.forget(requestID: "u5", LedgerFixture.forget(users: ["u5"]), at: older.now)
        #expect(outcome.counts.interactions == rows && rows > 0)
        let back = history.map { row in
            var row = row
            row.user = "u5"
            return row
        }
        #expect(try older.load(back, into: ledger, id: "again").rowsRefused == rows)
    }

    @Test("One interaction of such a person is forgotten, and stays out under today's spelling")
    func singly() throws {
        let (older, ledger, _) = try renamed("u5", to: "' u5'")
        var one = try #require(try ledger.history(user: "u5").first)
        #expect(one.user == " u5")
        one.user = "u5"
        let outcome = try ledger.forget(requestID: "one", LedgerFixture.forget(one.key), at: older.now)
        #expect(outcome.counts.interactions == 1)
        #expect(try older.load([one], into: ledger, id: "again").rowsRefused == 1)
    }

    @Test("Everything of one person is said of all spellings")
    func access() throws {
        let (_, ledger, rows) = try renamed("u5", to: "'u6 '")
        let reply = try ledger.personalData(user: "u6")
        #expect(reply.user == "u6" && !reply.interactions.isEmpty)
        let other = try #require(reply.spellings?.first)
        #expect(reply.spellings?.count == 1 && other.user == "u6 " && other.interactions.count == rows && rows > 0)
        #expect(other.spellings == nil)
    }

    @Test("New rows of such a person join the old ones")
    func joined() throws {
        let (older, ledger, rows) = try renamed("u5", to: "'u5 '")
        var new = try #require(try ledger.history(user: "u5").first)
        (new.user, new.timestamp) = ("u5", new.timestamp + 1_000_000)
        #expect(try older.load([new], into: ledger, id: "new").rowsNew == 1)
        #expect(try ledger.history(user: "u5").count == rows + 1)
    }
}
