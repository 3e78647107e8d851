import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

@Suite("Ledger: durability")
struct LedgerDurabilityTests {
    @Test("The database is in WAL mode, flushes every commit, overwrites what it deletes and checks references")
    func settings() throws {
        let ledger = try LedgerFixture().open()
        #expect(try ledger.setting("journal_mode") == "wal")
        #expect(try ledger.setting("synchronous") == "2")
        #expect(try ledger.setting("secure_delete") == "1")
        #expect(try ledger.setting("foreign_keys") == "1")
        // Incremental: free pages are given back without the whole file being written anew.
        #expect(try ledger.setting("auto_vacuum") == "2")
    }

    @Test("A process that is killed loses nothing that was acknowledged")
    func killed() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 10, seed: 1)
        let ledger = try fixture.trained(data)
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        try ledger.purge()
        try ledger.requestTraining(at: fixture.now)
        try ledger.store(reply: Data([1, 2]), requestID: "q", at: fixture.now)
        let copy = try fixture.copyOfFiles()
        defer { try? FileManager.default.removeItem(at: copy) }
        let reopened = try fixture.open(at: copy)
        #expect(try reopened.snapshot() == ledger.snapshot() && reopened.snapshot().trainingRequested)
        #expect(try reopened.adapters() == ledger.adapters() && reopened.auditLog() == ledger.auditLog())
        #expect(try reopened.forgetRequests() == ledger.forgetRequests())
        #expect(try reopened.reply(requestID: "q") == Data([1, 2]))
        #expect(reopened.cluster == ledger.cluster && reopened.publicKey == ledger.publicKey)
        #expect(try reopened.attentionTable() == ledger.attentionTable())
        for split in Split.allCases { #expect(try reopened.prompts(split: split) == ledger.prompts(split: split)) }
        #expect(throws: LedgerError.unknownUser("u1")) { try reopened.history(user: "u1") }
    }

    @Test("A start after a kill destroys no key before the database holds, without its log, what it goes by")
    func logIsTakenOver() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 7))
        try ledger.purge()
        try ledger.requestTraining(at: fixture.now)
        let killed = try fixture.copyOfFiles()
        let log = killed.appendingPathComponent("ledger.sqlite-wal")
        #expect(try !Data(contentsOf: log).isEmpty)
        let again = try fixture.open(at: killed)
        let withoutLog = killed.appendingPathExtension("without")
        defer { for folder in [killed, withoutLog] { try? FileManager.default.removeItem(at: folder) } }
        try FileManager.default.copyItem(at: killed, to: withoutLog)
        for suffix in ["-wal", "-shm"] {
            try FileManager.default.removeItem(at: withoutLog.appendingPathComponent("ledger.sqlite" + suffix))
        }
        let last = try fixture.open(at: withoutLog)
        #expect(try last.snapshot().trainingRequested)
        #expect(try last.auditLog() == again.auditLog())
    }

    private struct SyncFailed: Error {}

    private func usedSlots(_ directory: URL) throws -> Int {
        let slots = try Data(contentsOf: directory.appendingPathComponent("keys/slots"))
        return stride(from: 20_480, to: slots.count - 63, by: 64).count { slot in
            slots[slot..<slot + 64].contains { $0 != 0 }
        }
    }

    @Test("A commit that comes back after it was reported as failed finds the keys of its records")
    func comesBack() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 8, seed: 5)
        let ledger = try fixture.trained(data)
        let one = try #require(data.interactions.first { $0.user == "u1" })
        // Whole in the write-ahead log, though its sync failed.
        ledger.failCommit = { throw SyncFailed() }
        #expect(throws: SyncFailed.self) {
            try ledger.forget(requestID: "f", LedgerFixture.forget(one.key), at: fixture.now)
        }
        let copy = try fixture.copyOfFiles()
        defer { try? FileManager.default.removeItem(at: copy) }
        let again = try fixture.open(at: copy)
        #expect(try again.forgetRequests().map(\.outcome.request) == ["f"])
        let left = data.interactions.count { $0.user == "u1" } - 1
        #expect(try again.history(user: "u1").count == left && again.statistics().users == 8)
        #expect(try !again.auditLog().contains { $0.kind == "person damaged" })
    }

    @Test("Keys that a failed commit made go with the next commit, which writes over it, or at the next start")
    func doesNotComeBack() throws {
        let fixture = LedgerFixture()
        let data = SyntheticRatings(users: 8, seed: 6)
        let ledger = try fixture.trained(data)
        let one = try #require(data.interactions.first { $0.user == "u1" })
        let slots = try usedSlots(fixture.directory)
        #expect(throws: LedgerError.self) {
            try ledger.together {
                _ = try ledger.forget(requestID: "f", LedgerFixture.forget(one.key), at: fixture.now)
                // A reference to nobody, which only the commit finds.
                try ledger.tamper(
                    "PRAGMA defer_foreign_keys = ON; INSERT INTO embeddings (person, vectors) VALUES (-1, x'00')")
            }
        }
        #expect(try usedSlots(fixture.directory) > slots)
        let copy = try fixture.copyOfFiles()
        defer { try? FileManager.default.removeItem(at: copy) }
        let again = try fixture.open(at: copy)
        try ledger.requestTraining(at: fixture.now)
        for (reader, directory) in [(again, copy), (ledger, fixture.directory)] {
            #expect(try usedSlots(directory) == slots)
            #expect(try reader.history(user: "u1").count == data.interactions.count { $0.user == "u1" })
        }
        let outcome = try ledger.forget(requestID: "f", LedgerFixture.forget(one.key), at: fixture.now)
        #expect(outcome.counts.interactions == 1)
    }

    @Test("A second process cannot open the same directory; after the first is gone it can")
    func exclusive() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        #expect(throws: LedgerError.inUse(path: fixture.directory.path)) { try fixture.open() }
        try ledger.close()
        _ = try fixture.open()
    }

    @Test("Starting with another value of anything that determines the adapters is refused, naming it")
    func configurationChanged() throws {
        let fixture = LedgerFixture()
        try fixture.open().close()
        fixture.epochs = 3
        #expect(throws: LedgerError.configurationChanged(field: "epochs", recorded: "2", given: "3")) {
            try fixture.open()
        }
        fixture.epochs = 2
        fixture.slices = 2
        #expect(throws: LedgerError.configurationChanged(field: "slices", recorded: "1", given: "2")) {
            try fixture.open()
        }
        fixture.slices = 1
        fixture.shards = 4
        #expect(throws: LedgerError.configurationChanged(field: "shards", recorded: "3", given: "4")) {
            try fixture.open()
        }
        fixture.shards = 3
        fixture.partition = .hash
        #expect(throws: LedgerError.configurationChanged(field: "partition", recorded: "user-hash", given: "hash")) {
            try fixture.open()
        }
        fixture.shards = 0
        #expect(throws: LedgerError.self) { try fixture.open() }
    }

    @Test("A damaged database is refused as such", arguments: [0, 4096, 20_000])
    func corrupt(offset: Int) throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 10, seed: 2))
        try ledger.close()
        let file = fixture.directory.appendingPathComponent("ledger.sqlite")
        var bytes = try Data(contentsOf: file)
        bytes.replaceSubrange(offset..<offset + 4000, with: [UInt8](repeating: 0x5A, count: 4000))
        try bytes.write(to: file)
        let error = #expect(throws: LedgerError.self) { try fixture.open() }
        guard case .corrupt = error else {
            Issue.record("wrong error: \(String(describing: error))")
            return
        }
    }

    @Test("A file that is no database is refused as such")
    func noDatabase() throws {
        let fixture = LedgerFixture()
        try FileManager.default.createDirectory(at: fixture.directory, withIntermediateDirectories: true)
        let file = fixture.directory.appendingPathComponent("ledger.sqlite")
        try Data(repeating: 0x41, count: 10_000).write(to: file)
        let error = #expect(throws: LedgerError.self) { try fixture.open() }
        guard case .corrupt = error else {
            Issue.record("wrong error: \(String(describing: error))")
            return
        }
    }

    @Test("A full disk is reported as such, and nothing of the portion is kept that found no room")
    func diskFull() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 10, seed: 3))
        let audit = try ledger.auditLog()
        try ledger.limitGrowth(toPages: 2)
        let more = SyntheticRatings(users: 200, seed: 4)
        let error = #expect(throws: LedgerError.self) { try fixture.load(more, into: ledger, id: "more") }
        guard case .diskFull = error else {
            Issue.record("wrong error: \(String(describing: error))")
            return
        }
        #expect(try ledger.importsUnderWay() == ["more"])
        #expect(try ledger.auditLog() == audit)
        try ledger.limitGrowth(toPages: 10_000)
        // Batches that were acknowledged are there, and taken once.
        #expect(try fixture.load(more, into: ledger, id: "more").rowsNew > 1000)
    }

    @Test("Replies are kept for clients that ask again, a bounded number of them")
    func replies() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        #expect(try ledger.reply(requestID: "a") == nil)
        try ledger.store(reply: Data("one".utf8), requestID: "a", at: fixture.now)
        try ledger.store(reply: Data("two".utf8), requestID: "a", at: fixture.now)
        #expect(try ledger.reply(requestID: "a") == Data("two".utf8))
        // Four large ones do not fit in the bound of 64 MiB.
        let large = Data(repeating: 7, count: 20 << 20)
        for number in 0..<4 { try ledger.store(reply: large, requestID: "l\(number)", at: fixture.now) }
        #expect(try ledger.reply(requestID: "a") == nil && ledger.reply(requestID: "l0") == nil)
        #expect(try ledger.reply(requestID: "l3") == large && ledger.reply(requestID: "l1") == large)
    }
}
