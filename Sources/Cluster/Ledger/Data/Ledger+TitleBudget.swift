import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// Makes prompts anew whose titles are too long together, in a ledger from before there was a budget: they would not
    /// follow from the recorded rows any more. All others are as they were.
    func applyTitleBudget(at time: Date) throws {
        let (configuration, isApplied) = try read { db in
            (
                try Meta.promptConfiguration.value(PromptConfiguration.self, db),
                try Meta.titleBudget.value(Int.self, db) != nil
            )
        }
        guard let configuration, !isApplied else { return }
        let builder = try PromptBuilder(configuration: configuration)
        try commit { db in
            let users = try usersWithLongTitles(configuration, db)
            var (outcome, touched) = (ImportOutcome(), Touched())
            for user in users { try rebuild(user: user, builder, &outcome, &touched, db) }
            outcome.shardsChanged = try refresh(touched, db)
            for shard in outcome.shardsChanged { try giveUpCorrection(shard: shard, .dataChanged, at: time, db) }
            outcome.shortened = outcome.shortened.map { Array($0.sorted().prefix(ImportOutcome.namedPrompts)) }
            try Meta.titleBudget.set(configuration.titleBytes, db)
            if outcome.promptsRebuilt > 0 { try audit(db, "title budget", outcome, at: time) }
        }
    }

    /// Prompts that have shortened titles now.
    func shortenedPrompts(_ db: Database) throws -> ShortenedPrompts {
        if let cachedShortened { return cachedShortened }
        var ids: [String] = []
        if let configuration = try Meta.promptConfiguration.value(PromptConfiguration.self, db) {
            let builder = try PromptBuilder(configuration: configuration)
            for id in try usersWithLongTitles(configuration, db) {
                guard let user = try UserRecord(db, user: id) else { continue }
                ids += try user.prompts(builder).map(\.prompt)
                    .filter { builder.shortens($0, titles: { user.titles[$0] }) }.map(\.id)
            }
        }
        let found = ShortenedPrompts(
            count: ids.count, first: Array(ids.sorted().prefix(ImportOutcome.namedPrompts)))
        cachedShortened = found
        return found
    }

    /// Sorted. What is below the equal share of one title is cut in no prompt.
    private func usersWithLongTitles(_ configuration: PromptConfiguration, _ db: Database) throws -> [Int64] {
        try Int64.fetchAll(
            db,
            sql: """
                SELECT DISTINCT interactions.user FROM interactions
                WHERE item IN (SELECT id FROM items WHERE LENGTH(CAST(title AS BLOB)) > ?) ORDER BY interactions.user
                """, arguments: [configuration.titleBytes / (configuration.historyLength + 1)])
    }
}
