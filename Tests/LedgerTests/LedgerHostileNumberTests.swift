import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

@Suite("Numbers that a ledger kept from before they were bounded")
struct LedgerHostileNumberTests {
    private let fixture = LedgerFixture()
    private let data = SyntheticRatings(users: 12, seed: 3)

    @Test(
        "Stored token counts at the end of the integers stop neither a dry run nor status nor a start",
        arguments: [Int.max, Int.max - 1, .min, -1])
    func tokens(_ tokens: Int) throws {
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        for shard in try ledger.snapshot().shards where shard.prompts > 0 {
            let bytes = LedgerFixture.adapter(shard.index, shard.manifest)
            var report = try fixture.report(of: bytes, shard: shard.index, ledger)
            report.tokens = tokens
            report.seconds = 1e-9
            try ledger.publish(
                shard: shard.index, bytes: bytes, report: report, at: fixture.now,
                contentName: LedgerFixture.contentName)
        }
        try ledger.close()
        let reopened = try fixture.open()
        let plan = try reopened.plan(LedgerFixture.forget(users: (0..<5).map { "u\($0)" }))
        #expect(plan.shards.count { $0.retrains } > 1)
        #expect(try #require(plan.tokens) >= 0)
        _ = try ReplyCoding.encode(plan)
        _ = try ReplyCoding.encode(reopened.statistics())
        try reopened.close()
    }

    @Test("The model says how wide embeddings are: the first one that comes does not")
    func width() throws {
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        let wanted = try ledger.samplesWithoutEmbedding(limit: 1)
        // Stored by a version that believed the first.
        try ledger.store(embeddings: [1, 2, 3], of: wanted.map(\.digest), at: fixture.now)
        let missing = try ledger.snapshot().missingEmbeddings
        try ledger.requireEmbeddings(ofWidth: 4, at: fixture.now)
        #expect(try ledger.snapshot().missingEmbeddings == missing + 1)
        #expect(throws: LedgerError.embeddingWidth(expected: 4, found: 3)) {
            try ledger.store(embeddings: [1, 2, 3], of: wanted.map(\.digest), at: fixture.now)
        }
        try fixture.embed(ledger)
        #expect(try ledger.snapshot().missingEmbeddings == 0)
    }
}
