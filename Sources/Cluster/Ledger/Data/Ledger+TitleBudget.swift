import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// Prompts that have shortened titles now.
    func shortenedPrompts(_ db: Database) throws -> ShortenedPrompts {
        if let cachedShortened { return cachedShortened }
        var ids: [String] = []
        if let context = try promptContext(db) {
            let configuration = context.builder.configuration
            // What is below the equal share of one title is cut in no prompt.
            let share = configuration.titleBytes / (configuration.historyLength + 1)
            let long = Set(
                context.catalogue.entries.filter { ($0.value.title?.utf8.count ?? 0) > share }.map(\.value.token))
            if !long.isEmpty {
                try forEachPrompt(of: .everything, db) { _, prompt in
                    let shown = prompt.history + [prompt.prompt.target]
                    guard shown.contains(where: { long.contains($0.item) }) else { return }
                    if context.shortens(prompt) { ids.append(prompt.id) }
                }
            }
        }
        let found = ShortenedPrompts(
            count: ids.count, first: Array(ids.sorted().prefix(ImportOutcome.namedPrompts)))
        cachedShortened = found
        return found
    }
}
