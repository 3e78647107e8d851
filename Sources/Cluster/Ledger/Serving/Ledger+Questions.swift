import GRDB
import Messages
import Recommendation

/// What forget requests took away that a question may have been answered from.
package struct ForgottenBasis: Sendable, Equatable {
    /// Numbers of those of whom something was forgotten.
    package var people: Set<Int64> = []
    /// That left the catalogue.
    package var items: Set<String> = []
    /// It is known of fewer people who likes what: candidates may be others.
    package var changesLikes = false

    package init(people: Set<Int64> = [], items: Set<String> = [], changesLikes: Bool = false) {
        self.people = people
        self.items = items
        self.changesLikes = changesLikes
    }
}

/// What a question is made from.
package struct QuestionData: Sendable {
    /// The person's number; nil: the history was given, and is nobody's of the ledger.
    package var person: Int64?
    /// As the person is called in the ledger; empty: nobody.
    package var user: String
    package var history: [Interaction]
    /// What prompts call the history's items.
    package var titles: [String: String]
    package var items: [Item]
    /// How they were chosen of a large catalogue; nil: all of them are asked about.
    package var retrieval: Retrieval?
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
    /// - `history`: asked for instead of somebody of the ledger; nil: for the user.
    /// - `items`: names; empty: what the user has not rated, sorted by id.
    /// - `filter`: only what passes it.
    /// - `limit`: items of the catalogue that are all asked about, at most.
    /// - `candidates`: of more than these, so many are chosen; nil: more are refused.
    /// - Throws: `QuestionObjection`.
    package func question(
        user: String, history: [GivenRating]? = nil, items asked: [String], filter: ItemFilter? = nil, limit: Int,
        candidates: Int? = nil
    ) throws -> QuestionData {
        try read { db in
            let catalogue = try catalogue(db)
            let ratings =
                try history.map { try KnownRatings(given: $0, catalogue) }
                ?? known(user: user, catalogue, db)
            let context = try promptContext(db)
            var titles: [String: String] = [:]
            for (number, row) in zip(ratings.items, ratings.rows) { titles[row.item] = context?.title(of: number) }
            let passing = PassingItems(filter, catalogue)
            var retrieval: Retrieval?
            let items: [Item]
            if !asked.isEmpty {
                items = try named(asked, passing, catalogue)
            } else if let all = unrated(by: ratings, passing, catalogue, limit: limit) {
                items = all
            } else {
                guard let candidates else { throw QuestionObjection.tooManyItems }
                let rated = Set(ratings.items)
                let chosen = self.candidates(
                    likedBy: ratings.likes(above: catalogue.likeAbove), most: candidates, catalogue
                ) { !rated.contains($0) && passing.contains($0, $1) }
                items = sorted(
                    chosen.numbers.compactMap { number in
                        catalogue[number].flatMap { entry in
                            entry.title.map { Item(id: entry.token, title: $0, fields: entry.fields) }
                        }
                    })
                retrieval = chosen.report
            }
            return QuestionData(
                person: ratings.person, user: ratings.user, history: ratings.rows, titles: titles, items: items,
                retrieval: retrieval)
        }
    }

    private func known(user: String, _ catalogue: Catalogue, _ db: Database) throws -> KnownRatings {
        // Whom earlier releases kept under several spellings is asked about under the first.
        guard let known = try people(named: user.normalised, db).first else { throw QuestionObjection.unknownUser }
        return KnownRatings(
            person: known.id, user: known.person.name, items: known.person.interactions.map(\.item),
            rows: try known.person.interactions(catalogue))
    }

    private func named(_ names: [String], _ passing: PassingItems, _ catalogue: Catalogue) throws -> [Item] {
        var unknown: [String] = []
        let items = names.compactMap { name -> Item? in
            let found = catalogue.numbers(of: name.normalised).lazy.compactMap { number in
                catalogue[number].map { (number, $0) }
            }.first
            guard let (number, entry) = found, let title = entry.title else {
                unknown.append(name)
                return nil
            }
            return passing.contains(number, entry) ? Item(id: entry.token, title: title, fields: entry.fields) : nil
        }
        guard unknown.isEmpty else { throw QuestionObjection.unknownItems(unknown) }
        return items
    }

    /// nil: there are more.
    private func unrated(
        by ratings: KnownRatings, _ passing: PassingItems, _ catalogue: Catalogue, limit: Int
    ) -> [Item]? {
        let rated = Set(ratings.items)
        var items: [Item] = []
        for (number, entry) in catalogue.entries where !rated.contains(number) {
            guard let title = entry.title, passing.contains(number, entry) else { continue }
            guard items.count < limit else { return nil }
            items.append(Item(id: entry.token, title: title, fields: entry.fields))
        }
        return sorted(items)
    }

    private func sorted(_ items: [Item]) -> [Item] {
        items.sorted { $0.id.utf8.lexicographicallyPrecedes($1.id.utf8) }
    }
}

/// The ratings that a question is asked for.
private struct KnownRatings {
    var person: Int64?
    var user: String
    /// Numbers in the catalogue, of the rows.
    var items: [Int64]
    var rows: [Interaction]

    /// Numbers of the items that are liked, the latest first.
    func likes(above threshold: Double?) -> [Int64] {
        let inTime = zip(items, rows).sorted { left, right in
            (left.1.timestamp, left.1.ordinal) < (right.1.timestamp, right.1.ordinal)
        }
        return Person.likes(inTime.map { ($0.0, $0.1.rating) }, above: threshold)
    }

    init(person: Int64?, user: String, items: [Int64], rows: [Interaction]) {
        self.person = person
        self.user = user
        self.items = items
        self.rows = rows
    }

    /// As an import of these rows would keep them: by their times, and in the order of the list where those say nothing; of
    /// several that name an item at one time the last rating counts, in the place of the first.
    ///
    /// - Throws: `QuestionObjection.unknownItems`.
    init(given: [GivenRating], _ catalogue: Catalogue) throws(QuestionObjection) {
        self.init(person: nil, user: "", items: [], rows: [])
        struct Place: Hashable {
            var item: Int64
            var timestamp: Int64
        }
        var places: [Place: Int] = [:]
        var unknown: [String] = []
        for (position, rating) in given.enumerated() {
            guard let number = catalogue.numbers(of: rating.item.normalised).first, let entry = catalogue[number] else {
                unknown.append(rating.item)
                continue
            }
            let place = Place(item: number, timestamp: rating.timestamp ?? 0)
            if let known = places[place] {
                rows[known].rating = rating.rating
                continue
            }
            places[place] = rows.count
            items.append(number)
            rows.append(
                Interaction(
                    user: user, item: entry.token, timestamp: place.timestamp, rating: rating.rating,
                    ordinal: Int64(position)))
        }
        guard unknown.isEmpty else { throw .unknownItems(unknown) }
    }
}

/// What of the catalogue a question's filter lets through.
private struct PassingItems {
    private let excluded: Set<Int64>
    private let conditions: [ItemFilter.Condition]

    init(_ filter: ItemFilter?, _ catalogue: Catalogue) {
        excluded = Set((filter?.exclude ?? []).flatMap { catalogue.numbers(of: $0.normalised) })
        conditions = filter?.conditions ?? []
    }

    func contains(_ number: Int64, _ entry: Catalogue.Entry) -> Bool {
        !excluded.contains(number) && conditions.allSatisfy { $0.holds(of: entry.fields) }
    }
}
