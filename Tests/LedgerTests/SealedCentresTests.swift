import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

@Suite("Ledger: centres of a partition are sealed")
struct SealedCentresTests {
    private func place(_ ledger: Ledger) throws -> (slot: Int, key: Int64) {
        let row = try #require(ledger.inspect("SELECT slot || '|' || key FROM partition").first)
        let parts = row.split(separator: "|")
        return (try #require(Int(parts[0])), try #require(Int64(parts[1])))
    }

    private func bytes(_ centres: [Float]) -> Data {
        Data(centres.flatMap { withUnsafeBytes(of: $0.bitPattern.littleEndian) { Array($0) } })
    }

    @Test("No file holds them in clear, and newcomers are dealt to them", arguments: [PartitionMethod.semantic, .user])
    func sealed(partition: PartitionMethod) throws {
        let fixture = LedgerFixture(partition: partition)
        let data = SyntheticRatings(users: 16, seed: 51)
        let ledger = try fixture.trained(data.without(users: ["u14", "u15"]))
        let centres = try #require(try ledger.recordedCentres())
        #expect(centres.count == 3 * 4)
        #expect(try fixture.files(holding: [bytes(centres)]) == [])
        try ledger.close()
        #expect(try fixture.files(holding: [bytes(centres)]) == [])
        let again = try fixture.open()
        #expect(try again.recordedCentres() == centres)
        try fixture.load(data, into: again, id: "more")
        #expect(try again.snapshot().unassignedPrompts > 0)
        try fixture.prepare(again)
        #expect(try again.snapshot().isPartitioned && again.recordedCentres() == centres)
    }

    @Test("Their key goes with the last training prompt", arguments: [PartitionMethod.semantic, .user])
    func last(partition: PartitionMethod) throws {
        let fixture = LedgerFixture(partition: partition)
        let data = SyntheticRatings(users: 6, seed: 52)
        let ledger = try fixture.trained(data)
        let place = try place(ledger)
        #expect(try fixture.holds(key: place.key, slot: place.slot))
        let users = Set(data.interactions.map(\.user)).sorted()
        _ = try ledger.forget(requestID: "all", LedgerFixture.forget(users: users), at: fixture.now)
        #expect(try ledger.recordedCentres() == nil)
        #expect(try !fixture.holds(key: place.key, slot: place.slot))
    }

    @Test(
        "With their key lost everybody stays where they are, the log says so, and newcomers are dealt out all the same",
        arguments: [PartitionMethod.semantic, .user])
    func lost(partition: PartitionMethod) throws {
        let fixture = LedgerFixture(partition: partition)
        let data = SyntheticRatings(users: 16, seed: 53)
        let ledger = try fixture.trained(data.without(users: ["u14", "u15"]))
        let slot = try place(ledger).slot
        let shards = try ledger.snapshot().shards
        let before = try ledger.prompts(split: .train).map { [$0.id, $0.shard.map(String.init) ?? ""] }
        try ledger.close()
        try fixture.damage(slots: [slot])
        let again = try fixture.open()
        #expect(try again.auditLog().count { $0.kind == "centres lost" } == 1)
        #expect(try again.recordedCentres() == nil && again.snapshot().shards == shards)
        #expect(try again.prompts(split: .train).map { [$0.id, $0.shard.map(String.init) ?? ""] } == before)
        try fixture.load(data, into: again, id: "more")
        try fixture.prepare(again)
        #expect(try again.snapshot().isPartitioned && again.recordedCentres() != nil)
        #expect(try again.isNamedByItsPrompts())
        try again.close()
        #expect(try fixture.open().auditLog().count { $0.kind == "centres lost" } == 1)
    }

    @Test(
        "Centres that do not open are lost like those without a key: one bit keeps nobody from being dealt out",
        arguments: [
            "centres = CAST(substr(centres, 1, 20) || zeroblob(8) || substr(centres, 29) AS BLOB)", "centres = x'00'",
            "centres = 'a text'", "dimension = 'a text'", "dimension = 0", "slot = 'a text'", "key = 'a text'",
            "slot = NULL", "key = NULL",
        ])
    func damaged(change: String) throws {
        let fixture = LedgerFixture(partition: .user)
        let data = SyntheticRatings(users: 16, seed: 54)
        let ledger = try fixture.trained(data.without(users: ["u14", "u15"]))
        let place = try place(ledger)
        try ledger.close()
        let used = try fixture.usedSlots()
        try Ledger.tamper("UPDATE partition SET \(change)", at: fixture.database)
        let again = try fixture.open()
        #expect(try again.auditLog().count { $0.kind == "centres lost" } == 1)
        #expect(try again.recordedCentres() == nil && !fixture.holds(key: place.key, slot: place.slot))
        #expect(try fixture.usedSlots() == used - 1)
        try fixture.load(data, into: again, id: "more")
        try fixture.prepare(again)
        #expect(try again.snapshot().isPartitioned && again.recordedCentres() != nil)
    }
}
