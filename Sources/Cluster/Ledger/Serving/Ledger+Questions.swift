import GRDB
import Messages
import Recommendation

/// What forget requests took away that a question may have been answered from.
package struct ForgottenBasis: Sendable, Equatable {
    /// Numbers of those of whom something was forgotten.
    package var people: Set<Int64> = []
    /// That left the catalogue.
    package var items: Set<String> = []

    package init(people: Set<Int64> = [], items: Set<String> = []) {
        self.people = people
        self.items = items
    }
}

/// What a question is made from.
package struct QuestionData: Sendable {
    /// The person's number.
    package var person: Int64
    /// As the person is called in the ledger.
    package var user: String
    package var history: [Interaction]
    /// What prompts call the history's items.
    package var titles: [String: String]
    package var items: [Item]
}

/// Why a question cannot be asked.
package enum QuestionObjection: Error, Equatable {
    case unknownUser
    case unknownItems([String])
    /// The catalogue has more that the user has not rated.
    case tooManyItems
}

extension Ledger {
    /// What forgets took away since the last call; more than that if some of them failed.
    package func takeTouched() -> ForgottenBasis {
        defer { touched = ForgottenBasis() }
        return touched
    }

    /// Looks up what is asked about and no more: the catalogue only where all of it is.
    ///
    /// - `items`: names; empty: what the user has not rated, sorted by id.
    /// - `limit`: items of the catalogue at most.
    /// - Throws: `QuestionObjection`.
    package func question(user: String, items asked: [String], limit: Int) throws -> QuestionData {
        try read { db in
            let catalogue = try catalogue(db)
            // Whom earlier releases kept under several spellings is asked about under the first.
            guard let known = try people(named: user.normalised, db).first else { throw QuestionObjection.unknownUser }
            let history = try known.person.interactions(catalogue)
            let context = try promptContext(db)
            var titles: [String: String] = [:]
            for (kept, row) in zip(known.person.interactions, history) {
                titles[row.item] = context?.title(of: kept.item)
            }
            let items =
                asked.isEmpty
                ? try unrated(by: known.person, catalogue, limit: limit) : try named(asked, catalogue)
            return QuestionData(
                person: known.id, user: known.person.name, history: history, titles: titles, items: items)
        }
    }

    private func named(_ names: [String], _ catalogue: Catalogue) throws -> [Item] {
        var unknown: [String] = []
        let items = names.compactMap { name -> Item? in
            let entry = catalogue.numbers(of: name.normalised).lazy.compactMap { catalogue[$0] }.first
            guard let entry, let title = entry.title else {
                unknown.append(name)
                return nil
            }
            return Item(id: entry.token, title: title, fields: entry.fields)
        }
        guard unknown.isEmpty else { throw QuestionObjection.unknownItems(unknown) }
        return items
    }

    private func unrated(by person: Person, _ catalogue: Catalogue, limit: Int) throws -> [Item] {
        let rated = Set(person.interactions.map(\.item))
        var items: [Item] = []
        for (number, entry) in catalogue.entries where !rated.contains(number) {
            guard let title = entry.title else { continue }
            guard items.count < limit else { throw QuestionObjection.tooManyItems }
            items.append(Item(id: entry.token, title: title, fields: entry.fields))
        }
        return items.sorted { $0.id.utf8.lexicographicallyPrecedes($1.id.utf8) }
    }
}
