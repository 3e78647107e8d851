import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Testing

@Suite("Shards that have room")
struct LedgerRoomTests {
    @Test("An import that no shard could be trained with is refused whole, and says what would help")
    func tooMany() throws {
        let fixture = LedgerFixture(shards: 2)
        let ledger = try fixture.open()
        ledger.promptsOfAShard = 8
        let data = SyntheticRatings(users: 12, seed: 1)
        #expect {
            try fixture.load(data, into: ledger)
        } throws: { error in
            guard case .tooManyPrompts(let count, let limit, _) = error as? LedgerError else { return false }
            return count > limit && "\(error)".contains("--shards")
        }
        #expect(try !ledger.snapshot().hasData && ledger.statistics().interactions == 0)
        ledger.promptsOfAShard = WireLimits.promptsOfAShard
        try fixture.load(data, into: ledger, id: "again")
        #expect(try ledger.snapshot().hasData)
    }
}
