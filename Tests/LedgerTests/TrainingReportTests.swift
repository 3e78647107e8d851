import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Testing
import Unlearning

@Suite("One report of a training")
struct TrainingReportTests {
    @Test("It is the same, number by number, on the wire, in the ledger, in the certificate and in the reply")
    func unchanged() throws {
        let fixture = LedgerFixture(shards: 1)
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 1))
        let old = try #require(try ledger.adapters().first)
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: ["u1"]), at: fixture.now)
        let bytes: [UInt8] = Array("anew".utf8)
        var made = try fixture.report(of: bytes, shard: 0, ledger)
        made.epochLosses = [0.1 + 0.2, 1 / 3]
        made.seconds = 1e-3 / 7

        let frames = try WorkerMessage.trained(task: 1, made, adapter: bytes).frames()
        guard case .trained(1, let sent, bytes) = try WorkerMessage(frames: frames) else {
            Issue.record("another message")
            return
        }
        #expect(sent == made)
        try ledger.publish(
            shard: 0, bytes: bytes, report: sent, trainer: "w", at: fixture.now,
            contentName: LedgerFixture.contentName)
        #expect(try ledger.adapters().map(\.report) == [made])
        let certificate = try ledger.finishForget(request: "f", at: fixture.now)
        #expect(certificate.statement.shards.map(\.training) == [made])
        #expect(certificate.statement.shards.map(\.oldAdapter) == [old.name])
        let stored = try #require(try ledger.forgetRequest("f")?.certificate)
        #expect(stored.statement.shards.map(\.training) == [made] && stored.verify(publicKey: ledger.publicKey))
        let adapter = AdaptersReply.Adapter(
            shard: 0, training: made, created: "now", specificationDigest: try ledger.digest(of: made.specification))
        let reply = try ReplyCoding.encode(AdaptersReply(model: Toy.executor().description.model, adapters: [adapter]))
        #expect(try ReplyCoding.decode(AdaptersReply.self, from: reply).adapters == [adapter])
    }

    @Test("The names that the listing had before stand beside it")
    func names() throws {
        let fixture = LedgerFixture(shards: 1)
        let ledger = try fixture.trained(SyntheticRatings(users: 8, seed: 1))
        let report = try #require(try ledger.adapters().first).report
        let adapter = AdaptersReply.Adapter(shard: 0, training: report, created: "now", specificationDigest: "d")
        let object = try JSONSerialization.jsonObject(with: ReplyCoding.encode(adapter))
        let members = try #require(object as? [String: Any])
        #expect(
            members.keys.sorted() == [
                "base", "compute_seconds", "created", "epoch_losses", "exact", "lora", "manifest", "method", "name",
                "prompts", "seconds", "shard", "specification", "specification_digest", "steps", "tokens", "training",
            ])
        #expect(members["name"] as? String == report.adapter && members["method"] as? String == "apa")
    }
}
