import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Testing

@Suite("Ledger: what an import did")
struct ImportOutcomeTests {
    @Test("It is kept with the import itself, so that whoever asks again is told, over restarts")
    func kept() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 6, seed: 1)
        let ledger = try fixture.open()
        try ledger.stage(
            importID: "i", sequence: 0, items: data.items, interactions: data.interactions, at: fixture.now)
        #expect(try ledger.importOutcome(requestID: "r") == nil)
        let outcome = try ledger.finishImport(
            importID: "i", batches: 1, prompts: fixture.prompts, at: fixture.now, requestID: "r")
        try ledger.close()
        let again = try fixture.open()
        #expect(try again.importOutcome(requestID: "r") == outcome && outcome.rowsNew == data.interactions.count)
        #expect(try again.reply(requestID: "r") == nil)
    }
}
