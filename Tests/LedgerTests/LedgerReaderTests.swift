import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Testing

@Suite("Ledger: what is read beside it")
struct LedgerReaderTests {
    private let fixture = LedgerFixture()

    @Test("It is what the ledger has, as of the last commit, while a transaction is under way and after it")
    func committed() throws {
        let ledger = try fixture.trained(SyntheticRatings(users: 10, seed: 2))
        let reader = try LedgerReader(ledger.readerSource)
        let (adapters, log) = (try ledger.adapters(), try ledger.auditLog())
        #expect(try reader.adapters() == adapters && reader.auditLog(after: 0, limit: .max) == log)
        #expect(try reader.auditLog(after: 2, limit: 3) == Array(log[2..<5]))
        try ledger.together {
            _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
            #expect(try reader.adapters() == adapters && reader.auditLog(after: 0, limit: .max) == log)
        }
        #expect(try reader.adapters() == ledger.adapters() && reader.adapters() != adapters)
        #expect(try reader.auditLog(after: log.count, limit: .max).map(\.kind) == ["forget"])
    }

    @Test("A certificate is read beside the ledger, also while a transaction is under way")
    func evidence() throws {
        let ledger = try fixture.trained(SyntheticRatings(users: 10, seed: 2))
        let reader = try LedgerReader(ledger.readerSource)
        #expect(try reader.evidence(ofForget: "f") == nil)
        let outcome = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        let pending = try #require(try reader.evidence(ofForget: "f"))
        #expect(pending.record.state == .pending && pending.record.outcome == outcome && pending.adapters.isEmpty)
        try fixture.prepare(ledger)
        let certificate = try ledger.finishForget(request: "f", at: fixture.now)
        try ledger.together {
            _ = try ledger.forget(requestID: "g", LedgerFixture.forget(users: ["u2"]), at: fixture.now)
            let finished = try #require(try reader.evidence(ofForget: "f"))
            #expect(finished.record.certificate == certificate && finished.record.state == .finished)
            #expect(Set(finished.adapters.map(\.shard)) == Set(outcome.waitingFor))
            #expect(try reader.evidence(ofForget: "g") == nil)
        }
        #expect(try reader.evidence(ofForget: "g")?.record.state == .pending)
    }

    @Test("Forget requests are listed in the order of their receipt, in pages, all or those that wait, or by name")
    func requests() throws {
        let ledger = try fixture.trained(SyntheticRatings(users: 10, seed: 2))
        let reader = try LedgerReader(ledger.readerSource)
        for (position, name) in ["c", "a", "b"].enumerated() {
            _ = try ledger.forget(
                requestID: name, LedgerFixture.forget(users: ["u\(position + 1)"]),
                at: fixture.now.addingTimeInterval(Double(position)))
        }
        func listed(after: Int = 0, limit: Int = 10, pendingOnly: Bool = false, named: String? = nil) throws -> [String]
        {
            try reader.requests(.init(after: after, limit: limit, pendingOnly: pendingOnly, named: named)).map(
                \.request)
        }
        #expect(try listed() == ["c", "a", "b"] && listed(pendingOnly: true) == ["c", "a", "b"])
        let first = try reader.requests(.init(after: 0, limit: 2))
        #expect(first.map(\.request) == ["c", "a"] && first.map(\.state) == [.pending, .pending])
        #expect(try listed(after: try #require(first.last).number) == ["b"])
        #expect(try listed(named: "a") == ["a"] && listed(named: "z") == [] && listed(after: 3) == [])
        #expect(first[0].received == fixture.now.iso8601 && first[0].finished == nil && first[0].method == "apa")

        try fixture.prepare(ledger)
        _ = try ledger.finishForget(request: "c", at: fixture.now.addingTimeInterval(9))
        #expect(try listed() == ["c", "a", "b"] && listed(pendingOnly: true) == ["a", "b"])
        let finished = try #require(try reader.requests(.init(after: 0, limit: 1)).first)
        #expect(finished.state == .finished)
        #expect(finished.finished == fixture.now.addingTimeInterval(9).iso8601)
    }

    @Test("It does not keep the log from being emptied, and does not outlive the ledger's files")
    func log() throws {
        let ledger = try fixture.trained(SyntheticRatings(users: 10, seed: 2))
        let reader = try LedgerReader(ledger.readerSource)
        _ = try reader.adapters()
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        try ledger.purge()
        let log = fixture.directory.appendingPathComponent("ledger.sqlite-wal")
        let size = try FileManager.default.attributesOfItem(atPath: log.path)[.size] as? Int
        // What `purge` itself notes afterwards: a few pages.
        #expect((size ?? .max) < 10 * 4120)
        #expect(try reader.adapters() == ledger.adapters())
        let file = fixture.directory.appendingPathComponent("ledger.sqlite")
        try FileManager.default.moveItem(at: file, to: file.appendingPathExtension("away"))
        #expect(throws: LedgerError.self) { try reader.adapters() }
        #expect(reader.displaced != nil)
    }
}
