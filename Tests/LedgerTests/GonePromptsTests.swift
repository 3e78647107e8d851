import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

@Suite("Ledger: prompts that are forgotten while something of them is computed")
struct GonePromptsTests {
    /// Prompts that are to be embedded, handed out.
    private func handedOut(_ fixture: LedgerFixture) throws -> (ledger: Ledger, digests: [String]) {
        let ledger = try fixture.open()
        try fixture.load(SyntheticRatings(users: 10, seed: 91), into: ledger)
        let digests = try ledger.samplesWithoutEmbedding(limit: 10_000).map(\.digest)
        try #require(digests.count > 10)
        return (ledger, digests)
    }

    private func gone(_ digests: [String], _ ledger: Ledger) throws -> Set<String> {
        Set(digests).subtracting(try ledger.samples(digests: digests).map(\.digest))
    }

    @Test("Those of whom something was forgotten since the last question, or the one before, are named")
    func named() throws {
        let fixture = LedgerFixture(partition: .semantic)
        let (ledger, digests) = try handedOut(fixture)
        #expect(try ledger.goneLately(of: digests).isEmpty)
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u3"]), at: fixture.now)
        let gone = try gone(digests, ledger)
        #expect(!gone.isEmpty)
        // What was given out while the first question was on its way is in the second only.
        let half = Array(digests.prefix(digests.count / 2))
        #expect(try Set(ledger.goneLately(of: half)) == gone.intersection(half))
        #expect(try Set(ledger.goneLately(of: digests)) == gone)
        #expect(try ledger.goneLately(of: digests).isEmpty)
        // Of whom it is not known that they were handed out.
        #expect(try ledger.goneLately(of: ["other"]) == ["other"])
    }

    @Test("Of a chunk that was computed meanwhile the rows of those who are there are kept, and no others")
    func kept() throws {
        let fixture = LedgerFixture(partition: .semantic)
        let (ledger, digests) = try handedOut(fixture)
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u3"]), at: fixture.now)
        let gone = try gone(digests, ledger)
        let left = try ledger.samplesWithoutEmbedding(limit: 10_000).map(\.digest)
        // Prompts that the forgetting made anew are still to come.
        let added = Set(left).subtracting(digests)
        let values = [Float](repeating: 0.5, count: 2 * digests.count)
        try ledger.store(embeddings: values, of: digests, at: fixture.now)
        #expect(try Set(ledger.samplesWithoutEmbedding(limit: 10_000).map(\.digest)) == added)
        #expect(try ledger.snapshot().missingEmbeddings == added.count && !gone.isEmpty)
    }
}
