import ClusterTestSupport
import Crypto
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

private typealias Target = ClientRequest.ForgetRequest.Target

@Suite("Ledger: tombstones give nothing away")
struct LedgerTombstoneTests {
    @Test("A user who is forgotten whole leaves one tombstone, however much the user did")
    func oneTombstone() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 8, seed: 3)
        let ledger = try fixture.trained(data)
        _ = try ledger.forget(requestID: "a", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        #expect(try ledger.inspect("SELECT kind FROM tombstones") == ["user"])
        let single = try #require(data.interactions.first { $0.user == "u2" }).key
        let request = ClientRequest.ForgetRequest(
            users: ["u3"], interactions: [Target(user: "u2", item: single.item, timestamp: single.timestamp)])
        _ = try ledger.forget(requestID: "b", request, at: fixture.now)
        #expect(
            try ledger.inspect("SELECT kind FROM tombstones ORDER BY kind") == ["interaction", "pair", "user", "user"])

        #expect(try fixture.load(data, into: ledger, id: "again").rowsNew == 0)
        #expect(try !ledger.hasUser("u1") && !ledger.hasUser("u3"))
        let item = try #require(data.interactions.first { $0.user == "u1" }).key
        for timestamp in [nil, item.timestamp] {
            let again = ClientRequest.ForgetRequest(
                users: [], interactions: [Target(user: "u1", item: item.item, timestamp: timestamp)])
            #expect(try ledger.plan(again).alreadyForgotten == 1)
        }
    }

    @Test("Nothing beside a tombstone groups the rows of one person or request, and the audit log shows none of them")
    func nothingGroups() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 3))
        _ = try ledger.forget(requestID: "a", LedgerFixture.forget(users: ["u1", "u2"]), at: fixture.now)
        #expect(
            try ledger.inspect("SELECT name FROM pragma_table_info('tombstones') ORDER BY name") == ["hmac", "kind"])
        let values = try ledger.inspect("SELECT lower(hex(hmac)) FROM tombstones")
        let log = try ledger.auditLog().map(\.detail).joined()
        #expect(values.count == 2 && values.allSatisfy { !log.contains($0) })
        let requests = try ledger.inspect("SELECT lower(hex(fingerprint)) || outcome FROM forget_requests").joined()
        #expect(values.allSatisfy { !requests.contains($0) })
    }

    @Test("The key lies in a file of its own that only its owner can read, and in no other")
    func keyFile() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 3))
        _ = try ledger.forget(requestID: "a", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        let file = fixture.directory.appendingPathComponent("tombstone.key")
        let key = try Data(contentsOf: file)
        let mode = try FileManager.default.attributesOfItem(atPath: file.path)[.posixPermissions] as? Int
        #expect(key.count == 32 && mode == 0o600)
        #expect(try fixture.filesHolding(key) == ["tombstone.key"])
    }

    @Test("Items that a forgotten person's rows name are not staged in clear")
    func refusedRows() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 8, seed: 3)
        let ledger = try fixture.trained(data)
        _ = try ledger.forget(requestID: "a", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        let rows = [
            Interaction(user: "u1", item: "secret-choice", timestamp: 1, rating: 5, ordinal: 0),
            Interaction(user: "u2", item: "open-choice", timestamp: 1, rating: 5, ordinal: 1),
        ]
        try ledger.stage(importID: "x", sequence: 0, items: [], interactions: rows, at: fixture.now)
        #expect(try fixture.traces(of: ["secret-choice"]) == [])
        let titles = rows.map { Item(id: $0.item, title: "Title of \($0.item)") }
        try ledger.stage(importID: "x", sequence: 1, items: titles, interactions: [], at: fixture.now)
        _ = try ledger.finishImport(importID: "x", batches: 2, prompts: fixture.prompts, at: fixture.now)
        let items = try ledger.items().map(\.id)
        #expect(items.contains("open-choice") && !items.contains("secret-choice"))
    }

    @Test("Without its key, or with another's, a ledger that has forgotten something does not open unless told to")
    func missingKey() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 8, seed: 3)
        let ledger = try fixture.trained(data)
        _ = try ledger.forget(requestID: "a", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        try ledger.close()
        let file = fixture.directory.appendingPathComponent("tombstone.key")
        let key = try Data(contentsOf: file)
        for foreign in [nil, Data(repeating: 7, count: 32)] {
            try? FileManager.default.removeItem(at: file)
            try foreign?.write(to: file)
            let error = #expect(throws: LedgerError.self) { try fixture.open() }
            guard case .keyUnusable(file.path, _) = error else {
                Issue.record("\(String(describing: error))")
                return
            }
        }
        try key.write(to: file)
        try fixture.open().close()
        try FileManager.default.removeItem(at: file)
        let opened = try Ledger(
            directory: fixture.directory, configuration: fixture.configuration, accepting: .tombstoneKey,
            at: fixture.now)
        #expect(try opened.auditLog().last?.kind == "new tombstone key")
        try opened.close()
        #expect(try fixture.open().auditLog().filter { $0.kind == "new tombstone key" }.count == 1)
    }

    @Test("A ledger that forgot nothing yet opens without its key")
    func unusedKey() throws {
        let fixture = LedgerFixture()
        try fixture.open().close()
        try FileManager.default.removeItem(at: fixture.directory.appendingPathComponent("tombstone.key"))
        #expect(try fixture.open().auditLog().isEmpty)
    }
}

@Suite("Ledger: tombstones of earlier versions")
struct EarlierTombstoneTests {
    @Test(
        "What whole users had beside their own tombstone goes, what may be of others stays, and the key leaves the database"
    )
    func migration() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 8, seed: 3)
        let ledger = try fixture.trained(data)
        let single = try #require(data.interactions.first { $0.user == "u3" }).key
        _ = try ledger.forget(requestID: "a", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        let mixed = ClientRequest.ForgetRequest(
            users: ["u2"], interactions: [Target(user: "u3", item: single.item, timestamp: single.timestamp)])
        _ = try ledger.forget(requestID: "b", mixed, at: fixture.now.addingTimeInterval(1))
        let old = EarlierLedger(fixture)
        try old.takeBack(ledger, single: single) { user, time in
            data.interactions.filter { $0.user == user }.flatMap { row in
                [
                    ("interaction", ["interaction", user, row.item, String(row.timestamp)], time),
                    ("pair", ["pair", user, row.item], time),
                ]
            }
        }
        #expect(try fixture.filesHolding(old.key).contains("ledger.sqlite"))

        let opened = try fixture.open()
        let rated = Set(data.interactions.filter { $0.user == "u2" }.map(\.key)).count
        let kinds = try opened.inspect("SELECT kind FROM tombstones")
        #expect(kinds.count { $0 == "user" } == 2)
        // Of u1 nothing but the user is left; of the request that named others too, everything.
        #expect(kinds.count { $0 == "interaction" } == rated + 1)
        #expect(try opened.inspect("SELECT name FROM pragma_table_info('tombstones')").sorted() == ["hmac", "kind"])
        let log = try opened.auditLog().map(\.detail).joined()
        #expect(try opened.inspect("SELECT lower(hex(hmac)) FROM tombstones").allSatisfy { !log.contains($0) })
        #expect(try fixture.filesHolding(old.key) == ["tombstone.key"])
        #expect(try !opened.snapshot().purgePending)

        #expect(try fixture.load(data, into: opened, id: "again").rowsNew == 0)
        #expect(try !opened.hasUser("u1") && !opened.hasUser("u2"))
        try opened.close()
        #expect(try fixture.open().inspect("SELECT kind FROM tombstones").count == kinds.count)
    }

    @Test("A crash after the key was written and before it was erased is healed; another key in its place is refused")
    func crash() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 3))
        _ = try ledger.forget(requestID: "a", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        let old = EarlierLedger(fixture)
        try old.takeBack(ledger, single: nil) { _, _ in [] }
        let file = fixture.directory.appendingPathComponent("tombstone.key")
        try Data(repeating: 1, count: 32).write(to: file)
        #expect(throws: LedgerError.self) { try fixture.open() }
        try old.key.write(to: file)
        let opened = try fixture.open()
        #expect(try fixture.filesHolding(old.key) == ["tombstone.key"] && !opened.snapshot().purgePending)
    }
}

/// Puts a ledger back into the state in which earlier versions kept tombstones.
private final class EarlierLedger {
    let fixture: LedgerFixture
    let key: Data

    init(_ fixture: LedgerFixture) {
        self.fixture = fixture
        key = (try? Data(contentsOf: fixture.directory.appendingPathComponent("tombstone.key"))) ?? Data()
    }

    /// - Parameters:
    ///   - single: was forgotten alone, in the second request.
    ///   - more: further tombstones of a user who was forgotten whole: kind, parts, time.
    func takeBack(
        _ ledger: Ledger, single: InteractionKey?,
        more: (_ user: String, _ time: Int64) -> [(kind: String, parts: [String], time: Int64)]
    ) throws {
        try ledger.unpackRows()
        let start = Int64(fixture.now.timeIntervalSince1970 * 1000)
        var rows: [(kind: String, parts: [String], time: Int64)] = []
        let users = try ledger.inspect("SELECT kind FROM tombstones").filter { $0 == "user" }.count
        for (position, user) in ["u1", "u2"].prefix(users).enumerated() {
            let time = start + Int64(position) * 1000
            rows += [("user", ["user", user], time)] + more(user, time)
        }
        if let single {
            rows.append(
                ("interaction", ["interaction", single.user, single.item, String(single.timestamp)], start + 1000))
        }
        let values = rows.map { "(x'\(hmac($0.parts))', '\($0.kind)', \($0.time))" }.joined(separator: ", ")
        let text = try String(decoding: JSONEncoder().encode(key), as: UTF8.self)
        try ledger.tamper(
            """
            DROP TABLE tombstones;
            CREATE TABLE tombstones (hmac BLOB PRIMARY KEY, kind TEXT NOT NULL, time INTEGER NOT NULL) WITHOUT ROWID;
            INSERT OR IGNORE INTO tombstones VALUES \(values);
            DELETE FROM meta WHERE key = 'tombstone key check';
            INSERT INTO meta (key, value) VALUES ('tombstone key', CAST('\(text)' AS BLOB));
            DELETE FROM grdb_migrations WHERE identifier = 'tombstones without times';
            """)
        try ledger.close()
        try FileManager.default.removeItem(at: fixture.directory.appendingPathComponent("tombstone.key"))
    }

    private func hmac(_ parts: [String]) -> String {
        var message = Data()
        for part in parts {
            withUnsafeBytes(of: UInt64(part.utf8.count).littleEndian) { message.append(contentsOf: $0) }
            message.append(contentsOf: part.utf8)
        }
        return HMAC<SHA256>.authenticationCode(for: message, using: SymmetricKey(data: key))
            .map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}

extension LedgerFixture {
    /// Names of the files that hold these bytes, as they are or in Base64.
    fileprivate func filesHolding(_ bytes: Data) throws -> [String] {
        var found: [String] = []
        let files = FileManager.default.enumerator(at: directory, includingPropertiesForKeys: nil)
        while let file = files?.nextObject() as? URL {
            guard let content = try? Data(contentsOf: file) else { continue }
            let text = bytes.base64EncodedString()
            let forms = [bytes, Data(text.utf8), Data(text.replacingOccurrences(of: "/", with: "\\/").utf8)]
            if forms.contains(where: { content.range(of: $0) != nil }) { found.append(file.lastPathComponent) }
        }
        return found.sorted()
    }
}
