import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

@Suite("Ledger: which stages trainings passed")
struct LedgerStageRecordTests {
    private let fixture: LedgerFixture
    private let ledger: Ledger
    private let dealing: SliceDealing
    /// Of the adapter that the shard had first.
    private let trainedPrompts: Int

    init() throws {
        (fixture, ledger) = try Self.prepared(.userHash)
        dealing = SliceDealing(fixture.configuration.training)
        trainedPrompts = try ledger.samples(shard: 0).count
    }

    private static func prepared(_ partition: PartitionMethod) throws -> (LedgerFixture, Ledger) {
        let fixture = LedgerFixture(partition: partition, shards: 1)
        fixture.slices = 4
        return (fixture, try fixture.trained(SyntheticRatings(users: 20, seed: 5)))
    }

    /// What a worker says of a training on what the shard holds, from a slice on.
    private func said(from first: Int = 1, _ ledger: Ledger, _ fixture: LedgerFixture) throws -> [StageReport] {
        let samples = try ledger.samples(shard: 0)
        let names = try StageNames(
            specification: fixture.configuration.training, arithmetic: "", prompts: samples,
            digests: samples.map(\.digest))
        return (1...4).map { slice in
            let name = names[slice] ?? "adapter"
            let isSeen = slice >= first - 1
            return StageReport(
                slice: slice, name: name, digest: isSeen ? "digest of \(name)" : nil, bytes: isSeen ? 7 : nil)
        }
    }

    @discardableResult
    private func publish(
        from first: Int = 1, bytes: String = "adapter", by trainer: String = "w", _ ledger: Ledger? = nil,
        _ fixture: LedgerFixture? = nil
    ) throws -> [StageReport] {
        let (ledger, fixture) = (ledger ?? self.ledger, fixture ?? self.fixture)
        let stages = try said(from: first, ledger, fixture)
        let bytes = Array(bytes.utf8)
        var report = try fixture.report(of: bytes, shard: 0, ledger)
        report.slices = SlicesReport(count: 4, first: first, tokens: 10, stages: stages)
        try ledger.publish(
            shard: 0, bytes: bytes, report: report, trainer: trainer, at: fixture.now,
            contentName: LedgerFixture.contentName)
        return stages
    }

    /// Somebody with training prompts in this slice.
    private func user(in slice: Int) throws -> String {
        let users = Set(try ledger.prompts(split: .train).map(\.prompt.user)).sorted()
        return try #require(users.first { dealing.slice(ofUser: $0) == slice })
    }

    private func recorded(_ ledger: Ledger? = nil) throws -> [StageReport] {
        try (ledger ?? self.ledger).stages()[0]?.map(\.report) ?? []
    }

    @Test("They are on record with the adapter, and in the log's entry of its publication; nowhere else")
    func published() throws {
        let stages = try publish()
        #expect(try recorded() == stages)
        #expect(try ledger.stages()[0]?.map(\.worker) == ["w", "w", "w", "w"])
        #expect(try ledger.stageDigest(shard: 0, name: stages[1].name) == stages[1].digest)
        #expect(try ledger.stageDigest(shard: 0, name: "unknown") == nil)
        #expect(try ledger.stageDigest(shard: 1, name: stages[1].name) == nil)
        let entry = try #require(try ledger.auditLog().last { $0.kind == "publish" })
        for stage in stages {
            #expect(entry.detail.contains(stage.name) && entry.detail.contains(stage.digest ?? "?"))
        }
        #expect(try ledger.adapters().allSatisfy { $0.report.slices?.stages == nil && $0.report.slices?.first == 1 })
        let reopened = try fixture.open(at: fixture.copyOfFiles())
        #expect(try recorded(reopened) == stages)
    }

    @Test("A forget takes those along that hold the user, in its commit, and leaves those before", arguments: 1...4)
    func forgotten(slice: Int) throws {
        let before = try publish()
        _ = try ledger.forget(
            requestID: "f", LedgerFixture.forget(users: [user(in: slice)]), at: fixture.now)
        #expect(try recorded() == Array(before.prefix(slice - 1)))
        // Whoever trains from the middle did not see the first ones; they are on record still.
        let after = try publish(from: slice, bytes: "another", by: "x")
        let kept = try recorded()
        #expect(kept.map(\.name) == after.map(\.name))
        #expect(kept.allSatisfy { $0.digest == "digest of \($0.name)" })
        let workers = try ledger.stages()[0]?.map(\.worker)
        // The one that it began at was seen by both, and made by the first.
        #expect(workers == (1...4).map { $0 < slice ? "w" : "x" })
        let certificate = try ledger.finishForget(request: "f", at: fixture.now)
        #expect(certificate.statement.shards.first?.training?.slices?.stages == nil)
    }

    @Test("Who says something of stages that it took over does not become their maker, nor change what is on record")
    func takenOver() throws {
        let before = try publish()
        var stages = try said(from: 1, ledger, fixture)
        stages[0].digest = "another one"
        let bytes = Array("another".utf8)
        var report = try fixture.report(of: bytes, shard: 0, ledger)
        report.slices = SlicesReport(count: 4, first: 4, tokens: 10, stages: stages)
        try ledger.publish(
            shard: 0, bytes: bytes, report: report, trainer: "x", at: fixture.now,
            contentName: LedgerFixture.contentName)
        #expect(try recorded() == before)
        #expect(try ledger.stages()[0]?.map(\.worker) == ["w", "w", "w", "w"])
    }

    @Test("Where prompts are dealt one by one, whoever forgets takes all of their slices along")
    func dealtByPrompt() throws {
        let (fixture, ledger) = try Self.prepared(.hash)
        let before = try publish(ledger, fixture)
        let prompts = try ledger.prompts(split: .train)
        let target = try #require(try prompts.max { try dealing.slice(of: $0.sample) < dealing.slice(of: $1.sample) })
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(target.prompt.target), at: fixture.now)
        // Nothing is left that a training on the data of now would not pass.
        func expectClean() throws {
            let (kept, now) = (try recorded(ledger), try said(ledger, fixture))
            #expect(kept == Array(before.prefix(kept.count)) && kept.count < 4)
            #expect(kept.map(\.name) == now.prefix(kept.count).map(\.name))
        }
        try expectClean()
        _ = try ledger.forget(requestID: "g", LedgerFixture.forget(users: [target.prompt.user]), at: fixture.now)
        try expectClean()
    }

    /// Of a dry run that names somebody of this slice: where the training would begin, and its share of one of the whole shard.
    private func planned(_ slice: Int) throws -> (slice: Int?, share: Double) {
        let plan = try ledger.plan(LedgerFixture.forget(users: [user(in: slice)]))
        let shard = try #require(plan.shards.first)
        // A whole training has 1,000 tokens.
        let (tokens, seconds) = (try #require(shard.tokens), try #require(shard.seconds))
        let whole = 1000 / Double(trainedPrompts) * Double(shard.promptsRetained)
        let speed = try #require(ledger.statistics().tokensPerSecond)
        #expect(abs(seconds * speed - Double(tokens)) <= 1 && shard.slices == 4 && plan.tokens == shard.tokens)
        return (shard.slice, (Double(tokens) / whole * 100).rounded() / 100)
    }

    @Test("A dry run counts what is trained again: what comes behind the last stage before the touched slice")
    func dryRun() throws {
        // Nothing is on record.
        #expect(try planned(3) == (1, 1))
        try publish()
        #expect(try planned(1) == (1, 1))
        #expect(try planned(2) == (2, 0.75))
        #expect(try planned(3) == (3, 0.5))
        #expect(try planned(4) == (4, 0.25))
        // An earlier request is what it is trained for again.
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: [user(in: 3)]), at: fixture.now)
        #expect(try planned(4) == (3, 0.5))
        #expect(try planned(2) == (2, 0.75))
    }

    @Test("A dry run knows slices that have no prompts, and stages that were not kept")
    func dryRunWithGaps() throws {
        let bytes = Array("adapter".utf8)
        let adapter = try LedgerFixture.contentName(bytes)
        var report = try fixture.report(of: bytes, shard: 0, ledger)
        for (isKept, expected) in [(true, (4, 0.5)), (false, (1, 1.0))] {
            // As if slices 1 and 3 were empty.
            report.slices = SlicesReport(
                count: 4, first: 1, tokens: 10,
                stages: [
                    StageReport(slice: 2, name: "s2", digest: isKept ? "d2" : nil, bytes: isKept ? 1 : nil),
                    StageReport(slice: 4, name: adapter, digest: adapter, bytes: 1),
                ])
            if !isKept { try fixture.publish(ledger, shard: 0) }
            try ledger.publish(
                shard: 0, bytes: bytes, report: report, at: fixture.now, contentName: LedgerFixture.contentName)
            #expect(try planned(4) == expected)
        }
    }

    @Test("Of a training that says nothing of them nothing is on record, and a dispute takes all away")
    func unknown() throws {
        try publish()
        let bytes = Array("older".utf8)
        var report = try fixture.report(of: bytes, shard: 0, ledger)
        report.slices = SlicesReport(count: 4, first: 1, tokens: 10)
        try ledger.publish(
            shard: 0, bytes: bytes, report: report, at: fixture.now, contentName: LedgerFixture.contentName)
        #expect(try recorded().isEmpty)
        try publish(bytes: "again")
        #expect(try recorded().count == 4)
        try ledger.quarantine(
            AdapterDispute(
                shard: 0, published: LedgerFixture.contentName(Array("again".utf8)), other: "other",
                workers: ["w", "x"]),
            at: fixture.now)
        #expect(try recorded().isEmpty)
    }
}
