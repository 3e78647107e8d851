import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

@Suite("Ledger: forget requests that wait together")
struct ForgetsTogetherTests {
    private struct Killed: Error {}

    @Test("They are one commit; one that fails leaves no trace, and the others are as if each had come alone")
    func oneCommit() throws {
        let data = SyntheticRatings(users: 12, seed: 31)
        let (fixture, alone) = (LedgerFixture(), LedgerFixture())
        let ledger = try fixture.trained(data)
        let other = try alone.trained(data)
        let commits = ledger.commits
        let outcomes = try ledger.together {
            ["u1", "nobody", "u2", "u3"].map { user in
                Result { try ledger.forget(requestID: user, LedgerFixture.forget(users: [user]), at: fixture.now) }
            }
        }
        #expect(ledger.commits == commits + 1)
        #expect(throws: LedgerError.unknownData(users: ["nobody"], interactions: [])) { try outcomes[1].get() }
        for (index, user) in [(0, "u1"), (2, "u2"), (3, "u3")] {
            let expected = try other.forget(requestID: user, LedgerFixture.forget(users: [user]), at: alone.now)
            #expect(try outcomes[index].get() == expected)
        }
        #expect(try ledger.snapshot().shards.map(\.manifest) == other.snapshot().shards.map(\.manifest))
        #expect(try ledger.snapshot().pendingForgets == other.snapshot().pendingForgets)
        #expect(try ledger.statistics() == other.statistics())
        #expect(try ledger.auditVerdict().finding == nil)
        #expect(try used(fixture) == used(alone))
    }

    @Test("What one of them changed in the catalogue the next one knows")
    func catalogue() throws {
        let fixture = LedgerFixture()
        var data = SyntheticRatings(users: 6, items: 20, seed: 32)
        data.items.append(Item(id: "rare", title: "A rare film"))
        for user in ["u1", "u2"] {
            data.interactions.append(
                Interaction(
                    user: user, item: "rare", timestamp: 50, rating: 5, ordinal: Int64(data.interactions.count)))
        }
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        let items = try ledger.statistics().items
        try ledger.together {
            for user in ["u1", "u2"] {
                _ = try ledger.forget(requestID: user, LedgerFixture.forget(users: [user]), at: fixture.now)
            }
        }
        #expect(try ledger.inspect("SELECT token FROM items WHERE token = 'rare'").isEmpty)
        #expect(try ledger.statistics().items < items)
    }

    @Test("Where the commit fails nothing of them was, in the file or in memory", arguments: [false, true])
    func failedCommit(isLast: Bool) throws {
        let data = SyntheticRatings(users: 8, seed: 33)
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(data)
        let (before, statistics, slots) = (try ledger.snapshot(), try ledger.statistics(), try used(fixture))
        ledger.interrupt = { if $0 == .beforeCommit { throw Killed() } }
        #expect(throws: Killed.self) {
            try ledger.together {
                for user in ["u1", "u2"] {
                    _ = try ledger.forget(requestID: user, LedgerFixture.forget(users: [user]), at: fixture.now)
                }
                if !isLast { throw Killed() }
            }
        }
        ledger.interrupt = nil
        #expect(try ledger.snapshot() == before && ledger.statistics() == statistics && used(fixture) == slots)
        _ = try ledger.forget(requestID: "u1", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        let fresh = LedgerFixture()
        let other = try fresh.open()
        try fresh.load(data.without(users: ["u1"]), into: other)
        #expect(try ledger.snapshot().shards.map(\.manifest) == other.snapshot().shards.map(\.manifest))
        #expect(try ledger.auditVerdict().finding == nil)
    }

    @Test("A process that is killed after their commit has destroyed all their keys when it is back")
    func killedAfterCommit() throws {
        let data = SyntheticRatings(users: 8, seed: 34)
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(data)
        ledger.interrupt = { if $0 == .afterCommit { throw Killed() } }
        #expect(throws: Killed.self) {
            try ledger.together {
                for user in ["u1", "u2"] {
                    _ = try ledger.forget(requestID: user, LedgerFixture.forget(users: [user]), at: fixture.now)
                }
            }
        }
        let copy = try fixture.copyOfFiles()
        defer { try? FileManager.default.removeItem(at: copy) }
        let again = try fixture.open(at: copy)
        #expect(try again.statistics().users == 6)
        let kept = try again.inspect(
            """
            SELECT slot FROM people UNION ALL SELECT slot FROM shards WHERE slot IS NOT NULL
            UNION ALL SELECT slot FROM sums
            """)
        let adapters = try again.inspect("SELECT DISTINCT slot FROM adapters WHERE slot IS NOT NULL")
        #expect(try usedSlots(copy) == kept.count + adapters.count)
    }

    @Test("A full disk takes back the whole transaction; none of its requests is half done")
    func fullDisk() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 40, seed: 35))
        let before = try ledger.snapshot()
        try ledger.limitGrowth(toPages: 0)
        // Many requests need pages for their records.
        #expect(throws: (any Error).self) {
            try ledger.together {
                for number in 0..<200 {
                    let id = "r\(number) " + String(repeating: "x", count: 300)
                    _ = try ledger.forget(
                        requestID: id, LedgerFixture.forget(users: ["u\(number % 40)"]), at: fixture.now)
                }
            }
        }
        #expect(try ledger.snapshot().shards.map(\.manifest) == before.shards.map(\.manifest))
        #expect(try ledger.snapshot().pendingForgets.isEmpty && ledger.statistics().users == 40)
    }

    private func used(_ fixture: LedgerFixture) throws -> Int { try usedSlots(fixture.directory) }

    private func usedSlots(_ directory: URL) throws -> Int {
        let slots = try Data(contentsOf: directory.appendingPathComponent("keys/slots"))
        return stride(from: 20_480, to: slots.count - 63, by: 64).count { slot in
            slots[slot..<slot + 64].contains { $0 != 0 }
        }
    }
}
