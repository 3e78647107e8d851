import ClusterTestSupport
import Crypto
import Foundation
import Messages
import Recommendation
import Testing

@testable import Ledger

@Suite("Ledger: imports that come to no end")
struct DroppedImportTests {
    private let fixture = LedgerFixture()
    private let data = SyntheticRatings(users: 5, seed: 61)

    private func stage(_ sequence: Int, of importID: String, in ledger: Ledger, minute: Double = 0) throws {
        try ledger.stage(
            importID: importID, sequence: sequence, items: sequence == 0 ? data.items : [],
            interactions: sequence == 0 ? [] : data.interactions, at: time(minute))
    }

    private func time(_ minute: Double) -> Date { fixture.now.addingTimeInterval(60 * minute) }

    private func finish(_ importID: String, in ledger: Ledger, minute: Double = 0) throws -> ImportOutcome {
        try ledger.finishImport(importID: importID, batches: 2, prompts: fixture.prompts, at: time(minute))
    }

    private func staged(_ ledger: Ledger) throws -> [String] {
        try ["a", "b", "left", "again", "going on", "later"].filter { importID in
            try ledger.read { try ledger.importReference(importID, $0) } != nil
        }
    }

    @Test("A dropped import's key is destroyed and its files are gone; others stay, and the same id begins anew")
    func dropped() throws {
        let ledger = try fixture.open()
        for id in ["a", "b"] { for sequence in 0..<2 { try stage(sequence, of: id, in: ledger) } }
        let known = try #require(try ledger.read { try ledger.importReference("a", $0) })
        let key = try #require(try ledger.livingKey(known))
        let files = fileNames()
        try ledger.dropImport(importID: "a", at: time(1))
        #expect(try ledger.livingKey(known) == nil)
        #expect(try staged(ledger) == ["b"])
        #expect(fileNames().count == files.count - 2)
        #expect(throws: LedgerError.unknownImport(id: "a")) { try finish("a", in: ledger, minute: 1) }
        // What is not there is dropped already.
        try ledger.dropImport(importID: "a", at: time(1))
        try ledger.dropImport(importID: "never", at: time(1))
        for sequence in 0..<2 { try stage(sequence, of: "a", in: ledger, minute: 2) }
        let again = try ledger.read { try ledger.importKey("a", $0) }
        #expect(again != key)
        #expect(try finish("a", in: ledger, minute: 3).rowsNew == data.interactions.count)
        #expect(try finish("b", in: ledger, minute: 3).rowsNew == 0)
    }

    private func fileNames() -> [String] {
        (FileManager.default.enumerator(atPath: fixture.directory.path)?.compactMap { $0 as? String } ?? [])
            .filter { $0.hasSuffix(StagedPlace.suffix) }
    }

    @Test("What nobody continues for an hour goes; a batch sent again continues it, and a late rest is no import")
    func aged() throws {
        let ledger = try fixture.open()
        for id in ["left", "again", "going on"] { try stage(0, of: id, in: ledger) }
        #expect(Ledger.stagingLifetime == 3600)
        #expect(try ledger.dropAbandonedImports(at: time(60)).isEmpty)
        try stage(1, of: "going on", in: ledger, minute: 30)
        try stage(0, of: "again", in: ledger, minute: 40)
        #expect(try ledger.dropAbandonedImports(at: time(61)) == ["left"])
        #expect(try ledger.dropAbandonedImports(at: time(89)).isEmpty)
        #expect(try finish("going on", in: ledger, minute: 89).rowsNew == data.interactions.count)
        #expect(try ledger.dropAbandonedImports(at: time(99)).isEmpty)
        #expect(try ledger.dropAbandonedImports(at: time(101)) == ["again"])
        #expect(try staged(ledger).isEmpty && fileNames().isEmpty)
        // A clock that went back drops nothing before its time.
        try stage(0, of: "later", in: ledger, minute: 500)
        #expect(try ledger.dropAbandonedImports(at: time(0)).isEmpty)
        // Whoever goes on where nothing is left is told what is missing.
        try stage(1, of: "left", in: ledger, minute: 500)
        #expect(throws: LedgerError.importIncomplete(id: "left", expected: 2, missing: [0])) {
            try finish("left", in: ledger, minute: 500)
        }
    }

    @Test("An import that is being taken in can neither be dropped nor grow too old")
    func underWay() throws {
        let ledger = try fixture.open()
        for sequence in 0..<2 { try stage(sequence, of: "a", in: ledger) }
        let progress = try ledger.beginImport(importID: "a", batches: 2, prompts: fixture.prompts, at: time(1))
        guard case .underWay = progress else {
            Issue.record("it was taken in at once")
            return
        }
        #expect(throws: LedgerError.self) { try ledger.dropImport(importID: "a", at: time(2)) }
        #expect(try ledger.dropAbandonedImports(at: time(10_000)).isEmpty)
        var next = try ledger.continueImport(importID: "a", at: time(10_000))
        while case .underWay = next { next = try ledger.continueImport(importID: "a", at: time(10_000)) }
        #expect(try ledger.statistics().interactions == data.interactions.count)
    }

    /// What became of an import's second batch.
    enum Loss: CaseIterable { case gone, cut, keyless }

    private func lose(_ loss: Loss, _ ledger: Ledger) throws {
        let file = URL(fileURLWithPath: ledger.stagedImports.place("a", 1).path)
        switch loss {
        case .gone: try FileManager.default.removeItem(at: file)
        case .cut: try Data(contentsOf: file).prefix(20).write(to: file)
        case .keyless: try ledger.keys.destroy([#require(try ledger.read { try ledger.importReference("a", $0) })])
        }
    }

    /// Four people, who are in the import `a` as well, as is a fifth; the import `b` names nobody.
    private func withImports() throws -> (ledger: Ledger, known: SyntheticRatings) {
        let (ledger, known) = (try fixture.open(), SyntheticRatings(users: 4, seed: 62))
        try fixture.load(known, into: ledger)
        for sequence in 0..<2 { try stage(sequence, of: "a", in: ledger) }
        try ledger.stage(
            importID: "b", sequence: 0, items: [Item(id: "other", title: "Another film")], interactions: [], at: time(0)
        )
        return (ledger, known)
    }

    @Test(
        "An import that cannot be read keeps nobody from being forgotten: it is dropped, also where it could be read before",
        arguments: Loss.allCases, [false, true])
    func unreadable(loss: Loss, wasRead: Bool) throws {
        let (ledger, known) = try withImports()
        let one = try #require(known.interactions.first { $0.user == "u1" })
        if wasRead { _ = try ledger.plan(LedgerFixture.forget(one.key)) }
        try lose(loss, ledger)
        let outcome = try ledger.forget(requestID: "f", LedgerFixture.forget(one.key), at: time(1))
        #expect(outcome.counts.interactions == 1)
        #expect(try staged(ledger) == ["b"] && fileNames().count == 1)
        #expect(try ledger.auditLog().suffix(2).map(\.kind) == ["abandon import", "forget"])
        #expect(throws: LedgerError.unknownImport(id: "a")) { try finish("a", in: ledger, minute: 2) }
    }

    @Test("Whoever may be in no other than such an import is unknown once it is dropped; a plan drops it as well")
    func unreadableAlone() throws {
        for isPlan in [false, true] {
            let fixture = DroppedImportTests()
            let (ledger, _) = try fixture.withImports()
            try fixture.lose(.gone, ledger)
            let request = LedgerFixture.forget(users: ["u4"])
            #expect(throws: LedgerError.unknownData(users: ["u4"], interactions: [])) {
                if isPlan {
                    _ = try ledger.plan(request, at: fixture.time(1))
                } else {
                    _ = try ledger.forget(requestID: "f", request, at: fixture.time(1))
                }
            }
            #expect(try fixture.staged(ledger) == ["b"])
        }
    }

    @Test("Among requests that wait together such an import is dropped in their one transaction")
    func unreadableTogether() throws {
        let (ledger, _) = try withImports()
        try lose(.cut, ledger)
        let commits = ledger.commits
        let outcomes = try ledger.together {
            try ["u1", "u2"].map {
                try ledger.forget(requestID: $0, LedgerFixture.forget(users: [$0]), at: time(1))
            }
        }
        #expect(outcomes.allSatisfy { $0.counts.users == 1 } && ledger.commits == commits + 1)
        #expect(try staged(ledger) == ["b"] && ledger.auditVerdict().finding == nil)
    }
}
