import Messages
import Recommendation

@testable import Ledger

/// What tests ask about people and items.
extension Ledger {
    package func hasUser(_ user: String) throws -> Bool {
        try read { try !people(named: user.normalised, $0).isEmpty }
    }

    /// By time, then by order in the file.
    ///
    /// - Throws: `LedgerError.unknownUser`.
    package func history(user: String) throws -> [Interaction] {
        try read { db in
            // Whom earlier releases kept under several spellings is asked about under the first.
            guard let known = try people(named: user.normalised, db).first else {
                throw LedgerError.unknownUser(user)
            }
            return try known.person.interactions(catalogue(db))
        }
    }

    /// The catalogue, sorted by id.
    package func items() throws -> [Item] {
        try read { db in
            try catalogue(db).entries.values
                .compactMap { entry in entry.title.map { Item(id: entry.token, title: $0, fields: entry.fields) } }
                .sorted { $0.id.utf8.lexicographicallyPrecedes($1.id.utf8) }
        }
    }

    /// nil: not in the catalogue.
    package func title(item: String) throws -> String? {
        try read { db in
            let catalogue = try catalogue(db)
            return catalogue.numbers(of: item.normalised).first.flatMap { catalogue[$0]?.title }
        }
    }
}
