import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Testing

@Suite("Ledger: damaged adapter files")
struct LedgerDamagedAdapterTests {
    private func file(_ name: String, _ fixture: LedgerFixture) -> URL {
        fixture.directory.appendingPathComponent("adapters/\(name).sealed")
    }

    private func damage(_ name: String, _ fixture: LedgerFixture) throws {
        var bytes = try Data(contentsOf: file(name, fixture))
        bytes[bytes.count / 2] ^= 1
        try bytes.write(to: file(name, fixture))
    }

    @Test("No byte of a damaged or lost file leaves the ledger")
    func refused() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 16, seed: 1))
        let adapters = try ledger.adapters()
        try damage(adapters[0].name, fixture)
        try FileManager.default.removeItem(at: file(adapters[1].name, fixture))
        #expect(throws: LedgerError.adapterDamaged(name: adapters[0].name, shard: 0)) {
            try ledger.adapterBytes(name: adapters[0].name)
        }
        #expect(throws: LedgerError.adapterLost(name: adapters[1].name, shard: 1)) {
            try ledger.adapterBytes(name: adapters[1].name)
        }
        #expect(try ledger.adapterBytes(name: adapters[2].name) == LedgerFixture.adapter(2, adapters[2].manifest))
    }

    @Test(
        "Its shard answers nothing until it is published again, and the audit log says why", arguments: [true, false])
    func dropped(lost: Bool) throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 16, seed: 2))
        let adapters = try ledger.adapters()
        let name = adapters[1].name
        #expect(try ledger.dropDamagedAdapters(at: fixture.now).isEmpty)
        if lost {
            try FileManager.default.removeItem(at: file(name, fixture))
        } else {
            try damage(name, fixture)
        }
        let expected = DamagedAdapter(shard: 1, adapter: name, lost: lost, approximate: false)
        #expect(try ledger.dropIfDamaged(adapter: adapters[0].name, at: fixture.now).isEmpty)
        #expect(try ledger.dropIfDamaged(adapter: name, at: fixture.now) == [expected])
        #expect(try ledger.dropIfDamaged(adapter: name, at: fixture.now).isEmpty)
        let shard = try ledger.snapshot().shards[1]
        #expect(shard.adapter == nil && shard.damage == expected && shard.quarantinedSince != nil && !shard.isCurrent)
        #expect(try ledger.adapters().map(\.name) == [adapters[0].name, adapters[2].name])
        #expect(!FileManager.default.fileExists(atPath: file(name, fixture).path))
        #expect(try ledger.auditLog().last?.kind == "adapter damaged" && ledger.auditVerdict().isIntact)

        #expect(try fixture.publish(ledger, shard: 1) == name)
        let healed = try ledger.snapshot().shards[1]
        #expect(healed.isCurrent && healed.damage == nil && healed.quarantinedSince == nil)
        #expect(try ledger.adapterBytes(name: name) == LedgerFixture.adapter(1, adapters[1].manifest))
    }

    @Test("A ledger reads all files when it is opened")
    func opening() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 16, seed: 3))
        let adapters = try ledger.adapters()
        try ledger.close()
        try damage(adapters[0].name, fixture)
        try FileManager.default.removeItem(at: file(adapters[2].name, fixture))
        let again = try fixture.open()
        #expect(try again.adapters().map(\.shard) == [1])
        #expect(try again.snapshot().shards.map { $0.damage?.lost } == [false, nil, true])
    }

    @Test("A forget of a shard whose adapter is damaged waits for the next one")
    func forgetting() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 16, seed: 4))
        let adapters = try ledger.adapters()
        for adapter in adapters { try damage(adapter.name, fixture) }
        #expect(try ledger.dropDamagedAdapters(at: fixture.now).count == 3)
        let outcome = try ledger.forget(requestID: "r", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        #expect(!outcome.shards.isEmpty && outcome.waitingFor == outcome.shards)
        try fixture.prepare(ledger)
        let statement = try ledger.finishForget(request: "r", at: fixture.now).statement
        #expect(statement.shards.allSatisfy { $0.newAdapter != nil })
        #expect(try ledger.snapshot().shards.allSatisfy { $0.damage == nil && $0.isCurrent })
    }

    /// Forgets a target by an approximate method; the only shard's adapter is to be corrected then.
    private func correct(_ id: String, _ ledger: Ledger, _ fixture: LedgerFixture) throws {
        var request = LedgerFixture.forget(try #require(ledger.prompts(split: .train).first).prompt.target)
        request.method = "e2urec"
        #expect(try ledger.forget(requestID: id, request, at: fixture.now).correcting == [0])
    }

    @Test("A damaged original ends the correction, and a damaged correction is replaced by an exact adapter")
    func approximate() throws {
        let fixture = LedgerFixture(shards: 1)
        let ledger = try fixture.trained(SyntheticRatings(users: 16, seed: 5))
        let original = try #require(ledger.adapters().first)
        try correct("a", ledger, fixture)
        try damage(original.name, fixture)
        let manifest = try ledger.snapshot().shards[0].manifest
        #expect(throws: LedgerError.adapterDamaged(name: original.name, shard: 0)) {
            try ledger.correction(shard: 0, manifest: manifest)
        }
        #expect(try ledger.dropDamagedAdapters(at: fixture.now).count == 1)
        let given = try ledger.snapshot().shards[0]
        #expect(given.correction == nil && given.fallback == .originalDamaged && given.damage != nil)
        try fixture.prepare(ledger)

        try correct("b", ledger, fixture)
        let corrected = try fixture.correct(ledger, shard: 0)
        try damage(corrected, fixture)
        #expect(try ledger.dropDamagedAdapters(at: fixture.now).map(\.approximate) == [true])
        #expect(try ledger.snapshot().shards[0].correction == nil)
        try fixture.prepare(ledger)
        #expect(try ledger.adapters().map(\.report.method) == [.apa])
    }
}
