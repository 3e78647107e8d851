import ClusterTestSupport
import Foundation
import GRDB
import Messages
import Recommendation
import Testing
import Unlearning

@testable import Ledger

@Suite("Ledger: people who are forgotten while an import that names them is taken in")
struct ImportForgettingTests {
    private static let one = ImportPortion(seconds: 60, people: 1)

    private let data = SyntheticRatings(users: 12, seed: 81)

    /// An import under way, of which so many people are taken in.
    private func underWay(_ fixture: LedgerFixture, taken: Int = 3) throws -> Ledger {
        let ledger = try fixture.open()
        let batches = try stage(data, into: ledger, fixture)
        let progress = try ledger.beginImport(
            importID: "a", batches: batches, prompts: fixture.prompts, at: fixture.now, requestID: "q")
        guard case .underWay = progress else { throw Failure(reason: "it was taken in at once") }
        for _ in 0..<taken { _ = try ledger.continueImport(importID: "a", at: fixture.now, portion: Self.one) }
        return ledger
    }

    private struct Failure: Error { var reason: String }

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

    private func end(_ ledger: Ledger, _ fixture: LedgerFixture) throws -> ImportOutcome? {
        while true {
            let progress = try ledger.continueImport(importID: "a", at: fixture.now, portion: Self.one)
            if case .done(let outcome) = progress { return outcome }
        }
    }

    /// What the whole import leaves from which the same is forgotten afterwards.
    private func expected(
        _ request: ClientRequest.ForgetRequest, partition: PartitionMethod = .userHash
    ) throws -> (ledger: Ledger, outcome: ForgetOutcome, imported: ImportOutcome) {
        let fixture = LedgerFixture(partition: partition)
        let ledger = try fixture.open()
        let imported = try fixture.load(data, into: ledger)
        return (ledger, try ledger.forget(requestID: "f", request, at: fixture.now), imported)
    }

    private func expectSame(_ ledger: Ledger, _ other: Ledger) throws {
        #expect(try ledger.snapshot().shards.map(\.manifest) == other.snapshot().shards.map(\.manifest))
        #expect(try ledger.snapshot().validationDigest == other.snapshot().validationDigest)
        #expect(try ledger.statistics().users == other.statistics().users)
        #expect(try ledger.statistics().interactions == other.statistics().interactions)
        for split in Split.allCases { #expect(try ledger.prompts(split: split) == other.prompts(split: split)) }
        let items = "SELECT token || ' ' || IFNULL(title, '') FROM items ORDER BY token"
        #expect(try ledger.inspect(items) == other.inspect(items))
    }

    @Test(
        "It goes on without them, and in the end all is as if they had been forgotten after it",
        arguments: [PartitionMethod.userHash, .hash], [0, 3, 12])
    func sameEnd(partition: PartitionMethod, taken: Int) throws {
        let request = LedgerFixture.forget(users: ["u3", "u7"])
        let (other, wanted, imported) = try expected(request, partition: partition)
        let fixture = LedgerFixture(partition: partition)
        let ledger = try underWay(fixture, taken: taken)
        let outcome = try ledger.forget(requestID: "f", request, at: fixture.now)
        #expect(try ledger.importsUnderWay() == ["a"])
        #expect(outcome.counts == wanted.counts && outcome.shards == wanted.shards)
        for user in ["u3", "u7"] {
            #expect(throws: LedgerError.unknownUser(user)) { try ledger.history(user: user) }
        }
        let done = try end(ledger, fixture)
        #expect(done?.rowsNew == imported.rowsNew && done?.promptsAdded == imported.promptsAdded)
        try expectSame(ledger, other)
    }

    @Test("Of somebody of whom one interaction is forgotten everything else is there, once")
    func oneInteraction() throws {
        let gone = try #require(data.interactions.first { $0.user == "u5" })
        let request = LedgerFixture.forget(gone.key)
        let (other, wanted, imported) = try expected(request)
        for taken in [0, 12] {
            let fixture = LedgerFixture()
            let ledger = try underWay(fixture, taken: taken)
            let outcome = try ledger.forget(requestID: "f", request, at: fixture.now)
            #expect(outcome.counts == wanted.counts)
            let done = try end(ledger, fixture)
            #expect(done?.rowsNew == imported.rowsNew && done?.rowsAlreadyThere == imported.rowsAlreadyThere)
            try expectSame(ledger, other)
        }
    }

    @Test("Whoever asks waits for nobody else's rows: no other person is taken in, and no other's row is written")
    func bounded() throws {
        let fixture = LedgerFixture()
        let ledger = try underWay(fixture, taken: 0)
        let outcome = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u3"]), at: fixture.now)
        #expect(outcome.counts.interactions == data.interactions.count { $0.user == "u3" })
        #expect(try ledger.statistics().users == 0 && ledger.statistics().interactions == 0)
    }

    @Test("What is staged of them opens no more: the keys of their batches are gone once it is acknowledged")
    func stagedRows() throws {
        let fixture = LedgerFixture()
        let ledger = try underWay(fixture)
        let lookup = ledger.lookup("u3")
        let before = try ledger.read { try ledger.ownBatches("a", $0) }
        let concerned = try before.keys.filter { number in
            try ledger.read { try ledger.staged("a", sequences: [number], $0)?.people().contains(lookup) == true }
        }
        #expect(!concerned.isEmpty)
        let files = try concerned.map { number in
            try ledger.read { try #require(try ledger.staged("a", $0)).folder.place("a", number).path }
        }
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u3"]), at: fixture.now)
        for number in concerned {
            let reference = try #require(before[number]?.reference)
            #expect(try ledger.livingKey(reference) == nil)
        }
        for (number, batch) in before where !concerned.contains(number) {
            #expect(try ledger.livingKey(batch.reference) != nil)
        }
        for file in files { #expect(!FileManager.default.fileExists(atPath: file)) }
        let people = try ledger.read { try #require(try ledger.staged("a", $0)).people() }
        #expect(!people.contains(lookup) && people.count == 11)
    }

    @Test("Killed around the commit the request is there with all of it or not at all, and the import goes on")
    func killed() throws {
        struct Killed: Error {}
        let request = LedgerFixture.forget(users: ["u3"])
        let (other, _, _) = try expected(request)
        let whole = LedgerFixture()
        let untouched = try whole.open()
        try whole.load(data, into: untouched)
        for step in CommitStep.allCases {
            let fixture = LedgerFixture()
            let ledger = try underWay(fixture)
            ledger.interrupt = { if $0 == step { throw Killed() } }
            #expect(throws: Killed.self) { try ledger.forget(requestID: "f", request, at: fixture.now) }
            let copy = try fixture.copyOfFiles()
            defer { try? FileManager.default.removeItem(at: copy) }
            let again = try fixture.open(at: copy)
            #expect(try again.importsUnderWay() == ["a"])
            let isThere = try !again.forgetRequests().isEmpty
            #expect(isThere == (step != .beforeCommit))
            _ = try end(again, fixture)
            try expectSame(again, isThere ? other : untouched)
        }
    }

    @Test("A request that fails leaves the import as it was, among others that wait together too")
    func failed() throws {
        let fixture = LedgerFixture()
        let ledger = try underWay(fixture)
        let outcomes = try ledger.together {
            try ["u1", "nobody", "u2"].map { user in
                do {
                    _ = try ledger.forget(requestID: user, LedgerFixture.forget(users: [user]), at: fixture.now)
                    return true
                } catch is LedgerError {
                    return false
                }
            }
        }
        #expect(outcomes == [true, false, true])
        _ = try end(ledger, fixture)
        let (other, _, _) = try expected(LedgerFixture.forget(users: ["u1", "u2"]))
        try expectSame(ledger, other)
    }

    @Test("Requests between all portions do not keep it from coming to its end")
    func oneAfterAnother() throws {
        let fixture = LedgerFixture()
        let ledger = try underWay(fixture, taken: 0)
        var isDone = false
        for user in 0..<11 {
            _ = try ledger.forget(requestID: "f\(user)", LedgerFixture.forget(users: ["u\(user)"]), at: fixture.now)
            guard !isDone else { continue }
            // What was read of the batches is not read again.
            #expect(ledger.readers["a"] != nil || user == 0)
            let progress = try ledger.continueImport(importID: "a", at: fixture.now, portion: Self.one)
            if case .done = progress { isDone = true }
        }
        if !isDone { _ = try end(ledger, fixture) }
        let (other, _, _) = try expected(LedgerFixture.forget(users: (0..<11).map { "u\($0)" }))
        try expectSame(ledger, other)
    }

    @Test("A second import waits until the first is taken in, and has the last word")
    func second() throws {
        let fixture = LedgerFixture()
        let ledger = try underWay(fixture)
        try ledger.stage(importID: "b", sequence: 0, items: data.items, interactions: [], at: fixture.now)
        let progress = try ledger.beginImport(importID: "b", batches: 1, prompts: fixture.prompts, at: fixture.now)
        guard case .waiting = progress else {
            Issue.record("it did not wait")
            return
        }
        #expect(try ledger.importsUnderWay() == ["a"])
        // Nor is it taken for one that its client left.
        #expect(try ledger.dropAbandonedImports(at: fixture.now.addingTimeInterval(100_000)).isEmpty)
        _ = try end(ledger, fixture)
        _ = try ledger.finishImport(importID: "b", batches: 1, prompts: fixture.prompts, at: fixture.now)
        #expect(try ledger.importsUnderWay().isEmpty)
    }

    @Test(
        "Where the import is dropped instead, what only they had leaves the catalogue all the same",
        arguments: [false, true])
    func dropped(isDamaged: Bool) throws {
        let fixture = LedgerFixture()
        var data = self.data
        data.items.append(Item(id: "theirs", title: "Nobody else has this one"))
        data.interactions.append(
            Interaction(
                user: "u3", item: "theirs", timestamp: 7, rating: 5, ordinal: Int64(data.interactions.count)))
        let ledger = try fixture.open()
        let batches = try stage(data, into: ledger, fixture)
        let progress = try ledger.beginImport(
            importID: "a", batches: batches, prompts: fixture.prompts, at: fixture.now, requestID: "q")
        guard case .underWay = progress else { throw Failure(reason: "it was taken in at once") }
        for _ in 0..<3 { _ = try ledger.continueImport(importID: "a", at: fixture.now, portion: Self.one) }
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u3"]), at: fixture.now)
        // Somebody may follow who names it.
        #expect(try ledger.inspect("SELECT token FROM items WHERE token = 'theirs'") == ["theirs"])
        let slot = try #require(
            try ledger.inspect("SELECT slot FROM staged_batches WHERE sequence = 0").first.flatMap(Int.init))
        if !isDamaged { try ledger.abandonImport(importID: "a", at: fixture.now) }
        try ledger.close()
        if isDamaged { try fixture.damage(slots: [slot]) }
        let again = try fixture.open()
        #expect(try again.importsUnderWay().isEmpty)
        #expect(try again.inspect("SELECT token FROM items WHERE token = 'theirs'").isEmpty)
        #expect(try fixture.traces(of: ["Nobody else has this one"]).isEmpty)
        // Those who were taken in have what they had.
        let had = Set(try again.prompts(split: .train).map(\.prompt.user))
        #expect(had.isSubset(of: Set(data.interactions.map(\.user))) && !had.contains("u3"))
        #expect(try again.isNamedByItsPrompts())
    }

    @Test("Where nobody was forgotten meanwhile, items that nobody has stay when an import is dropped")
    func unused() throws {
        var unused = SyntheticRatings(users: 4, seed: 82)
        unused.items.append(Item(id: "unused", title: "Nobody has this one"))
        for isBegun in [false, true] {
            let fixture = LedgerFixture()
            let ledger = try fixture.open()
            try fixture.load(unused, into: ledger, id: "first")
            let batches = try stage(data, into: ledger, fixture)
            if isBegun {
                let progress = try ledger.beginImport(
                    importID: "a", batches: batches, prompts: fixture.prompts, at: fixture.now)
                guard case .underWay = progress else { throw Failure(reason: "it was taken in at once") }
            }
            try ledger.abandonImport(importID: "a", at: fixture.now)
            #expect(try ledger.inspect("SELECT token FROM items WHERE token = 'unused'") == ["unused"])
        }
    }

    @Test("One that a release before staged, under one key, is taken in whole before somebody of it is forgotten")
    func older() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.open()
        let batches = try stage(data, into: ledger, fixture)
        // As that release wrote them.
        try ledger.commit { db in
            let key = try ledger.importKey("a", db)
            for sequence in 0..<batches {
                let staged = try #require(try ledger.staged("a", sequences: [sequence], db))
                let batch: StagedBatch
                if let parted = try staged.parted(from: try staged.people(), sequence) {
                    batch = StagedBatch(rows: parted.rows, items: parted.rest.items, refusedItems: [])
                } else {
                    let items = data.items.map { StagedItem(token: $0.id, title: $0.title) }
                    batch = StagedBatch(rows: [], items: items, refusedItems: [])
                }
                try ledger.stagedImports.write(batch, importID: "a", sequence: sequence, key: key)
            }
            try db.execute(sql: "UPDATE staged_batches SET slot = NULL, key = NULL")
        }
        let progress = try ledger.beginImport(
            importID: "a", batches: batches, prompts: fixture.prompts, at: fixture.now, requestID: "q")
        guard case .underWay = progress else { throw Failure(reason: "it was taken in at once") }
        let request = LedgerFixture.forget(users: ["u3"])
        _ = try ledger.forget(requestID: "f", request, at: fixture.now)
        #expect(try ledger.importsUnderWay().isEmpty)
        #expect(try ledger.importOutcome(requestID: "q")?.rowsNew == data.interactions.count)
        try expectSame(ledger, try expected(request).ledger)
    }
}
