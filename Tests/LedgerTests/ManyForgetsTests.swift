import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

@Suite("Ledger: one request that names very many people")
struct ManyForgetsTests {
    @Test("All are gone at once, the rest is as if they had never been there, and no key of theirs is left")
    func many() throws {
        let users = TestRounds.isFull ? 100_000 : 2_000
        let fixture = LedgerFixture(shards: 4)
        let data = SyntheticRatings.people(users + 20, seed: 5)
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        let named = (0..<users).map { "person \($0)" }
        let outcome = try ledger.forget(requestID: "all", LedgerFixture.forget(users: named), at: fixture.now)
        #expect(outcome.counts.users == users && outcome.counts.interactions == 7 * users)
        #expect(try ledger.statistics().users == 20 && ledger.statistics().tombstones == users)

        let fresh = LedgerFixture(shards: 4)
        let other = try fresh.open()
        try fresh.load(data.without(users: Set(named)), into: other)
        #expect(try ledger.snapshot().shards.map(\.manifest) == other.snapshot().shards.map(\.manifest))
        #expect(try ledger.snapshot().shards.map(\.likes) == other.snapshot().shards.map(\.likes))
        // Twenty people and the sums of their prompts, and nobody else.
        let sums = try ledger.inspect("SELECT place FROM sums").count
        let slots = try Data(contentsOf: fixture.directory.appendingPathComponent("keys/slots"))
        let used = stride(from: 20_480, to: slots.count - 63, by: 64).count { slot in
            slots[slot..<slot + 64].contains { $0 != 0 }
        }
        #expect(used == 20 + sums && sums > 4)
    }
}
