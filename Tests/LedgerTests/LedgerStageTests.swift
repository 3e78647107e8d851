import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

@Suite("Ledger: a stage answers until the shard is trained again")
struct LedgerStageTests {
    private let fixture: LedgerFixture
    private let ledger: Ledger
    private let dealing: SliceDealing

    init() throws {
        fixture = LedgerFixture(partition: .userHash, shards: 1)
        fixture.slices = 4
        ledger = try fixture.trained(SyntheticRatings(users: 20, seed: 5))
        dealing = SliceDealing(fixture.configuration.training)
    }

    /// Somebody with training prompts in this slice.
    private func user(in slice: Int) throws -> String {
        let users = Set(try ledger.prompts(split: .train).map(\.prompt.user)).sorted()
        return try #require(users.first { dealing.slice(ofUser: $0) == slice })
    }

    private func report(_ slice: Int, bytes: [UInt8], samples: [TrainingPrompt]? = nil) throws -> TrainingReport {
        let samples = try samples ?? ledger.samples(shard: 0)
        let names = try StageNames(
            specification: fixture.configuration.training, arithmetic: "", prompts: samples,
            digests: samples.map(\.digest))
        let data = try #require(names.data(of: slice))
        return TrainingReport(
            adapter: try LedgerFixture.contentName(bytes), manifest: data.manifest, prompts: data.prompts,
            specification: fixture.configuration.training, steps: 4, tokens: 1000, seconds: 0, computeSeconds: 0,
            epochLosses: [0.7, 0.6], slices: SlicesReport(count: 4, first: slice + 1, tokens: 0, stage: slice))
    }

    private func publish(_ report: TrainingReport, _ bytes: [UInt8], into other: Ledger? = nil) throws {
        try (other ?? ledger).publish(
            shard: 0, bytes: bytes, report: report, at: fixture.now, contentName: LedgerFixture.contentName)
    }

    private func forget(_ id: String, _ user: String) throws {
        _ = try ledger.forget(requestID: id, LedgerFixture.forget(users: [user]), at: fixture.now)
    }

    private func isStale(_ body: () throws -> Void) -> Bool {
        do {
            try body()
            return false
        } catch LedgerError.staleAdapter {
            return true
        } catch {
            return false
        }
    }

    @Test("It answers, the request goes on waiting, and the trained adapter takes its place and ends the waiting")
    func serving() throws {
        let bytes = Array("stage 2".utf8)
        try forget("f", user(in: 3))
        #expect(try ledger.adapters().isEmpty)
        let report = try report(2, bytes: bytes)
        try publish(report, bytes)
        #expect(try ledger.adapters().map(\.report) == [report])
        var shard = try #require(try ledger.snapshot().shards.first)
        #expect(shard.adapter?.stage == 2 && !shard.isCurrent && shard.awaitsExact && shard.correction == nil)
        #expect(try ledger.snapshot().pendingForgets.map(\.waitingFor) == [[0]])
        #expect(try ledger.snapshotReadWhole() == ledger.snapshot())
        let shown = try ledger.personalData(user: user(in: 1)).shards
        #expect(shown.map(\.stage) == [2] && shown.map(\.slices) == [4] && shown.map(\.isCurrent) == [false])
        // Also after a restart.
        let reopened = try fixture.open(at: fixture.copyOfFiles())
        #expect(try reopened.adapters().map(\.report) == [report])
        #expect(try reopened.snapshot().shards.first?.adapter?.stage == 2)

        try fixture.publish(ledger, shard: 0)
        shard = try #require(try ledger.snapshot().shards.first)
        #expect(shard.isCurrent && shard.adapter?.stage == nil)
        #expect(try ledger.personalData(user: user(in: 1)).shards.map(\.stage) == [nil])
        #expect(try ledger.snapshot().pendingForgets.map(\.waitingFor) == [[]])
        let certificate = try ledger.finishForget(request: "f", at: fixture.now)
        let served = try #require(certificate.statement.shards.first?.meanwhile)
        #expect(served.map(\.adapter) == [report.adapter] && served.map(\.manifest) == [report.manifest])
        #expect(served.map(\.slice) == [2] && served.map(\.slices) == [4])
        #expect(certificate.statement.exactness.hasPrefix("exact"))
        // It comes too late now.
        #expect(isStale { try publish(report, bytes) })
    }

    @Test("A stage that saw what was forgotten, or of other data, or where nothing waits, is refused")
    func refused() throws {
        let bytes = Array("stage".utf8)
        let before = try ledger.samples(shard: 0)
        let early = try report(1, bytes: bytes)
        #expect(isStale { try publish(early, bytes) })
        try forget("f", user(in: 2))
        // Of the data of before: slice 2 is another one now.
        for slice in 2...3 {
            let tainted = try report(slice, bytes: bytes, samples: before)
            #expect(isStale { try publish(tainted, bytes) })
        }
        var wrong = early
        wrong.prompts += 1
        #expect(throws: LedgerError.self) { try publish(wrong, bytes) }
        for slice in [0, 4, -1, .max] {
            wrong = early
            wrong.slices?.stage = slice
            #expect(throws: LedgerError.self) { try publish(wrong, bytes) }
        }
        #expect(try ledger.adapters().isEmpty)
        try publish(early, bytes)
        #expect(try ledger.adapters().map(\.name) == [early.adapter])
    }

    @Test("The next request takes it away at once; the stage before it may come, and itself never again")
    func nextRequest() throws {
        let (second, first) = (Array("stage 2".utf8), Array("stage 1".utf8))
        try forget("f", user(in: 3))
        let late = try report(2, bytes: second)
        try publish(late, second)
        try forget("g", user(in: 2))
        #expect(try ledger.adapters().isEmpty)
        #expect(isStale { try publish(late, second) })
        try publish(report(1, bytes: first), first)
        #expect(try ledger.snapshot().shards.first?.adapter?.stage == 1)
        try fixture.publish(ledger, shard: 0)
        #expect(try ledger.snapshot().pendingForgets.map(\.waitingFor) == [[], []])
        // Each certificate names what answered while its own request waited.
        let served = try ["f", "g"].map { request in
            try ledger.finishForget(request: request, at: fixture.now).statement.shards.first?.meanwhile?.map(\.slice)
        }
        #expect(served == [[2, 1], [1]])
    }

    @Test("Another request for the same slice takes it away, and it may come again at once: it never saw either")
    func sameSlice() throws {
        let bytes = Array("stage 2".utf8)
        try forget("f", user(in: 3))
        let stage = try report(2, bytes: bytes)
        try publish(stage, bytes)
        try forget("g", user(in: 3))
        #expect(try ledger.adapters().isEmpty)
        let entries = try ledger.auditLog().count
        try publish(report(2, bytes: bytes), bytes)
        #expect(try ledger.adapters().map(\.report) == [stage])
        #expect(try ledger.auditLog().dropFirst(entries).map(\.kind) == ["publish"])
        try fixture.publish(ledger, shard: 0)
        let served = try ["f", "g"].map { request in
            try ledger.finishForget(request: request, at: fixture.now).statement.shards.first?.meanwhile?.map(\.slice)
        }
        #expect(served == [[2], [2]])
    }

    @Test("People who come meanwhile take nothing away; after the next request it is a stage of other slices")
    func importedMeanwhile() throws {
        let bytes = Array("stage 2".utf8)
        try forget("f", user(in: 3))
        let late = try report(2, bytes: bytes)
        try publish(late, bytes)
        var more = SyntheticRatings(users: 12, seed: 6)
        for index in more.interactions.indices {
            more.interactions[index].user = "new \(more.interactions[index].user)"
        }
        _ = try fixture.load(more, into: ledger, id: "more")
        #expect(try ledger.adapters().map(\.name) == [late.adapter])
        #expect(try ledger.snapshot().shards.first?.isCurrent == false)
        #expect(try ledger.snapshot().pendingForgets.map(\.waitingFor) == [[0]])
        #expect(try ledger.snapshotReadWhole() == ledger.snapshot())
        try forget("g", user(in: 3))
        #expect(try ledger.adapters().isEmpty)
        #expect(isStale { try publish(late, bytes) })
        let again = Array("stage 2, grown".utf8)
        let grown = try report(2, bytes: again)
        try publish(grown, again)
        #expect(try ledger.adapters().map(\.name) == [grown.adapter] && grown.prompts > late.prompts)
    }

    @Test("One that is withdrawn answers no more, the request goes on waiting, and it may come again")
    func withdrawn() throws {
        let bytes = Array("stage 2".utf8)
        try forget("f", user(in: 3))
        let report = try report(2, bytes: bytes)
        try publish(report, bytes)
        // Another one's name takes nothing away.
        try ledger.withdrawStage(shard: 0, adapter: "another", at: fixture.now)
        #expect(try ledger.adapters().map(\.name) == [report.adapter])
        let entries = try ledger.auditLog().count
        try ledger.withdrawStage(shard: 0, adapter: report.adapter, at: fixture.now)
        #expect(try ledger.adapters().isEmpty)
        #expect(try ledger.auditLog().dropFirst(entries).map(\.kind) == ["withdraw"])
        let shard = try #require(try ledger.snapshot().shards.first)
        #expect(shard.adapter == nil && shard.quarantinedSince != nil && !shard.isCurrent)
        #expect(try ledger.snapshot().pendingForgets.map(\.waitingFor) == [[0]])
        #expect(try ledger.snapshotReadWhole() == ledger.snapshot())
        #expect(throws: LedgerError.self) { try ledger.adapterBytes(name: report.adapter) }
        let reopened = try fixture.open(at: fixture.copyOfFiles())
        #expect(try reopened.adapters().isEmpty)

        try publish(report, bytes)
        #expect(try ledger.adapters().map(\.name) == [report.adapter])
        try fixture.publish(ledger, shard: 0)
        // What was trained is not withdrawn.
        let trained = try #require(try ledger.adapters().first)
        try ledger.withdrawStage(shard: 0, adapter: trained.name, at: fixture.now)
        #expect(try ledger.adapters().map(\.name) == [trained.name])
        let certificate = try ledger.finishForget(request: "f", at: fixture.now)
        #expect(certificate.statement.shards.first?.meanwhile?.map(\.adapter) == [report.adapter])
    }

    @Test("A start under which nothing is to answer takes it away, once, and then it may come again")
    func quarantine() throws {
        let bytes = Array("stage 2".utf8)
        try forget("f", user(in: 3))
        let report = try report(2, bytes: bytes)
        try publish(report, bytes)
        let directory = try fixture.copyOfFiles()
        func withdrawals(_ ledger: Ledger) throws -> Int { try ledger.auditLog().count { $0.kind == "withdraw" } }
        fixture.whileRetraining = .quarantine
        for _ in 0..<2 {
            let quarantined = try fixture.open(at: directory)
            #expect(try quarantined.adapters().isEmpty && withdrawals(quarantined) == 1)
            let snapshot = try quarantined.snapshot()
            #expect(snapshot.shards.first?.adapter == nil && snapshot.shards.first?.quarantinedSince != nil)
            #expect(snapshot.pendingForgets.map(\.waitingFor) == [[0]])
            #expect(try quarantined.snapshotReadWhole() == snapshot)
            #expect(throws: LedgerError.self) { try quarantined.adapterBytes(name: report.adapter) }
            #expect(throws: LedgerError.self) { try publish(report, bytes, into: quarantined) }
            try quarantined.close()
        }
        fixture.whileRetraining = .stage
        let reopened = try fixture.open(at: directory)
        try publish(report, bytes, into: reopened)
        #expect(try reopened.adapters().map(\.name) == [report.adapter] && withdrawals(reopened) == 1)
        // What was trained stays, whatever is to answer meanwhile.
        let trained = try fixture.publish(reopened, shard: 0)
        try reopened.close()
        fixture.whileRetraining = .quarantine
        #expect(try fixture.open(at: directory).adapters().map(\.name) == [trained])
    }

    @Test("Where the slices after it lose their prompts it is no adapter of the shard's own: the training is awaited")
    func lastSlices() throws {
        let small = LedgerFixture(partition: .userHash, shards: 1)
        small.slices = 4
        // One person each in slices 1, 3 and 4, with two training prompts.
        let people = try [1, 3, 4].map { slice in
            try #require((0..<200).map { "p\($0)" }.first { dealing.slice(ofUser: $0) == slice })
        }
        var data = SyntheticRatings(users: 0, seed: 0)
        for person in people {
            for place in 0..<8 {
                data.interactions.append(
                    Interaction(
                        user: person, item: data.items[place].id, timestamp: Int64(place),
                        rating: place % 2 == 0 ? 5 : 1, ordinal: Int64(data.interactions.count)))
            }
        }
        let ledger = try small.open()
        try small.load(data, into: ledger)
        try small.publish(ledger, shard: 0)
        _ = try ledger.forget(requestID: "f", LedgerFixture.forget(users: [people[1]]), at: small.now)
        let bytes = Array("stage 1".utf8)
        let stage = try report(1, bytes: bytes, samples: ledger.samples(shard: 0))
        try ledger.publish(
            shard: 0, bytes: bytes, report: stage, at: small.now, contentName: LedgerFixture.contentName)

        // Another sample of the prompts, in which there is all of the first person and nothing of the last.
        let prompts = try ledger.prompts(split: .train)
        #expect(Set(prompts.map(\.prompt.user)) == [people[0], people[2]])
        let seed = (0..<UInt64(1 << 14)).first { seed in
            prompts.allSatisfy { stored in
                let number = FieldHash.number(["sample", String(seed), "train", stored.prompt.id])
                return (number < 1 << 63) == (stored.prompt.user == people[0])
            }
        }
        small.prompts.seed = try #require(seed)
        small.prompts.trainFraction = 0.5
        try small.load(
            SyntheticRatings(users: 0, items: 0, seed: 0), into: ledger, id: "sample", changePrompts: true)
        var shard = try #require(try ledger.snapshot().shards.first)
        #expect(shard.prompts == 2 && shard.manifest == stage.manifest && shard.adapter?.manifest == stage.manifest)
        #expect(shard.adapter?.stage == 1 && !shard.isCurrent)
        #expect(try ledger.snapshot().pendingForgets.map(\.waitingFor) == [[0]])
        #expect(try ledger.snapshotReadWhole() == ledger.snapshot())
        #expect(try ledger.personalData(user: people[0]).shards.map(\.isCurrent) == [false])
        #expect(throws: LedgerError.requestUnfinished(id: "f", waitingFor: [0])) {
            try ledger.finishForget(request: "f", at: small.now)
        }

        // There is nothing left to train after the stage: the training comes to the very same bytes.
        let trained = try small.report(of: bytes, shard: 0, ledger)
        try ledger.publish(
            shard: 0, bytes: bytes, report: trained, at: small.now, contentName: LedgerFixture.contentName)
        shard = try #require(try ledger.snapshot().shards.first)
        #expect(shard.isCurrent && shard.adapter?.name == stage.adapter && shard.adapter?.stage == nil)
        #expect(try ledger.personalData(user: people[0]).shards.map(\.isCurrent) == [true])
        #expect(try ledger.adapterBytes(name: stage.adapter) == bytes)
        let statement = try ledger.finishForget(request: "f", at: small.now).statement
        #expect(statement.shards.first?.newAdapter == stage.adapter)
        #expect(statement.shards.first?.meanwhile?.map(\.slice) == [1])
        let reopened = try small.open(at: small.copyOfFiles())
        #expect(try reopened.adapterBytes(name: stage.adapter) == bytes)
    }

    @Test("A correction that is asked for while a stage answers is none: the shard was being retrained already")
    func correction() throws {
        let bytes = Array("stage 2".utf8)
        try forget("f", user(in: 3))
        try publish(report(2, bytes: bytes), bytes)
        // Each of them finds a stage.
        let requests = [
            "g": LedgerFixture.forget(users: [try user(in: 2)], method: "ifru"),
            "h": LedgerFixture.forget(users: [try user(in: 3)], method: nil, bridge: "ifru"),
        ].sorted { $0.key < $1.key }
        for (id, request) in requests {
            let plan = try ledger.plan(request)
            #expect(plan.shards.map(\.fallback) == [.retraining] && plan.shards.map(\.retrains) == [true])
            let outcome = try ledger.forget(requestID: id, request, at: fixture.now)
            #expect(outcome.correcting == [] && outcome.waitingFor == [0])
            #expect(try ledger.snapshot().shards.first?.fallback == .retraining)
            let earlier = Array("stage 1".utf8)
            if id == "g" { try publish(report(1, bytes: earlier), earlier) }
        }
        try fixture.publish(ledger, shard: 0)
        for id in ["g", "h"] {
            let statement = try ledger.finishForget(request: id, at: fixture.now).statement
            #expect(statement.shards.first?.fallback == .retraining && statement.shards.first?.correction == nil)
        }
        #expect(try ledger.finishForget(request: "f", at: fixture.now).statement.shards.first?.fallback == nil)
    }
}
