import Foundation
import GRDB
import Messages

/// What operators said of workers, among the replies that are kept, and no longer than these.
extension Ledger {
    /// In front of request ids, which have no control characters: no client's request has such an id.
    private static let wordPrefix = "word\n"

    /// Oldest first.
    package func settledWords(last count: Int) throws -> [SettledWord] {
        try read { db in
            let bodies = try Data.fetchAll(
                db,
                sql: "SELECT body FROM replies WHERE request >= ? AND request < ? ORDER BY number DESC LIMIT ?",
                arguments: [Self.wordPrefix, "word\u{B}", count])
            // One of another release's form is forgotten: a word that comes twice is then obeyed twice, as before there were these.
            return bodies.reversed().compactMap { try? JSONDecoder().decode(SettledWord.self, from: $0) }
        }
    }

    /// For clients that ask again; whether one does, whoever gives the order has looked.
    func keep(_ word: SettledWord, _ db: Database) throws {
        try insert(
            reply: try JSONEncoder.stable.encode(word), requestID: Self.wordPrefix + word.request, db)
    }
}
