import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

@Suite("Identifiers with blanks in the data directory of an older release")
struct OlderIdentifierTests {
    @Test("A person who was forgotten with a blank behind the identifier stays out under today's spelling")
    func forgotten() throws {
        let older = try OlderDataDirectory(.exact)
        let ledger = try older.open()
        let rows = older.before.forgottenWithBlanks.map(Interaction.init)
        #expect(rows.count == 8 && rows.allSatisfy { $0.user == "guest " })
        let outcome = try older.load(rows, into: ledger)
        let plan = try? ledger.plan(LedgerFixture.forget(users: ["guest "]))
        #expect(outcome.rowsRefused == rows.count)
        #expect(plan?.alreadyForgotten == 1)
    }

    @Test(
        "A person who was kept with a blank before the identifier is known, and imported again, under today's spelling")
    func kept() throws {
        let older = try OlderDataDirectory(.exact)
        let ledger = try older.open()
        #expect(try ledger.prompts(split: .test).contains { $0.prompt.user == " visitor" })
        let isKnown = try ledger.hasUser("visitor")
        let history = try? ledger.history(user: "visitor")
        let row = Interaction(user: " visitor", item: "m2", timestamp: 2, rating: 3, ordinal: 0)
        let outcome = try older.load([row], into: ledger)
        #expect(isKnown)
        #expect(history?.count == 7)
        #expect(outcome.rowsAlreadyThere == 1)
    }
}
