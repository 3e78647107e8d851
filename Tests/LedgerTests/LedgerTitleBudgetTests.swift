import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

@Suite("Long titles in the ledger")
struct LedgerTitleBudgetTests {
    /// Twelve users, of whom those who rated m0 have one title of 9,000 bytes.
    private var data: SyntheticRatings {
        var data = SyntheticRatings(users: 12, seed: 5)
        data.items[0].title = String(repeating: "ꯃ", count: 3000)
        return data
    }

    private func prompts(_ ledger: Ledger) throws -> [StoredPrompt] {
        try Split.allCases.flatMap { try ledger.prompts(split: $0) }
    }

    @Test("An import and status count the shortened prompts and name them; the others are as without the rule")
    func counted() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        let outcome = try fixture.load(data, into: ledger)
        let shortened = try prompts(ledger).filter { $0.prompt.input.contains("…") }.map(\.prompt.id).sorted()
        #expect(shortened.count > 0 && outcome.promptsShortened == shortened.count)
        #expect(outcome.shortened == Array(shortened.prefix(20)))
        let statistics = try ledger.statistics()
        #expect(statistics.promptsShortened == shortened.count && statistics.shortened == outcome.shortened)
        #expect(try prompts(ledger).allSatisfy { $0.prompt.text.utf8.count < 6000 })

        let unlimited = LedgerFixture(prompts: PromptConfiguration(historyLength: 4, titleBytes: 1_000_000))
        let other = try unlimited.open()
        #expect(try unlimited.load(data, into: other).promptsShortened == nil)
        let digests = Set(try prompts(other).map(\.digest))
        for prompt in try prompts(ledger) {
            #expect(digests.contains(prompt.digest) != shortened.contains(prompt.prompt.id))
        }
    }

    @Test("A ledger from before the rule opens; only its overlong prompts are made anew, and only their shards retrain")
    func older() throws {
        let older = try OlderDataDirectory(.exact)
        let database = older.directory.appendingPathComponent("ledger.sqlite")
        let plain = try OlderDataDirectory(.exact).open()
        let before = Set(try prompts(plain).map(\.digest))
        let (item, title) = try #require(
            try plain.items().first { item in
                try prompts(plain).contains { $0.split == .train && $0.prompt.input.contains("\"\(item.title)\"") }
            }.map { ($0.id, String(repeating: "ꯃ", count: 3000)) })
        // As that release would have had it: the prompts under the digests that they had.
        try Ledger.tamper("UPDATE items SET title = '\(title)' WHERE token = '\(item)'", at: database)
        let reopened = try older.open()
        #expect(try reopened.promptConfiguration()?.titleBytes == PromptConfiguration.defaultTitleBytes)
        let after = try prompts(reopened)
        let changed = after.filter { !before.contains($0.digest) }
        #expect(!changed.isEmpty && changed.allSatisfy { $0.prompt.input.contains("…") })
        #expect(after.contains { before.contains($0.digest) })
        let adapters = Set(try reopened.adapters().map(\.shard))
        let stale = Set(try reopened.snapshot().shards.filter { !$0.isCurrent }.map(\.index))
        let staleBefore = Set(try plain.snapshot().shards.filter { !$0.isCurrent }.map(\.index))
        let touched = Set(changed.compactMap(\.shard))
        #expect(stale == staleBefore.union(touched) && !touched.isDisjoint(with: adapters))
    }
}
