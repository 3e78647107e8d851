import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Testing

@Suite("Audit log: who asked for what")
struct AccessJournalTests {
    private let start = Date(timeIntervalSince1970: 1_790_000_000)

    private func granted(_ asked: String, by name: String = "anna", request: String = "r") -> Access {
        Access(by: name, asked: asked, request: request)
    }

    @Test("A granted request leaves one entry, however often its client repeats it, with the hash of its id")
    func grantedOnce() throws {
        var journal = AccessJournal()
        let entries = (0..<5).flatMap { journal.take(granted("forget"), at: start.addingTimeInterval(Double($0))) }
        let entry = try #require(entries.first)
        #expect(entries.count == 1 && entry.by == "anna" && entry.asked == "forget" && entry.outcome == "granted")
        #expect(entry.request == "454349e422f05297191ead13e21d3db520e5abef52055e4964b82fb213f593a1")
        #expect(journal.take(granted("forget", request: "s"), at: start).count == 1)
        #expect(journal.take(granted("forget", by: "ben"), at: start).count == 1)
    }

    @Test(
        "Reading where the cluster stands leaves no entry",
        arguments: ["status", "configuration", "operation", "requests", "adapters", "audit"])
    func reading(_ asked: String) {
        var journal = AccessJournal()
        #expect(journal.take(granted(asked), at: start).isEmpty)
        #expect(journal.due(at: start, isEnd: true).isEmpty)
        #expect(journal.take(Access(by: "anna", asked: asked, request: "r", refusal: "no"), at: start).count == 1)
    }

    @Test("A flood of refusals is one entry at once and one an hour, for each key, kind and reason")
    func flood() throws {
        var journal = AccessJournal()
        func refused(_ code: String, by name: String, at seconds: Double) -> [AccessEntry] {
            journal.take(
                Access(by: name, asked: "forget", request: UUID().uuidString, refusal: code),
                at: start.addingTimeInterval(seconds))
        }
        var entries: [AccessEntry] = []
        for second in 0..<3600 { entries += refused("unknown-user", by: "anna", at: Double(second)) }
        #expect(entries.count == 1 && entries[0].outcome == "refused" && entries[0].code == "unknown-user")
        #expect(refused("unknown-user", by: "ben", at: 3599).count == 1)
        #expect(refused("invalid-request", by: "anna", at: 3599).count == 1)
        let counted = journal.due(at: start.addingTimeInterval(3600))
        #expect(counted.count == 1 && counted[0].count == 3599 && counted[0].since == start)
        #expect(counted[0].request == nil)
        #expect(refused("unknown-user", by: "anna", at: 3700).count == 1)
        #expect(journal.due(at: start.addingTimeInterval(20_000)).isEmpty)
    }

    @Test("Queries are counted by key, and an hour's or the rest at the end are one entry")
    func queries() {
        var journal = AccessJournal()
        var entries: [AccessEntry] = []
        for number in 0..<100 {
            entries += journal.take(granted("query", by: number % 4 == 0 ? "ben" : "anna"), at: start)
        }
        #expect(entries.isEmpty)
        let counted = journal.due(at: start.addingTimeInterval(3600))
        #expect(counted.map(\.by) == ["anna", "ben"] && counted.map(\.count) == [75, 25])
        #expect(counted.allSatisfy { $0.outcome == "granted" && $0.asked == "query" })
        _ = journal.take(granted("query"), at: start.addingTimeInterval(3601))
        #expect(journal.due(at: start.addingTimeInterval(3602), isEnd: true).map(\.count) == [1])
    }
}

@Suite("Audit log: times and ids")
struct AuditDetailTests {
    @Test("Every time in the log is ISO 8601 in UTC, and what a client called its request is not in it")
    func details() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 1))
        let id = "please forget anna@example.org"
        let outcome = try ledger.forget(requestID: id, LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        try fixture.prepare(ledger)
        _ = try ledger.finishForget(request: id, at: fixture.now.addingTimeInterval(12.5))
        #expect(outcome.request == id)
        let log = try ledger.auditLog()
        let forget = try #require(log.first { $0.kind == "forget" })
        #expect(forget.detail.contains(#""received":"2026-09-21T14:13:20.000Z""#))
        #expect(log.allSatisfy { !$0.detail.contains("anna") })
        let finish = try #require(log.first { $0.kind == "finish" })
        struct Named: Decodable { var request: String }
        let names = try [forget, finish].map {
            try JSONDecoder().decode(Named.self, from: Data($0.detail.utf8)).request
        }
        #expect(names[0] == names[1] && names[0].count == 64)
        #expect(try ledger.auditVerdict().isIntact)
        #expect(try ledger.forget(requestID: id, LedgerFixture.forget(users: ["u1"]), at: fixture.now) == outcome)
    }
}
