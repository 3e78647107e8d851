import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

@Suite("Ledger: imports that are taken in by portions")
struct ImportPortionTests {
    private static let one = ImportPortion(seconds: 60, people: 1)

    @Test(
        "However many portions it takes, the ledger is that of an import at one go",
        arguments: [PartitionMethod.userHash, .hash, .user, .semantic])
    func anyPortions(partition: PartitionMethod) throws {
        let data = SyntheticRatings(users: 9, seed: 41)
        let (fixture, atOnce) = (LedgerFixture(partition: partition), LedgerFixture(partition: partition))
        let ledger = try fixture.open()
        let batches = try stage(data, into: ledger, fixture)
        var progress = try begin(ledger, batches, fixture)
        var portions = 0
        while case .underWay = progress {
            #expect(try ledger.snapshot().isImporting && ledger.importsUnderWay() == ["a"])
            progress = try ledger.continueImport(importID: "a", at: fixture.now, portion: Self.one)
            portions += 1
        }
        let other = try atOnce.open()
        let expected = try atOnce.load(data, into: other)
        guard case .done(let outcome) = progress else { return }
        #expect(portions >= 9 && outcome == expected)
        #expect(try ledger.snapshot() == other.snapshot() && ledger.importsUnderWay().isEmpty)
        #expect(try ledger.statistics().interactions == other.statistics().interactions)
        for split in Split.allCases { #expect(try ledger.prompts(split: split) == other.prompts(split: split)) }
    }

    @Test("Killed after any portion, each person has the old or the new state, and the rest is taken in afterwards")
    func killed() throws {
        let data = SyntheticRatings(users: 7, seed: 42)
        let more = SyntheticRatings(users: 9, seed: 43)
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(data)
        let batches = try stage(more, into: ledger, fixture)
        let (old, expected) = (try rows(of: ledger), try merged(data, more))
        guard case .underWay = try begin(ledger, batches, fixture) else {
            Issue.record("it was taken in at once")
            return
        }
        var isDone = false
        while !isDone {
            let copy = try fixture.copyOfFiles()
            defer { try? FileManager.default.removeItem(at: copy) }
            let again = try fixture.open(at: copy)
            for (user, rows) in try self.rows(of: again) { #expect(rows == old[user] ?? [] || rows == expected[user]) }
            #expect(try again.importsUnderWay() == ["a"])
            while case .underWay = try again.continueImport(importID: "a", at: fixture.now, portion: Self.one) {}
            #expect(try self.rows(of: again) == expected && !again.snapshot().isImporting)
            if case .done = try ledger.continueImport(importID: "a", at: fixture.now, portion: Self.one) {
                isDone = true
            }
        }
        #expect(try rows(of: ledger) == expected)
    }

    @Test("Whom it names and who is forgotten meanwhile is not there when it is done")
    func forgottenMeanwhile() throws {
        let data = SyntheticRatings(users: 8, seed: 44)
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        let batches = try stage(data, into: ledger, fixture)
        guard case .underWay = try begin(ledger, batches, fixture) else { return }
        _ = try ledger.continueImport(importID: "a", at: fixture.now, portion: Self.one)
        let outcome = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u3"]), at: fixture.now)
        #expect(outcome.counts.users == 1 && outcome.counts.interactions > 0)
        #expect(try ledger.importsUnderWay() == ["a"])
        while case .underWay = try ledger.continueImport(importID: "a", at: fixture.now, portion: Self.one) {}
        let fresh = LedgerFixture()
        let other = try fresh.open()
        try fresh.load(data.without(users: ["u3"]), into: other)
        #expect(try ledger.snapshot().shards.map(\.manifest) == other.snapshot().shards.map(\.manifest))
        #expect(try ledger.statistics().users == 7)
        #expect(throws: LedgerError.unknownImport(id: "a")) {
            try ledger.continueImport(importID: "a", at: fixture.now)
        }
    }

    @Test("A forget request for somebody else does not touch it, nor take the title of an item that it names")
    func othersForgotten() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        var first = SyntheticRatings(users: 0, seed: 0)
        first.items = (0..<7).map { Item(id: "x\($0)", title: "Film x\($0)") }
        first.interactions = (0..<7).map { index in
            Interaction(user: "other", item: "x\(index)", timestamp: Int64(index), rating: 4, ordinal: Int64(index))
        }
        try fixture.load(first, into: ledger)
        var data = SyntheticRatings(users: 6, seed: 45)
        data.items += first.items
        for user in 0..<6 {
            data.interactions.append(
                Interaction(
                    user: "u\(user)", item: "x1", timestamp: 60, rating: 5, ordinal: Int64(data.interactions.count)))
        }
        let batches = try stage(data, into: ledger, fixture)
        guard case .underWay = try begin(ledger, batches, fixture) else { return }
        let outcome = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["other"]), at: fixture.now)
        #expect(outcome.counts.users == 1)
        #expect(try ledger.importsUnderWay() == ["a"])
        while case .underWay = try ledger.continueImport(importID: "a", at: fixture.now, portion: Self.one) {}
        let fresh = LedgerFixture()
        let other = try fresh.open()
        try fresh.load(data, into: other)
        #expect(try ledger.snapshot().shards.map(\.manifest) == other.snapshot().shards.map(\.manifest))
        #expect(try ledger.inspect("SELECT title FROM items WHERE token = 'x1'") == ["Film x1"])
    }

    @Test("A title that changes concerns others: such an import is one transaction")
    func retitled() throws {
        let data = SyntheticRatings(users: 6, seed: 46)
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        var more = data
        more.items[3].title = "Another title"
        for (index, item) in more.items.prefix(8).enumerated() {
            more.interactions.append(
                Interaction(
                    user: "new", item: item.id, timestamp: Int64(index), rating: 4,
                    ordinal: Int64(more.interactions.count)))
        }
        let batches = try stage(more, into: ledger, fixture)
        guard case .done(let outcome) = try begin(ledger, batches, fixture) else {
            Issue.record("it was taken in by portions")
            return
        }
        #expect(outcome.itemsChanged == 1)
        let fresh = LedgerFixture()
        let other = try fresh.open()
        try fresh.load(more, into: other)
        #expect(try ledger.snapshot().shards.map(\.manifest) == other.snapshot().shards.map(\.manifest))
    }

    @Test("A second import has what is left of the first taken in before it")
    func twoImports() throws {
        let (data, more) = (SyntheticRatings(users: 5, seed: 47), SyntheticRatings(users: 7, seed: 48))
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        let batches = try stage(data, into: ledger, fixture)
        guard case .underWay = try begin(ledger, batches, fixture) else { return }
        try fixture.load(more, into: ledger, id: "b")
        #expect(try ledger.importsUnderWay().isEmpty && rows(of: ledger) == merged(data, more))
        // Whoever waits for the first learns what it did.
        #expect(try ledger.importOutcome(requestID: "q")?.rowsNew == data.interactions.count)
    }

    @Test("A batch that is damaged ends it: whoever was taken in stays, and nothing waits for the rest for ever")
    func damagedBatch() throws {
        let data = SyntheticRatings(users: 8, seed: 50)
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        let batches = try stage(data, into: ledger, fixture)
        guard case .underWay = try begin(ledger, batches, fixture) else { return }
        _ = try ledger.continueImport(importID: "a", at: fixture.now, portion: Self.one)
        try ledger.close()
        let imports = fixture.directory.appendingPathComponent("imports")
        for file in try FileManager.default.contentsOfDirectory(atPath: imports.path) {
            let path = imports.appendingPathComponent(file)
            var bytes = try Data(contentsOf: path)
            bytes[bytes.count / 2] ^= 1
            bytes[bytes.count - 1] ^= 1
            try bytes.write(to: path)
        }
        let again = try fixture.open()
        #expect(throws: LedgerError.self) {
            while case .underWay = try again.continueImport(importID: "a", at: fixture.now, portion: Self.one) {}
        }
        #expect(try again.importsUnderWay().isEmpty && !again.snapshot().isImporting)
    }

    @Test("A full disk stops it where it is; it goes on when there is room")
    func fullDisk() throws {
        let data = SyntheticRatings(users: 400, largest: 40, seed: 49)
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        let batches = try stage(data, into: ledger, fixture)
        guard case .underWay = try begin(ledger, batches, fixture) else { return }
        try ledger.limitGrowth(toPages: 2)
        #expect(throws: LedgerError.self) {
            while case .underWay = try ledger.continueImport(importID: "a", at: fixture.now, portion: Self.one) {}
        }
        #expect(try ledger.importsUnderWay() == ["a"])
        try ledger.limitGrowth(toPages: 10_000)
        while case .underWay = try ledger.continueImport(importID: "a", at: fixture.now, portion: Self.one) {}
        #expect(try ledger.statistics().interactions == data.interactions.count)
    }

    // MARK: fixture

    private func stage(_ data: SyntheticRatings, into ledger: Ledger, _ fixture: LedgerFixture) throws -> Int {
        try ledger.stage(importID: "a", sequence: 0, items: data.items, interactions: [], at: fixture.now)
        var batches = 1
        for start in stride(from: 0, to: data.interactions.count, by: 40) {
            let rows = Array(data.interactions[start..<min(start + 40, data.interactions.count)])
            try ledger.stage(importID: "a", sequence: batches, items: [], interactions: rows, at: fixture.now)
            batches += 1
        }
        return batches
    }

    private func begin(_ ledger: Ledger, _ batches: Int, _ fixture: LedgerFixture) throws -> ImportProgress {
        try ledger.beginImport(
            importID: "a", batches: batches, prompts: fixture.prompts, at: fixture.now, requestID: "q")
    }

    /// Item and timestamp of everybody's interactions, sorted.
    private func rows(of ledger: Ledger) throws -> [String: [String]] {
        var rows: [String: [String]] = [:]
        for user in 0..<9 {
            guard let history = try? ledger.history(user: "u\(user)") else { continue }
            rows["u\(user)"] = history.map { "\($0.item) \($0.timestamp) \($0.rating)" }.sorted()
        }
        return rows
    }

    private func merged(_ data: SyntheticRatings, _ more: SyntheticRatings) throws -> [String: [String]] {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        try fixture.load(data, into: ledger)
        try fixture.load(more, into: ledger, id: "more")
        return try rows(of: ledger)
    }
}
