import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

/// A record that does not open is one person's matter: everybody else goes on.
@Suite("Ledger: people whose record is damaged")
struct DamagedPersonTests {
    /// Of somebody with training prompts.
    private func damage(_ fixture: LedgerFixture, _ ledger: Ledger, person place: Int) throws {
        try ledger.close()
        try Ledger.tamper(
            """
            UPDATE people SET record = x'00' || record
            WHERE id = (SELECT DISTINCT person FROM members ORDER BY person LIMIT 1 OFFSET \(place))
            """, at: fixture.directory.appendingPathComponent("ledger.sqlite"))
    }

    @Test(
        "The person is set aside by hash, everybody else is there, and the ledger is that of somebody who never had the person",
        arguments: PartitionMethod.allCases)
    func setAside(partition: PartitionMethod) throws {
        let fixture = LedgerFixture(partition: partition)
        let data = SyntheticRatings(users: 12, seed: 21)
        let ledger = try fixture.trained(data)
        let adapters = try ledger.adapters()
        try damage(fixture, ledger, person: 3)
        let again = try fixture.open()
        let lost = Set(data.interactions.map(\.user)).filter { (try? again.hasUser($0)) == false }
        #expect(lost.count == 1)
        let entry = try #require(try again.auditLog().first { $0.kind == "person damaged" })
        #expect(lost.allSatisfy { !entry.detail.contains("\"\($0)\"") })
        let rest = data.without(users: lost)
        #expect(try again.statistics().users == 11)
        #expect(try again.statistics().interactions == Set(rest.interactions.map(\.key)).count)
        for shard in try again.snapshot().shards {
            #expect(try again.manifest(shard: shard.index).digest == shard.manifest)
            #expect(try again.samples(shard: shard.index).count == shard.prompts)
        }
        for split in Split.allCases {
            #expect(try again.prompts(split: split).allSatisfy { !lost.contains($0.prompt.user) })
        }
        // Those that saw the person answer until they are trained anew, as after an import.
        #expect(try again.adapters().map(\.name) == adapters.map(\.name))
        try fixture.prepare(again)
        #expect(try again.snapshot().shards.allSatisfy { $0.isCurrent || $0.prompts == 0 })
        try again.close()
        #expect(try fixture.open().auditLog().count { $0.kind == "person damaged" } == 1)
    }

    @Test(
        "A row that does not say any more where the person's key lies is that person's matter, too",
        arguments: ["slot", "key"])
    func noReference(column: String) throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 26))
        try ledger.close()
        try Ledger.tamper(
            "UPDATE people SET \(column) = 'a text' WHERE id = (SELECT MIN(id) FROM people)",
            at: fixture.directory.appendingPathComponent("ledger.sqlite"))
        let again = try fixture.open()
        #expect(try again.statistics().users == 7)
        #expect(try again.auditLog().count { $0.kind == "person damaged" } == 1)
    }

    @Test("A forget request for such a person takes away what saw them, and they stay out")
    func forgotten() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 12, seed: 22)
        let ledger = try fixture.trained(data)
        try damage(fixture, ledger, person: 5)
        let again = try fixture.open()
        let lost = try #require(data.interactions.map(\.user).first { (try? again.hasUser($0)) == false })
        let request = LedgerFixture.forget(users: [lost])
        let plan = try again.plan(request)
        let outcome = try again.forget(requestID: "f", request, at: fixture.now)
        #expect(outcome.counts.users == 1 && outcome.shards.count == 1 && outcome.shards == plan.shards.map(\.index))
        #expect(outcome.droppedAdapters.count == 1 && outcome.waitingFor == outcome.shards)
        #expect(try again.plan(request).alreadyForgotten == 1)
        #expect(
            try fixture.load(data, into: again, id: "again").rowsRefused == data.interactions.count { $0.user == lost })
    }

    @Test(
        "So does a request for one of their interactions, with or without its time; it stays out, others may come",
        arguments: [false, true])
    func partlyForgotten(hasTimestamp: Bool) throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 12, seed: 25)
        let ledger = try fixture.trained(data)
        try damage(fixture, ledger, person: 4)
        let again = try fixture.open()
        let lost = try #require(data.interactions.map(\.user).first { (try? again.hasUser($0)) == false })
        let one = try #require(data.interactions.first { $0.user == lost })
        let request = ClientRequest.ForgetRequest(
            users: [],
            interactions: [.init(user: lost, item: one.item, timestamp: hasTimestamp ? one.timestamp : nil)])
        let plan = try again.plan(request)
        let outcome = try again.forget(requestID: "f", request, at: fixture.now)
        #expect(outcome.shards.count == 1 && outcome.shards == plan.shards.map(\.index))
        #expect(outcome.droppedAdapters.count == 1 && outcome.waitingFor == outcome.shards)
        #expect(outcome.alreadyForgotten == 0)
        // Nothing that saw the person is left.
        try fixture.prepare(again)
        let repeated = try again.forget(requestID: "again", request, at: fixture.now)
        #expect(repeated.alreadyForgotten == 1 && repeated.shards.isEmpty && repeated.droppedAdapters.isEmpty)
        #expect(try fixture.load(data, into: again, id: "again").rowsRefused == 1)
        #expect(try again.history(user: lost).count == data.interactions.count { $0.user == lost } - 1)
        // Of somebody who is there, what is not is unknown as ever.
        #expect(throws: LedgerError.self) {
            try again.forget(
                requestID: "unknown",
                .init(users: [], interactions: [.init(user: lost, item: "never", timestamp: nil)]), at: fixture.now)
        }
    }

    @Test("Such a person who is imported again is there again")
    func importedAgain() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 8, seed: 23)
        let ledger = try fixture.trained(data)
        let before = try ledger.snapshot().shards.map(\.manifest)
        try damage(fixture, ledger, person: 2)
        let again = try fixture.open()
        #expect(try again.snapshot().shards.map(\.manifest) != before)
        #expect(try fixture.load(data, into: again, id: "again").rowsNew > 0)
        #expect(try again.snapshot().shards.map(\.manifest) == before && again.statistics().users == 8)
    }

    @Test("People are found again after the key of their names was lost and nothing had been forgotten yet")
    func newNames() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 8, seed: 24)
        let ledger = try fixture.trained(data)
        let shards = try ledger.snapshot().shards
        try ledger.close()
        try FileManager.default.removeItem(at: fixture.directory.appendingPathComponent("tombstone.key"))
        let again = try fixture.open()
        #expect(try Set(data.interactions.map(\.user)).allSatisfy { try again.hasUser($0) })
        #expect(try again.snapshot().shards == shards)
        #expect(try fixture.load(data, into: again, id: "again").rowsNew == 0)
    }
}
