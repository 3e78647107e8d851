import Crypto
import Files
import Foundation
import GRDB
import Recommendation

/// What was forgotten, as the ledger remembers it: only as keyed hashes, whose key is not in the database.
///
/// A user who is forgotten whole has one tombstone, which stands for everything that the user ever did. Interactions that
/// are forgotten singly have one each, and one with their item. Nothing beside a tombstone says when it was buried or
/// what was buried with it. Tombstones that a user got for single interactions stay when the user is forgotten whole later:
/// nobody can tell any more which they are. Of somebody whose record is damaged nobody can tell which interactions with an item
/// there were: a request that names no timestamp buries them all, also those that may come.
enum Tombstone {
    case user(String)
    /// Recognises a repeated request that names no timestamp; refuses nothing at import.
    case pair(user: String, item: String)
    case interaction(InteractionKey)
    case wholePair(user: String, item: String)

    var kind: String {
        switch self {
        case .user: "user"
        case .pair: "pair"
        case .interaction: "interaction"
        case .wholePair: "whole pair"
        }
    }

    var parts: [String] {
        switch self {
        case .user(let user): [kind, user]
        case .pair(let user, let item), .wholePair(let user, let item): [kind, user, item]
        case .interaction(let key): [kind, key.user, key.item, String(key.timestamp)]
        }
    }
}

extension Tombstone {
    /// White space that sources put around identifiers, which earlier releases hashed with them.
    private static let paddings = [
        ("", ""), (" ", ""), ("", " "), (" ", " "), ("", "\r"), ("", "\t"), ("\t", ""), ("", "\u{A0}"), ("\u{A0}", ""),
        ("", "  "), ("  ", ""),
    ]

    private static func padded(_ name: String, most: Int) -> [String] {
        paddings.prefix(most).map { $0.0 + name + $0.1 }
    }

    /// What an earlier release may have buried for the same: every user under all paddings, pairs of user and item under the
    /// commonest of both.
    fileprivate var olderForms: [Tombstone] {
        switch self {
        case .user(let user): Self.padded(user, most: Self.paddings.count).dropFirst().map { .user($0) }
        case .pair(let user, let item): Self.pairs(user, item).map { .pair(user: $0, item: $1) }
        case .interaction(let key):
            Self.pairs(key.user, key.item).map {
                .interaction(InteractionKey(user: $0, item: $1, timestamp: key.timestamp))
            }
        case .wholePair: []
        }
    }

    private static func pairs(_ user: String, _ item: String) -> [(String, String)] {
        let all = padded(user, most: 5).flatMap { user in padded(item, most: 5).map { (user, $0) } }
        return Array(all.dropFirst())
    }
}

extension Ledger {
    func hasTombstone(_ tombstone: Tombstone, _ db: Database) throws -> Bool {
        if try isBuried(tombstone, db) { return true }
        guard try hasOlderTombstones(db) else { return false }
        return try tombstone.olderForms.contains { try isBuried($0, db) }
    }

    /// Whether there may be tombstones from before identifiers were trimmed.
    private func hasOlderTombstones(_ db: Database) throws -> Bool {
        if let known = olderTombstones { return known }
        let found = try Meta.olderTombstones.value(Bool.self, db)
        olderTombstones = found
        return found ?? false
    }

    private func isBuried(_ tombstone: Tombstone, _ db: Database) throws -> Bool {
        let statement = try db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM tombstones WHERE hmac = ?)")
        return try Bool.fetchOne(statement, arguments: [value(of: tombstone)]) ?? false
    }

    func bury(_ tombstone: Tombstone, _ db: Database) throws {
        try db.cachedStatement(sql: "INSERT OR IGNORE INTO tombstones (hmac, kind) VALUES (?, ?)")
            .execute(arguments: [value(of: tombstone), tombstone.kind])
        if case .wholePair = tombstone { try Meta.wholePairs.set(true, db) }
        guard db.changesCount > 0, Self.countedTombstones.contains(tombstone.kind) else { return }
        afterWriting.append { [self] in tombstoneCount = tombstoneCount.map { $0 + 1 } }
    }

    /// Those that name what was forgotten; pairs only help to find them.
    private static let countedTombstones = ["user", "interaction", "whole pair"]

    func countTombstones(_ db: Database) throws -> Int {
        try Int.fetchOne(
            db, sql: "SELECT COUNT(*) FROM tombstones WHERE kind IN ('user', 'interaction', 'whole pair')") ?? 0
    }

    private func value(of tombstone: Tombstone) -> Data {
        Pseudonym.tombstone(of: pseudonym(tombstone.parts), tombstoneKey)
    }

    /// The name that stands for a person in the audit log: `pseudonym("user", id)`.
    func pseudonym(_ parts: String...) -> Data {
        pseudonym(parts)
    }

    private func pseudonym(_ parts: [String]) -> Data {
        Pseudonym.of(parts, tombstoneKey)
    }

    /// What stands for an item that refused rows of an import name: the items of a forgotten person must not lie in
    /// clear among what is staged.
    func refusedItem(_ importID: String, _ item: String) -> String {
        pseudonym("refused item", importID, item).hexadecimal
    }

    /// Notes at the first start after `Identifier` came whether there may be tombstones of other spellings.
    func noteOlderTombstones() throws {
        guard try read({ try Meta.olderTombstones.value(Bool.self, $0) }) == nil else { return }
        try commit { db in
            let hasTombstones = try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM tombstones)") ?? false
            try Meta.olderTombstones.set(hasTombstones, db)
        }
    }
}

/// Recognises rows that were forgotten; looks each user up once.
struct ForgottenInteractions {
    private let ledger: Ledger
    private let db: Database
    private let any: Bool
    private let anyWholePair: Bool
    private var users: [String: Bool] = [:]

    init(ledger: Ledger, _ db: Database) throws {
        self.ledger = ledger
        self.db = db
        any = try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM tombstones)") ?? false
        anyWholePair = try Meta.wholePairs.value(Bool.self, db) ?? false
    }

    mutating func contains(_ key: InteractionKey) throws -> Bool {
        guard any else { return false }
        let gone: Bool
        if let known = users[key.user] {
            gone = known
        } else {
            gone = try ledger.hasTombstone(.user(key.user), db)
            users[key.user] = gone
        }
        if try gone || ledger.hasTombstone(.interaction(key), db) { return true }
        return try anyWholePair && ledger.hasTombstone(.wholePair(user: key.user, item: key.item), db)
    }
}
