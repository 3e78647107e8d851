import ClusterTestSupport
import Crypto
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

/// A key that cannot be used any more is no less to be destroyed: what is left of it opens what it sealed, one bit tried after
/// the other.
@Suite("Ledger: damaged keys")
struct LedgerDamagedKeyTests {
    /// Where the ledger names keys.
    struct Owner: CustomTestStringConvertible {
        var table: String
        var slot = "slot"
        var key = "key"

        var testDescription: String { "\(table).\(slot)" }

        static let all = [
            Owner(table: "people"), Owner(table: "shards"), Owner(table: "adapters"), Owner(table: "corrections"),
            Owner(table: "corrections", slot: "changes_slot", key: "changes_key"), Owner(table: "imports"),
        ]
    }

    enum Damage: CaseIterable {
        /// A bit of the key in its slot; of the slot's number, or the key's, in the database.
        case slot, slotNumber, keyNumber
    }

    /// A ledger with keys of every kind.
    private func complete(_ fixture: LedgerFixture) throws -> Ledger {
        let data = SyntheticRatings(users: 20, seed: 1)
        let ledger = try fixture.trained(data)
        let victim = try #require(
            try ledger.prompts(split: .train).filter { $0.shard == 1 }.map(\.prompt.user).min())
        _ = try ledger.forget(
            requestID: "r", LedgerFixture.forget(users: [victim], method: "e2urec"), at: fixture.now)
        _ = try ledger.shardKeys(shard: 0)
        try ledger.stage(importID: "begun", sequence: 0, items: data.items, interactions: [], at: fixture.now)
        return ledger
    }

    private func slots(_ fixture: LedgerFixture) -> URL { fixture.directory.appendingPathComponent("keys/slots") }

    @Test(
        "One bit that flips takes the key's owner away, and one start destroys what is left of the key",
        arguments: Owner.all, Damage.allCases)
    func flipped(owner: Owner, damage: Damage) throws {
        let fixture = LedgerFixture()
        let ledger = try complete(fixture)
        let (table, slotColumn, keyColumn) = (owner.table, owner.slot, owner.key)
        let row = try #require(
            try ledger.inspect(
                "SELECT MIN(rowid) FROM \(table) WHERE \(slotColumn) IS NOT NULL"
            ).first)
        let slot = try #require(
            try ledger.inspect("SELECT \(slotColumn) FROM \(table) WHERE rowid = \(row)").first.flatMap(Int.init))
        let (users, cluster) = (try ledger.statistics().users, ledger.cluster)
        try ledger.recordCopy(HandedCopy(worker: "w", name: "host:1", shard: 0, manifest: "m"), at: fixture.now)
        try ledger.close()

        var bytes = try Data(contentsOf: slots(fixture))
        let payload = 20_480 + 64 * slot + 8
        let remains = [Data(bytes[payload..<payload + 12]), Data(bytes[payload + 13..<payload + 32])]
        let database = fixture.directory.appendingPathComponent("ledger.sqlite")
        switch damage {
        case .slot:
            bytes[payload + 12] ^= 4
            try bytes.write(to: slots(fixture))
        case .slotNumber:
            try Ledger.tamper(
                "UPDATE \(table) SET \(slotColumn) = (\(slotColumn) | 64) - (\(slotColumn) & 64) WHERE rowid = \(row)",
                at: database)
        case .keyNumber:
            try Ledger.tamper(
                "UPDATE \(table) SET \(keyColumn) = (\(keyColumn) | 8) - (\(keyColumn) & 8) WHERE rowid = \(row)",
                at: database)
        }

        let again = try fixture.open()
        // Everybody else goes on, and nothing is said of copies that are as they were.
        #expect(try again.statistics().users == users - (table == "people" ? 1 : 0))
        #expect(try again.auditLog().count { $0.kind == "person damaged" } == (table == "people" ? 1 : 0))
        #expect(try again.inspect("SELECT sealed FROM copies WHERE worker = 'w'") == ["1"])
        try again.close()
        let after = try Data(contentsOf: slots(fixture))
        for part in remains { #expect(after.range(of: part) == nil) }
        let folder = fixture.directory.appendingPathComponent("keys")
        let keys = try KeyFolder(folder: folder, cluster: cluster, isNew: false, master: nil)
        #expect(try keys.damagedSlots() == [])
        keys.close()
        #expect(try KeyFolder.rewrap(folder: folder, from: nil, to: SymmetricKey(size: .bits256)) > 0)
    }

    @Test("A shard's key that is found damaged while the ledger is open goes when the shard gets another one")
    func whileOpen() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 2))
        let before = try ledger.shardKeys(shard: 0).shard
        let slot = try #require(
            try ledger.inspect("SELECT slot FROM shards WHERE shard = 0").first.flatMap(Int.init))
        let bytes = try Data(contentsOf: slots(fixture))
        let payload = 20_480 + 64 * slot + 8
        let file = try FileHandle(forWritingTo: slots(fixture))
        try file.seek(toOffset: UInt64(payload + 12))
        try file.write(contentsOf: Data([bytes[payload + 12] ^ 4]))
        try file.close()
        #expect(try ledger.shardKeys(shard: 0).shard != before)
        let after = try Data(contentsOf: slots(fixture))
        #expect(after.range(of: Data(bytes[payload + 13..<payload + 32])) == nil)
    }
}
