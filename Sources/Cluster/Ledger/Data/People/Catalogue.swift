import Foundation
import GRDB
import Messages
import Recommendation

/// The items, in memory: tokens, titles, fields, and how many interactions name each.
///
/// The counts are nowhere on disk: those of two copies of the database would tell by their difference what somebody who was
/// forgotten in between had.
final class Catalogue {
    struct Entry: Equatable {
        /// As it stands in the ledger.
        var token: String
        var title: String?
        /// What prompts may show beside the title.
        var fields: [String: String]?
        var uses = 0
    }

    /// By number.
    private(set) var entries: [Int64: Entry] = [:]
    private var numbers: [String: Int64] = [:]
    /// Numbers of items that older releases kept under another spelling, by today's; ascending.
    private var olderSpellings: [String: [Int64]] = [:]
    private var next: Int64 = 1
    /// How many have a title: nothing else can be asked about.
    private(set) var titled = 0
    /// A rating above this is a like; nil: nothing was imported yet.
    let likeAbove: Double?
    /// Who likes what, by the same rules as the counts of uses.
    var likes = LikeCounts()

    /// Without uses and likes.
    init(_ db: Database, likeAbove: Double? = nil) throws {
        self.likeAbove = likeAbove
        // While an older file is taken over it has no fields yet.
        let rows = try Row.fetchCursor(db, sql: "SELECT * FROM items ORDER BY id")
        while let row = try rows.next() {
            let fields: String? = row.hasColumn("fields") ? try row.optional("fields", in: "items") : nil
            put(
                Entry(
                    token: try row.value("token", in: "items"), title: try row.optional("title", in: "items"),
                    fields: try fields.map(Self.fields)),
                at: try row.value("id", in: "items"))
        }
        // No number is used again while somebody's record may name it.
        guard next > 0 else {
            throw LedgerError.corrupt(table: "items", column: "id", reason: "is no possible number")
        }
    }

    private static func fields(_ text: String) throws -> [String: String] {
        guard let fields = try? JSONDecoder().decode([String: String].self, from: Data(text.utf8)) else {
            throw LedgerError.corrupt(table: "items", column: "fields", reason: "is no JSON object of texts")
        }
        return fields
    }

    subscript(number: Int64) -> Entry? { entries[number] }

    var count: Int { entries.count }

    /// The items that a name stands for, today's spelling first.
    func numbers(of name: String) -> [Int64] {
        (numbers[name].map { [$0] } ?? []) + (olderSpellings[name] ?? [])
    }

    // MARK: changes

    func add(token: String, title: String?, fields: [String: String]? = nil) -> Int64 {
        let number = next
        put(Entry(token: token, title: title, fields: fields), at: number)
        return number
    }

    func set(title: String, fields: [String: String]?, of number: Int64) {
        guard let entry = entries[number] else { return }
        if entry.title == nil { titled += 1 }
        entries[number]?.title = title
        entries[number]?.fields = fields
    }

    /// - Throws: `LedgerError.corrupt` for a number that no item has.
    func use(_ number: Int64) throws {
        guard entries[number] != nil else {
            throw LedgerError.corrupt(
                table: "people", column: "record", reason: "names an item that is not in the catalogue")
        }
        count(1, of: number)
    }

    func count(_ changes: CatalogueCounts) {
        for (number, uses) in changes.uses { count(uses, of: number) }
        for (person, change) in changes.likes { likes.set(change.items, of: person, draw: change.draw) }
    }

    private func count(_ uses: Int, of number: Int64) { entries[number]?.uses += uses }

    func remove(_ number: Int64) {
        guard let entry = entries.removeValue(forKey: number) else { return }
        if entry.title != nil { titled -= 1 }
        if numbers[entry.token] == number { numbers[entry.token] = nil }
        let today = entry.token.inTodaysSpelling
        olderSpellings[today]?.removeAll { $0 == number }
    }

    private func put(_ entry: Entry, at number: Int64) {
        if entry.title != nil { titled += 1 }
        entries[number] = entry
        numbers[entry.token] = number
        let today = entry.token.inTodaysSpelling
        if today != entry.token, !today.isEmpty { olderSpellings[today, default: []].append(number) }
        next = max(next, number &+ 1)
    }
}

extension String {
    /// How an identifier of an older release is written today: what is refused inside is left out. Empty: not at all.
    var inTodaysSpelling: String {
        if let canonical = try? Identifier.canonical(self) { return canonical }
        let kept = unicodeScalars.filter { (try? Identifier.canonical("x\($0)x")) != nil }
        return (try? Identifier.canonical(String(String.UnicodeScalarView(kept)))) ?? ""
    }
}
