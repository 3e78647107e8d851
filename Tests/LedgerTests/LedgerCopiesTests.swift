import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Testing
import Unlearning

@Suite("Ledger: copies on workers' disks")
struct LedgerCopiesTests {
    /// A trained ledger of which workers a and b were handed the shard of the first user.
    private func handed() throws -> (LedgerFixture, Ledger, shard: Int, manifest: String) {
        let fixture = LedgerFixture(partition: .userHash)
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 1))
        let plan = try ledger.plan(LedgerFixture.forget(users: ["u1"]))
        let shard = try #require(plan.shards.first).index
        let manifest = try ledger.manifest(shard: shard).digest
        for worker in ["a", "b"] {
            try ledger.recordCopy(
                HandedCopy(worker: worker, name: "host:\(worker)", shard: shard, manifest: manifest), at: fixture.now)
        }
        return (fixture, ledger, shard, manifest)
    }

    private func settle(_ worker: String, _ reason: CopySettlement.Reason, shard: Int, kept: [String]) -> CopySettlement
    {
        CopySettlement(
            worker: worker, name: "host:\(worker)", reason: reason,
            shards: [CopySettlement.Shard(shard: shard, kept: kept)], isEverything: false)
    }

    private func finished() throws -> (LedgerFixture, Ledger, shard: Int, manifest: String, Certificate) {
        let (fixture, ledger, shard, manifest) = try handed()
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        try ledger.close()
        // The coordinator starts again; a comes and brings its copy up to date, b stays away.
        let again = try fixture.open()
        #expect(try again.copies().map(\.worker) == ["a", "b"])
        let new = try again.manifest(shard: shard).digest
        try again.recordCopy(HandedCopy(worker: "a", name: "host:a", shard: shard, manifest: new), at: fixture.now)
        try again.settleCopies(settle("a", .reported, shard: shard, kept: [new]), at: fixture.now)
        try fixture.prepare(again)
        return (fixture, again, shard, manifest, try again.finishForget(request: "f", at: fixture.now))
    }

    @Test("A copy on a disk that is away is named in the signed statement, whatever restarts in between")
    func namesTheAbsent() throws {
        let (_, ledger, shard, manifest, certificate) = try finished()
        let expected = [
            UnconfirmedCopy(worker: "b", name: "host:b", shard: shard, manifest: manifest, keyDestroyed: true)
        ]
        #expect(certificate.statement.unconfirmed == expected)
        #expect(try ledger.unconfirmedCopies(request: "f") == expected)
        #expect(certificate.statement.copiesRecordedSince == nil)
        #expect(certificate.verify(publicKey: ledger.publicKey))
    }

    @Test(
        "What is confirmed, cleared or declared destroyed later is added to the evidence, signed",
        arguments: CopySettlement.Reason.allCases)
    func supplements(reason: CopySettlement.Reason) throws {
        let (fixture, ledger, shard, manifest, certificate) = try finished()
        #expect(try ledger.supplements(request: "f").isEmpty)
        try ledger.settleCopies(settle("b", reason, shard: shard, kept: []), at: fixture.now.addingTimeInterval(60))
        #expect(try ledger.unconfirmedCopies(request: "f").isEmpty && ledger.copies().map(\.worker) == ["a"])
        let supplement = try #require(try ledger.supplements(request: "f").first)
        #expect(supplement.verify(publicKey: ledger.publicKey))
        #expect(supplement.statement.request == "f" && supplement.statement.certificate == certificate.jws.digest)
        guard case .copies(let copies) = supplement.statement.finding else {
            Issue.record("another finding")
            return
        }
        #expect(copies.first { $0.worker == "b" && $0.manifest == manifest }?.state == reason.rawValue)
        let record = try #require(try ledger.forgetRequest("f"))
        #expect(record.certificate == certificate)
        #expect(try ledger.evidenceFindings(of: record).isEmpty)
        #expect(try ledger.auditLog().contains { $0.hash == supplement.statement.auditHead && $0.kind == "copies" })
        // Said twice, it is not added twice.
        try ledger.settleCopies(settle("b", reason, shard: shard, kept: []), at: fixture.now)
        #expect(try ledger.supplements(request: "f").count == 1)
    }

    @Test("A disk that was declared destroyed and is there again counts again until it is clean")
    func returns() throws {
        let (fixture, ledger, shard, manifest, _) = try finished()
        try ledger.settleCopies(settle("b", .destroyed, shard: shard, kept: []), at: fixture.now)
        try ledger.settleCopies(settle("b", .reported, shard: shard, kept: [manifest]), at: fixture.now)
        #expect(try ledger.unconfirmedCopies(request: "f").map(\.worker) == ["b"])
        try ledger.settleCopies(settle("b", .reported, shard: shard, kept: []), at: fixture.now)
        #expect(try ledger.unconfirmedCopies(request: "f").isEmpty)
        let states = try ledger.supplements(request: "f").map { supplement in
            guard case .copies(let copies) = supplement.statement.finding else { return "" }
            return copies.first { $0.worker == "b" }?.state ?? ""
        }
        #expect(states == ["destroyed", "open", "reported"])
    }

    @Test("Copies of shards that the request does not touch are not named where prompts never move")
    func unrelated() throws {
        let (fixture, ledger, shard, _) = try handed()
        let other = try #require((0..<3).first { $0 != shard })
        try ledger.recordCopy(HandedCopy(worker: "c", name: "c", shard: other, manifest: "older"), at: fixture.now)
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        #expect(Set(try ledger.unconfirmedCopies(request: "f").map(\.worker)) == ["a", "b"])
    }

    @Test("A worker that left with nothing on its disk raises no alarm at later requests")
    func goneForGood() throws {
        let (fixture, ledger, shard, _) = try handed()
        for worker in ["a", "b"] {
            try ledger.settleCopies(settle(worker, .reported, shard: shard, kept: []), at: fixture.now)
        }
        for user in ["u1", "u2", "u3"] {
            _ = try ledger.forget(requestID: user, LedgerFixture.forget(users: [user]), at: fixture.now)
            #expect(try ledger.unconfirmedCopies(request: user).isEmpty)
        }
    }
}
