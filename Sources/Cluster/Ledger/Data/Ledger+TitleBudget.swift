import Foundation
import GRDB
import Messages
import Recommendation

extension Ledger {
    /// Prompts that have shortened titles now.
    func shortenedPrompts(_ db: Database) throws -> ShortenedPrompts {
        if let cachedShortened { return cachedShortened }
        var ids: Set<String> = []
        var hasLongTitles = false
        if let context = try promptContext(db) {
            let configuration = context.builder.configuration
            // What is below the equal share of one title is cut in no prompt.
            let share = configuration.titleBytes / (configuration.historyLength + 1)
            let long = Set(
                context.catalogue.entries.filter { ($0.value.title?.utf8.count ?? 0) > share }.map(\.value.token))
            hasLongTitles = !long.isEmpty
            if hasLongTitles {
                try forEachPrompt(of: .everything, db) { _, prompt in
                    let shown = prompt.history + [prompt.prompt.target]
                    guard shown.contains(where: { long.contains($0.item) }) else { return }
                    if context.shortens(prompt) { ids.insert(prompt.id) }
                }
            }
        }
        let found = ShortenedPrompts(ids: ids, hasLongTitles: hasLongTitles)
        cachedShortened = found
        return found
    }

    /// Brings the list up to date with what becomes of one person.
    func countShortened(_ change: PersonChange, _ db: Database) throws {
        guard cachedShortened?.hasLongTitles == true, let context = try promptContext(db) else { return }
        let (gone, there) = (change.old.map(\.id), change.new.filter(context.shortens).map(\.id))
        afterWriting.append { [self] in
            for id in gone { cachedShortened?.remove(id) }
            for id in there { cachedShortened?.insert(id) }
        }
    }
}
