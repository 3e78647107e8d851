import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Testing

@Suite("The ledger's list of workers")
struct LedgerFleetTests {
    private func record(_ worker: String, absence: String? = nil, duty: WorkerDuty = .work) -> WorkerRecord {
        WorkerRecord(
            worker: worker, name: "node-\(worker)", process: "node:1", address: "10.0.0.7", release: "1.2.3",
            threads: 4,
            isEphemeral: true, duty: duty, absence: absence)
    }

    private func audited(_ ledger: Ledger, _ kind: String) throws -> [String] {
        try ledger.auditLog().filter { $0.kind == kind }.map(\.detail)
    }

    @Test("It outlives the process, with since when whoever is away is so, as noted first")
    func durable() throws {
        let fixture = LedgerFixture(partition: .userHash)
        let ledger = try fixture.open()
        try ledger.noteWorkers([record("a", absence: "lost"), record("b")], gone: [], at: fixture.now)
        try ledger.noteWorkers(
            [record("a", absence: "lost again")], gone: [], at: fixture.now.addingTimeInterval(50))
        try ledger.close()
        let again = try fixture.open()
        let found = try again.workers(at: fixture.now.addingTimeInterval(100))
        #expect(
            found == [
                RememberedWorker(record: record("a", absence: "lost again"), awaySeconds: 100),
                RememberedWorker(record: record("b")),
            ])
        // A clock that goes back counts as no time.
        #expect(try again.workers(at: fixture.now.addingTimeInterval(-9)).first?.awaySeconds == 0)
        // Back, and away anew.
        try again.noteWorkers([record("a")], gone: ["b"], at: fixture.now)
        try again.noteWorkers([record("a", absence: "lost")], gone: [], at: fixture.now.addingTimeInterval(200))
        #expect(try again.workers(at: fixture.now.addingTimeInterval(201)).map(\.awaySeconds) == [1])
    }

    @Test("An operator's word is kept and stands in the audit log")
    func duty() throws {
        let fixture = LedgerFixture(partition: .userHash)
        let ledger = try fixture.open()
        try ledger.setDuty(record("a", duty: .drain), by: word("o", .drain), at: fixture.now)
        #expect(try ledger.workers(at: fixture.now).map(\.record.duty) == [.drain])
        #expect(try audited(ledger, "worker duty") == [#"{"duty":"drain","name":"node-a","worker":"a"}"#])
    }

    private func word(_ request: String, _ verb: WorkerOrder.Verb) -> SettledWord {
        SettledWord(
            request: request, wanted: .order(WorkerOrder(worker: "a", verb: verb)),
            outcome: .ordered(WorkerOrderReply(worker: "a", name: "node-a", verb: verb, tasks: 1, shards: [0, 2])))
    }

    @Test("What came of an operator's word is kept beside it, over a restart too")
    func words() throws {
        let fixture = LedgerFixture(partition: .userHash)
        let ledger = try fixture.open()
        // A client may call its request anything; other replies are none of these.
        try ledger.store(reply: Data("{}".utf8), requestID: "word", at: fixture.now)
        let (pause, resume) = (word("p \u{10FFFF}", .pause), word("o", .resume))
        var settlement = CopySettlement(
            worker: "b", name: "node-b", reason: .destroyed, shards: [], isEverything: true)
        settlement.removesWorker = true
        let destroyed = SettledWord(
            request: "d", wanted: .destroyed(worker: "node-b", shard: nil), outcome: .destroyed(settlement))
        try ledger.noteWorkers([record("b", absence: "lost")], gone: [], at: fixture.now)
        try ledger.setDuty(record("a", duty: .pause), by: pause, at: fixture.now)
        try ledger.setDuty(record("a"), by: resume, at: fixture.now)
        try ledger.settleCopies(settlement, by: destroyed, at: fixture.now)
        try ledger.close()
        let again = try fixture.open()
        let found = try again.settledWords(last: 10)
        #expect(found.map(\.request) == ["p \u{10FFFF}", "o", "d"] && found.prefix(2) == [pause, resume])
        #expect(found[2].wanted == destroyed.wanted)
        #expect(try again.settledWords(last: 2).map(\.request) == ["o", "d"])
    }

    @Test("A removed worker is off the list, what it held is declared destroyed, and both stand in the audit log")
    func removed() throws {
        let fixture = LedgerFixture(partition: .userHash)
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 1))
        let manifest = try ledger.manifest(shard: 0).digest
        try ledger.noteWorkers([record("a", absence: "lost"), record("b", absence: "lost")], gone: [], at: fixture.now)
        try ledger.recordCopy(HandedCopy(worker: "a", name: "node-a", shard: 0, manifest: manifest), at: fixture.now)
        for (worker, shards) in [("a", [CopySettlement.Shard(shard: 0, kept: [])]), ("b", [])] {
            var settlement = CopySettlement(
                worker: worker, name: "node-\(worker)", reason: .destroyed, shards: shards, isEverything: true)
            settlement.removesWorker = true
            try ledger.settleCopies(settlement, at: fixture.now)
        }
        #expect(try ledger.workers(at: fixture.now).isEmpty && ledger.copies().isEmpty)
        #expect(try audited(ledger, "worker removed").count == 2)
        #expect(try audited(ledger, "copies").count { $0.contains("destroyed") } == 1)
    }
}
