import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

@Suite("Ledger: the error table is read a portion at a time, as if it had been read at once")
struct AttentionReadingTests {
    private let data = SyntheticRatings(users: 100, seed: 4)

    private var fixture: LedgerFixture {
        LedgerFixture(prompts: PromptConfiguration(historyLength: 3, trainFraction: 0.5, validationFraction: 0.8))
    }

    /// - `meanwhile`: called once, after the first portion.
    private func read(_ ledger: Ledger, meanwhile: () throws -> Void) throws -> AttentionTable {
        let reading = AttentionReading()
        #expect(try ledger.goOn(with: reading, for: .zero) == nil)
        try meanwhile()
        while true {
            if let parts = try ledger.goOn(with: reading, for: .zero) { return try parts.table() }
        }
    }

    @Test("Where nobody writes it is the table, with a row for every adapter")
    func alone() throws {
        let ledger = try fixture.trained(data)
        let table = try read(ledger) {}
        #expect(try table == ledger.attentionTable())
        #expect(try table.rows.map(\.adapter) == ledger.adapters().map(\.name) && !table.ids.isEmpty)
        #expect(try ledger.isCurrent(table))
        #expect(try ledger.referencesWithEmbedding() == Set(table.digests))
    }

    @Test("Who is forgotten after having been read is not in it, nor are the adapters that went")
    func forgotten() throws {
        let fixture = fixture
        let ledger = try fixture.trained(data)
        let before = try ledger.attentionTable()
        let table = try read(ledger) {
            let users = (0..<3).map { "u\($0)" }
            _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: users), at: fixture.now)
        }
        #expect(try table == ledger.attentionTable())
        #expect(table.ids.count < before.ids.count && table.rows.count < before.rows.count)
        #expect(try !ledger.isCurrent(before))
    }

    @Test("Adapters that come and go between all portions begin nothing anew, and the table is that of the end")
    func adapters() throws {
        let fixture = fixture
        let ledger = try fixture.trained(data)
        let reading = AttentionReading()
        var found: AttentionTable?
        var portions = 0
        while portions < 12 {
            found = try ledger.goOn(with: reading, for: .zero)?.table()
            guard found == nil else { break }
            portions += 1
            let bytes = Array("other weights \(portions)".utf8)
            try ledger.publish(
                shard: 0, bytes: bytes, report: fixture.report(of: bytes, shard: 0, ledger), at: fixture.now,
                contentName: LedgerFixture.contentName)
        }
        let table = try #require(found)
        #expect(try portions > 1 && table == ledger.attentionTable())
        // Of the one that came last nobody has computed a row.
        #expect(table.rows.map(\.shard) == Array(1..<fixture.shards) && !table.ids.isEmpty)
    }

    @Test("Rows that come while it is read are in it whole, and so is an adapter that comes then")
    func rows() throws {
        let fixture = fixture
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        try fixture.embed(ledger)
        if try ledger.snapshot().unassignedPrompts > 0 { try ledger.partition(at: fixture.now) }
        for shard in 0..<(fixture.shards - 1) { try fixture.publish(ledger, shard: shard) }
        let scored = try read(ledger) { try fixture.score(ledger) }
        #expect(scored.rows.count == fixture.shards - 1)
        #expect(try scored == ledger.attentionTable())
        let published = try read(ledger) {
            try fixture.publish(ledger, shard: fixture.shards - 1)
            try fixture.score(ledger)
        }
        #expect(published.rows.count == fixture.shards)
        #expect(try published == ledger.attentionTable())
    }
}
