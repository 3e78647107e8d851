import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

@Suite("Ledger: damaged rows")
struct LedgerDamagedRowTests {
    /// Something in every table, and no NOT NULL left: what a damaged file may hold, the schema cannot forbid.
    private func base() throws -> (fixture: LedgerFixture, columns: [(table: String, column: String)]) {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 9, items: 20, largest: 9, seed: 3))
        for shard in try ledger.snapshot().shards {
            try ledger.recordCopy(
                HandedCopy(worker: "away", name: "host", shard: shard.index, manifest: shard.manifest), at: fixture.now)
        }
        for (id, method) in [("finished", nil), ("pending", "ifru")] {
            let user = try #require(ledger.prompts(split: .train).last).prompt.user
            _ = try ledger.forget(
                requestID: id, LedgerFixture.forget(users: [user], method: method), at: fixture.now)
            if method == nil {
                try fixture.prepare(ledger)
                _ = try ledger.finishForget(request: id, at: fixture.now)
            }
        }
        try ledger.stage(
            importID: "begun", sequence: 0, items: [Item(id: "new", title: "New")],
            interactions: [Interaction(user: "nobody", item: "new", timestamp: 1, rating: 5, ordinal: 0)],
            at: fixture.now)
        try ledger.store(reply: Data("{}".utf8), requestID: "asked", at: fixture.now)
        let lost = try #require(ledger.adapters().first)
        try FileManager.default.removeItem(
            at: fixture.directory.appendingPathComponent("adapters/\(lost.name).sealed"))
        try ledger.dropDamagedAdapters(at: fixture.now)
        try fixture.tune(ledger)
        try ledger.tamper("DROP TRIGGER audit_is_never_changed")
        try ledger.tamper("PRAGMA writable_schema = ON")
        try ledger.tamper(
            "UPDATE sqlite_master SET sql = replace(replace(sql, ' NOT NULL', ''), ' CHECK (id = 1)', '') WHERE type = 'table'"
        )
        let columns = try ledger.columns()
        try ledger.close()
        return (fixture, columns)
    }

    /// Reads and writes everything there is. Only a `LedgerError` may come of it; those that came are returned.
    private func use(_ ledger: Ledger, _ fixture: LedgerFixture) -> [LedgerError] {
        let now = fixture.now
        let calls: [() throws -> Void] = [
            { _ = try ledger.snapshot() }, { _ = try ledger.adapters().map { try ledger.adapterBytes(name: $0.name) } },
            { _ = try ledger.attentionTable() }, { _ = try ledger.tuning() }, { _ = try ledger.statistics() },
            { _ = try Split.allCases.map { try ledger.prompts(split: $0) } },
            { _ = try (0..<3).map { try ledger.samples(shard: $0) } },
            { _ = try (0..<3).map { try ledger.manifest(shard: $0) } }, { _ = try ledger.items() },
            { _ = try ledger.history(user: "u1") }, { _ = try ledger.reply(requestID: "asked") },
            { _ = try ledger.forgetRequests() }, { _ = try ledger.auditLog() }, { _ = try ledger.auditVerdict() },
            { _ = try ledger.promptConfiguration() },
            {
                for shard in try ledger.snapshot().shards where shard.correction != nil {
                    _ = try ledger.correction(shard: shard.index, manifest: shard.manifest)
                }
            },
            { _ = try ledger.samplesWithoutEmbedding(limit: 10) },
            { _ = try ledger.plan(LedgerFixture.forget(users: ["u2"])) },
            { _ = try ledger.forget(requestID: "another", LedgerFixture.forget(users: ["u2"]), at: now) },
            { _ = try ledger.forget(requestID: "pending", LedgerFixture.forget(users: ["u3"]), at: now) },
            { _ = try ledger.finishForget(request: "finished", at: now) },
            { _ = try ledger.finishForget(request: "pending", at: now) },
            { try ledger.store(reply: Data("{}".utf8), requestID: "again", at: now) },
            { _ = try ledger.finishImport(importID: "begun", batches: 1, prompts: fixture.prompts, at: now) },
            { try fixture.prepare(ledger) }, { try ledger.dropDamagedAdapters(at: now) },
            { try ledger.requestTraining(at: now) }, { _ = try ledger.copies() },
            { _ = try ledger.supplements(request: "finished") },
            { _ = try ledger.unconfirmedCopies(request: "finished") },
            {
                try ledger.settleCopies(
                    CopySettlement(worker: "away", name: "host", reason: .cleared, shards: [], isEverything: true),
                    at: now)
            },
        ]
        var errors: [LedgerError] = []
        for (position, call) in calls.enumerated() {
            do {
                try call()
            } catch let error as LedgerError {
                errors.append(error)
            } catch {
                Issue.record("call \(position) threw \(type(of: error)): \(error)")
            }
        }
        return errors
    }

    @Test("Whatever a column of a table holds, calls end with a ledger's error or work", arguments: 0..<4)
    func everyColumn(part: Int) throws {
        let (fixture, columns) = try base()
        // Every column gets one of them, and with LETHE_TEST_FULL all.
        let values = ["'a text'", "NULL", "9223372036854775807"]
        let isFull = ProcessInfo.processInfo.environment["LETHE_TEST_FULL"] != nil
        var named = 0
        for (position, (table, column)) in columns.enumerated() where position % 4 == part {
            for (number, value) in values.enumerated() where isFull || (position / 4 + part) % 3 == number {
                let copy = try fixture.copyOfFiles()
                defer { try? FileManager.default.removeItem(at: copy) }
                var ledger = try Ledger(directory: copy, configuration: fixture.configuration, at: fixture.now)
                do {
                    try ledger.tamper("UPDATE \"\(table)\" SET \"\(column)\" = \(value)")
                } catch {
                    // A key: one row can be changed where all cannot.
                    let one = "SELECT \"\(column)\" FROM \"\(table)\" LIMIT 1"
                    let change = "UPDATE \"\(table)\" SET \"\(column)\" = \(value) WHERE \"\(column)\" = (\(one))"
                    guard (try? ledger.tamper(change)) != nil else { continue }
                }
                var errors = use(ledger, fixture)
                try? ledger.close()
                // What SQLite's own check lets through when the file is opened.
                guard value == "'a text'" else { continue }
                do {
                    ledger = try Ledger(directory: copy, configuration: fixture.configuration, at: fixture.now)
                    errors += use(ledger, fixture)
                    try? ledger.close()
                } catch let error as LedgerError {
                    errors.append(error)
                } catch {
                    Issue.record("\(table).\(column) = \(value): opening threw \(error)")
                }
                if errors.contains(where: { "\($0)".contains("\(table).\(column)") }) { named += 1 }
            }
        }
        #expect(named > (isFull ? 5 : 0))
    }

    @Test(
        "The error names table and column, and not what stood there",
        arguments: [
            ("adapters", "report", "'secret'"), ("adapters", "created", "9223372036854775807"),
            ("shards", "prompts", "-1"), ("people", "record", "'secret'"), ("forget_requests", "method", "'secret'"),
            ("tuning", "rule", "'secret'"), ("people", "slot", "'secret'"), ("people", "lookup", "NULL"),
            ("embeddings", "vectors", "x'00'"), ("audit", "time", "'secret'"), ("meta", "value", "'secret'"),
            ("forget_shards", "fallback", "'secret'"), ("margins", "margins", "'secret'"),
            ("forget_requests", "certificate", "'secret'"), ("forget_requests", "certificate", "x'01736563726574'"),
            ("audit", "detail", "x'01736563726574'"), ("audit", "hash", "x'736563726574'"),
        ])
    func named(table: String, column: String, value: String) throws {
        let (fixture, _) = try base()
        let ledger = try Ledger(directory: fixture.directory, configuration: fixture.configuration, at: fixture.now)
        try ledger.tamper("UPDATE \(table) SET \(column) = \(value)")
        let errors = use(ledger, fixture).map(\.description)
        #expect(errors.contains { $0.contains("\(table).\(column)") }, "\(errors)")
        #expect(!errors.contains { $0.contains("secret") }, "\(errors)")
    }
}
