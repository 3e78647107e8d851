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
            let long = Set(context.catalogue.entries.values.filter(context.isLong).map(\.token))
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

    /// Whether any of the person's prompts may be on the list.
    func mayBeShortened(_ person: Person, _ context: PromptContext) -> Bool {
        guard cachedShortened?.hasLongTitles == true else { return false }
        return person.itemsNamed.contains { context.catalogue[$0].map(context.isLong) ?? false }
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

extension PromptContext {
    /// Whether the title may be cut beside others: what is below the equal share of one is cut in no prompt.
    func isLong(_ item: Catalogue.Entry) -> Bool {
        let configuration = builder.configuration
        return (name(item)?.utf8.count ?? 0) > configuration.titleBytes / (configuration.historyLength + 1)
    }
}
