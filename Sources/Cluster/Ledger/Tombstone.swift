import Foundation
import GRDB
import Recommendation

/// What was forgotten, as the ledger remembers it: only as HMAC-SHA256 under a random key of this ledger.
enum Tombstone {
    case user(String)
    /// Recognises a repeated request that names no timestamp; refuses nothing at import.
    case pair(user: String, item: String)
    case interaction(InteractionKey)

    var kind: String {
        switch self {
        case .user: "user"
        case .pair: "pair"
        case .interaction: "interaction"
        }
    }

    var parts: [String] {
        switch self {
        case .user(let user): [kind, user]
        case .pair(let user, let item): [kind, user, item]
        case .interaction(let key): [kind, key.user, key.item, String(key.timestamp)]
        }
    }
}

extension Ledger {
    func hasTombstone(_ tombstone: Tombstone, _ db: Database) throws -> Bool {
        let statement = try db.cachedStatement(sql: "SELECT EXISTS (SELECT 1 FROM tombstones WHERE hmac = ?)")
        return try Bool.fetchOne(statement, arguments: [pseudonym(tombstone.parts)]) ?? false
    }

    func bury(_ tombstone: Tombstone, at time: Date, _ db: Database) throws {
        try db.cachedStatement(sql: "INSERT OR IGNORE INTO tombstones (hmac, kind, time) VALUES (?, ?, ?)")
            .execute(arguments: [pseudonym(tombstone.parts), tombstone.kind, time.milliseconds])
    }
}

/// Recognises rows that were forgotten; looks each user up once.
struct ForgottenRows {
    private let ledger: Ledger
    private let db: Database
    private let any: Bool
    private var users: [String: Bool] = [:]

    init(ledger: Ledger, _ db: Database) throws {
        self.ledger = ledger
        self.db = db
        any = try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM tombstones)") ?? false
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
        return try gone || ledger.hasTombstone(.interaction(key), db)
    }
}
