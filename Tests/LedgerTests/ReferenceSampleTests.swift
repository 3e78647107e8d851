import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

@Suite("Ledger: adapters are compared on a bounded sample")
struct ReferenceSampleTests {
    private func fixture(_ most: Int, partition: PartitionMethod = .userHash) -> LedgerFixture {
        let fixture = LedgerFixture(
            partition: partition,
            prompts: PromptConfiguration(historyLength: 3, trainFraction: 0.5, validationFraction: 0.8))
        fixture.referencePrompts = most
        return fixture
    }

    private func references(_ ledger: Ledger) throws -> Set<String> {
        try Set(ledger.prompts(split: .validation).filter(\.isReference).map(\.id))
    }

    @Test("Of many prompts a keyed sample counts, and nothing else of the cluster changes by it", arguments: [12, 30])
    func bounded(most: Int) throws {
        let data = SyntheticRatings(users: 60, seed: 4)
        let (small, large) = (fixture(most), fixture(10_000))
        let (ledger, whole) = (try small.trained(data), try large.trained(data))
        let (snapshot, other) = (try ledger.snapshot(), try whole.snapshot())
        #expect(other.referencePrompts == other.validationPrompts && other.validationPrompts > 30)
        #expect(snapshot.validationPrompts == other.validationPrompts)
        #expect((1...most).contains(snapshot.referencePrompts) && snapshot.missingEmbeddings == 0)
        #expect(snapshot.shards.map(\.manifest) == other.shards.map(\.manifest))
        #expect(snapshot.shards.map(\.adapter?.name) == other.shards.map(\.adapter?.name))
        let chosen = try references(ledger)
        #expect(try chosen.count == snapshot.referencePrompts && chosen.isSubset(of: references(whole)))
        let table = try ledger.attentionTable()
        #expect(Set(table.ids) == chosen && table.rows.count == 3 && snapshot.isTuned)
        #expect(try ledger.auditLog().count { $0.kind == "margins" } == 3)
        // In portions it is the same.
        let portions = fixture(most)
        let again = try portions.open()
        for start in stride(from: 0, to: 60, by: 20) {
            let names = Set((start..<start + 20).map { "u\($0)" })
            var part = data
            part.interactions.removeAll { !names.contains($0.user) }
            try portions.load(part, into: again, id: "part \(start)")
            #expect(try again.snapshot() == again.snapshotReadWhole())
            #expect(try again.snapshot().referencePrompts <= most)
        }
        #expect(try references(again) == chosen)
    }

    @Test("What left the sample does not come back, and what is forgotten leaves it")
    func sticky() throws {
        let fixture = fixture(20)
        let ledger = try fixture.trained(SyntheticRatings(users: 24, seed: 2))
        let before = try references(ledger)
        for user in 0..<16 {
            _ = try ledger.forget(
                requestID: "f\(user)", LedgerFixture.forget(users: ["u\(user)"]), at: fixture.now)
            #expect(try ledger.snapshot() == ledger.snapshotReadWhole())
        }
        #expect(try references(ledger).isSubset(of: before))
        try fixture.prepare(ledger)
        try ledger.close()
        let reopened = try fixture.open()
        #expect(try references(reopened).isSubset(of: before))
        #expect(try reopened.snapshot().shards.allSatisfy { $0.adapter?.missingMargins ?? 0 == 0 })
    }

    @Test("A data directory of before keeps all of them")
    func older() throws {
        let fixture = fixture(10)
        let ledger = try fixture.open()
        try ledger.tamper("UPDATE reference_prompts SET most = NULL")
        try fixture.load(SyntheticRatings(users: 20, seed: 1), into: ledger)
        let snapshot = try ledger.snapshot()
        #expect(snapshot.referencePrompts == snapshot.validationPrompts && snapshot.validationPrompts > 10)
    }
}
