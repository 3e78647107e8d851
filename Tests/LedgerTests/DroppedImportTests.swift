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
}
