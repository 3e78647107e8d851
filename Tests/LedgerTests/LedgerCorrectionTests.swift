import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing
import Unlearning

extension LedgerFixture {
    static func forget(
        users: [String], method: String?, bridge: String? = nil
    ) -> ClientRequest.ForgetRequest {
        ClientRequest.ForgetRequest(users: users, interactions: [], method: method, bridge: bridge)
    }

    /// Stands for a worker that corrects: bytes that follow from what it was given.
    @discardableResult
    func correct(_ ledger: Ledger, shard: Int) throws -> String {
        let manifest = try ledger.manifest(shard: shard).digest
        let pending = try ledger.correction(shard: shard, manifest: manifest)
        let bytes = Array("corrected weights of \(shard) \(manifest) \(pending.original.count)".utf8)
        var report = try self.report(of: bytes, shard: shard, ledger)
        report.correction = CorrectionReport(
            provenance: ApproximateProvenance(
                method: pending.method.name, original: try LedgerFixture.contentName(pending.original),
                result: try LedgerFixture.contentName(bytes), forgotten: 1, corrections: pending.provenance.count + 1),
            method: pending.method)
        return try ledger.publish(
            shard: shard, bytes: bytes, report: report, at: now, contentName: LedgerFixture.contentName)
    }
}

extension AdapterProvenance {
    fileprivate var count: Int {
        if case .approximate(let provenance) = self { provenance.corrections } else { 0 }
    }
}

@Suite("Ledger: corrections")
struct LedgerCorrectionTests {
    /// Users with training prompts in one shard, most prompts first.
    private func users(of shard: Int, _ ledger: Ledger) throws -> [String] {
        let prompts = try ledger.prompts(split: .train).filter { $0.shard == shard }
        return Set(prompts.map(\.prompt.user)).sorted()
    }

    /// One shard, and an interaction that is in the history of some of its prompts and the target of one.
    private func single(seed: UInt64) throws -> (LedgerFixture, Ledger, [StoredPrompt], InteractionKey) {
        let fixture = LedgerFixture(shards: 1)
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: seed))
        let prompts = try ledger.prompts(split: .train)
        let targets = Set(prompts.map(\.prompt.target))
        let key = try #require(prompts.flatMap(\.prompt.history).first(where: targets.contains))
        return (fixture, ledger, prompts, key)
    }

    @Test("An approximate forget quarantines the adapter, and keeps it and the prompts as trained for the correction")
    func pending() throws {
        let (fixture, ledger, before, key) = try single(seed: 31)
        let old = try #require(ledger.adapters().first)
        var request = LedgerFixture.forget(key)
        request.method = "ifru"
        let outcome = try ledger.forget(requestID: "r", request, at: fixture.now)
        #expect(outcome.method == .ifru && outcome.correcting == [0] && outcome.waitingFor == [0])
        let shard = try ledger.snapshot().shards[0]
        #expect(shard.adapter == nil && shard.quarantinedSince != nil && shard.correction == .ifru)
        #expect(throws: LedgerError.unknownAdapter(name: old.name)) { try ledger.adapterBytes(name: old.name) }

        let correction = try ledger.correction(shard: 0, manifest: shard.manifest)
        #expect(try LedgerFixture.contentName(correction.original) == old.name && correction.provenance == .trained)
        let after = try ledger.prompts(split: .train)
        let versions = Dictionary(uniqueKeysWithValues: before.map { ($0.prompt.id, $0) })
        let current = Dictionary(uniqueKeysWithValues: after.map { ($0.prompt.id, $0) })
        let gone = before.filter { current[$0.prompt.id] == nil }.map(\.sample)
        #expect(!gone.isEmpty && Set(correction.request.direct) == Set(gone))
        let changed = after.filter { new in versions[new.prompt.id].map { $0.digest != new.digest } ?? false }
        #expect(!changed.isEmpty && Set(correction.request.rebuilt.map(\.new)) == Set(changed.map(\.sample)))
        for change in correction.request.rebuilt {
            #expect(change.old == versions[change.old.id]?.sample && change.forgottenShare == 0.25)
        }
        #expect(correction.request.added.isEmpty)
    }

    @Test("The published correction is approximate everywhere, ends the request, and takes what was kept with it")
    func published() throws {
        let fixture = LedgerFixture()
        let ledger = try fixture.trained(SyntheticRatings(users: 20, seed: 1))
        let victim = try users(of: 1, ledger)[0]
        let texts = try ledger.prompts(split: .train).filter { $0.prompt.user == victim }
            .flatMap { [$0.prompt.id, $0.digest] }
        let old = try #require(ledger.snapshot().shards[1].adapter)
        _ = try ledger.forget(
            requestID: "r", LedgerFixture.forget(users: [victim], method: "e2urec"), at: fixture.now)
        // What is kept for the correction lies sealed.
        #expect(try fixture.traces(of: texts).isEmpty)
        let name = try fixture.correct(ledger, shard: 1)
        try fixture.prepare(ledger)
        try ledger.purge()
        let snapshot = try ledger.snapshot()
        #expect(snapshot.shards[1].isCurrent && snapshot.shards[1].quarantinedSince == nil && !snapshot.purgePending)
        #expect(snapshot.shards[1].adapter?.corrected?.method == .e2urec)
        #expect(snapshot.shards[1].adapter?.corrected?.corrections == 1)
        #expect(snapshot.shards[0].adapter?.corrected == nil)
        #expect(try ledger.adapters().map(\.report.method) == [.apa, .e2urec, .apa])
        let statement = try ledger.finishForget(request: "r", at: fixture.now).statement
        #expect(statement.method == .e2urec && statement.exactness.hasPrefix("approximate"))
        #expect(statement.shards.first?.newAdapter == name)
        #expect(statement.shards.first?.correction == .init(method: .e2urec, corrections: 1))
        #expect(try fixture.traces(of: texts) == [])
        let files = try FileManager.default.contentsOfDirectory(
            atPath: fixture.directory.appendingPathComponent("adapters").path)
        #expect(!files.contains("\(old.name).sealed") && files.contains("\(name).sealed"))
        #expect(try ledger.auditLog().contains { $0.kind == "publish" && $0.detail.contains("\"method\":\"e2urec\"") })
        #expect(try ledger.auditVerdict().isIntact)
    }

    @Test("A second approximate forget starts again from the original, with what both forget, as it was trained")
    func coalesce() throws {
        let (fixture, ledger, before, _) = try single(seed: 32)
        let old = try #require(ledger.adapters().first).name
        // Two items of one history: the prompt that shows both is rebuilt twice, and its first version counts.
        let shown = try #require(before.first { $0.prompt.history.count == 4 })
        for (number, key) in shown.prompt.history.prefix(2).enumerated() {
            var request = LedgerFixture.forget(key)
            request.method = number == 0 ? "ifru" : "e2urec"
            _ = try ledger.forget(requestID: "r\(number)", request, at: fixture.now)
        }
        let manifest = try ledger.manifest(shard: 0).digest
        let correction = try ledger.correction(shard: 0, manifest: manifest)
        #expect(correction.method.name == .e2urec)
        #expect(try LedgerFixture.contentName(correction.original) == old)
        let named = (correction.request.direct + correction.request.rebuilt.map(\.old)).sorted { $0.id < $1.id }
        let versions = Dictionary(uniqueKeysWithValues: before.map { ($0.prompt.id, $0.sample) })
        #expect(named.contains(shown.sample) && named.allSatisfy { versions[$0.id] == $0 })
        try fixture.correct(ledger, shard: 0)
        for request in ["r0", "r1"] {
            let statement = try ledger.finishForget(request: request, at: fixture.now).statement
            #expect(statement.shards.first?.correction == .init(method: .e2urec, corrections: 1))
        }
    }

    @Test("A result that began before the second forget is refused")
    func staleCorrection() throws {
        let fixture = LedgerFixture(shards: 1)
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 33))
        let victims = try users(of: 0, ledger)
        _ = try ledger.forget(
            requestID: "a", LedgerFixture.forget(users: [victims[0]], method: "ifru"), at: fixture.now)
        let manifest = try ledger.manifest(shard: 0).digest
        _ = try ledger.forget(
            requestID: "b", LedgerFixture.forget(users: [victims[1]], method: "ifru"), at: fixture.now)
        #expect(throws: LedgerError.correctionSuperseded(shard: 0)) {
            try ledger.correction(shard: 0, manifest: manifest)
        }
        // A trained adapter that says it was corrected, or the other way round, is not taken either.
        var report = try fixture.report(of: [1], shard: 0, ledger)
        report.correction = CorrectionReport(
            provenance: ApproximateProvenance(
                method: .ifru, original: "another", result: "b", forgotten: 1, corrections: 1),
            method: .ifru(IFRUConfiguration()))
        #expect(throws: LedgerError.correctionSuperseded(shard: 0)) {
            try ledger.publish(
                shard: 0, bytes: [1], report: report, at: fixture.now,
                contentName: LedgerFixture.contentName)
        }
        #expect(try ledger.adapters().isEmpty)
    }

    @Test("An exact forget of the shard supersedes the correction, and nothing of it is left")
    func superseded() throws {
        let fixture = LedgerFixture(shards: 1)
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 34))
        let victims = try users(of: 0, ledger)
        let texts = try ledger.prompts(split: .train).filter { $0.prompt.user == victims[0] }.map(\.prompt.id)
        _ = try ledger.forget(
            requestID: "a", LedgerFixture.forget(users: [victims[0]], method: "ifru"), at: fixture.now)
        let outcome = try ledger.forget(
            requestID: "b", LedgerFixture.forget(users: [victims[1]], method: "apa"), at: fixture.now)
        #expect(outcome.correcting == [])
        let shard = try ledger.snapshot().shards[0]
        #expect(shard.correction == nil && shard.fallback == .exactForget && shard.quarantinedSince != nil)
        #expect(try fixture.traces(of: texts) == [])
        try fixture.publish(ledger, shard: 0)
        let first = try ledger.finishForget(request: "a", at: fixture.now).statement
        #expect(first.shards.first?.correction == nil && first.shards.first?.fallback == .exactForget)
        #expect(first.exactness.hasPrefix("exact"))
        #expect(try ledger.finishForget(request: "b", at: fixture.now).statement.shards.first?.fallback == nil)
    }

    @Test("A bridge: the corrected adapter serves, the request waits for the trained one, which then replaces it")
    func bridge() throws {
        let fixture = LedgerFixture(shards: 1)
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 35))
        let victim = try users(of: 0, ledger)[0]
        let outcome = try ledger.forget(
            requestID: "r", LedgerFixture.forget(users: [victim], method: nil, bridge: "ifru"), at: fixture.now)
        #expect(outcome.method == .apa && outcome.bridge == .ifru && outcome.correcting == [0])
        try fixture.correct(ledger, shard: 0)
        var shard = try ledger.snapshot().shards[0]
        #expect(shard.isBridged && !shard.isCurrent && shard.adapter?.corrected?.method == .ifru)
        #expect(throws: LedgerError.requestUnfinished(id: "r", waitingFor: [0])) {
            try ledger.finishForget(request: "r", at: fixture.now)
        }
        let exact = try fixture.publish(ledger, shard: 0)
        shard = try ledger.snapshot().shards[0]
        #expect(shard.isCurrent && shard.adapter?.corrected == nil && shard.adapter?.name == exact)
        let statement = try ledger.finishForget(request: "r", at: fixture.now).statement
        #expect(statement.bridge == .ifru && statement.exactness.hasPrefix("exact"))
        #expect(statement.shards.first?.correction == nil)
    }

    @Test("A correction of a corrected adapter counts, and training clears the count")
    func repeated() throws {
        let fixture = LedgerFixture(shards: 1)
        let ledger = try fixture.trained(SyntheticRatings(users: 14, seed: 36))
        let victims = try users(of: 0, ledger)
        for (number, victim) in victims.prefix(3).enumerated() {
            _ = try ledger.forget(
                requestID: victim, LedgerFixture.forget(users: [victim], method: "ifru"), at: fixture.now)
            try fixture.correct(ledger, shard: 0)
            #expect(try ledger.snapshot().shards[0].adapter?.corrected?.corrections == number + 1)
        }
        _ = try ledger.forget(
            requestID: "exact", LedgerFixture.forget(users: [victims[3]], method: "apa"), at: fixture.now)
        try fixture.publish(ledger, shard: 0)
        #expect(try ledger.snapshot().shards[0].adapter?.corrected == nil)
    }

    @Test("What only the corrected adapter saw still leads to it")
    func lineage() throws {
        let (fixture, ledger, before, _) = try single(seed: 37)
        // The history of a prompt that goes is retained, and seen by nothing but the adapter if no other prompt shows it.
        let oldest = try #require(
            before.first { prompt in
                before.count { $0.prompt.history.contains(prompt.prompt.history[0]) } == 1
                    && !before.contains { $0.prompt.target == prompt.prompt.history[0] }
            })
        var request = LedgerFixture.forget(oldest.prompt.target)
        request.method = "ifru"
        _ = try ledger.forget(requestID: "a", request, at: fixture.now)
        try fixture.correct(ledger, shard: 0)
        let outcome = try ledger.forget(
            requestID: "b", LedgerFixture.forget(oldest.prompt.history[0]), at: fixture.now)
        #expect(outcome.waitingFor == [0] && outcome.droppedAdapters.count == 1)
    }

    @Test("Where a correction makes no sense the shard is retrained, and the certificate says why")
    func fallbacks() throws {
        let fixture = LedgerFixture(shards: 1)
        var data = SyntheticRatings(users: 12, seed: 38)
        let ledger = try fixture.trained(data)
        let victims = try users(of: 0, ledger)
        // More to forget than to retain.
        let most = Array(victims.dropLast(2))
        let plan = try ledger.plan(LedgerFixture.forget(users: most, method: "ifru"))
        #expect(plan.method == .ifru && plan.shards.map(\.fallback) == [.forgetSetTooLarge])
        #expect(plan.shards.map(\.retrains) == [true] && plan.shards.map(\.corrects) == [false])
        // An import changed the prompts since the training.
        for index in data.items.indices { data.items[index].title += "!" }
        try fixture.load(data, into: ledger, id: "titles")
        let outcome = try ledger.forget(
            requestID: "r", LedgerFixture.forget(users: [victims[0]], method: "ifru"), at: fixture.now)
        #expect(outcome.correcting == [] && outcome.waitingFor == [0])
        #expect(try ledger.snapshot().shards[0].fallback == .dataChanged)
        // And one that comes while the shard is retrained anyway.
        _ = try ledger.forget(
            requestID: "s", LedgerFixture.forget(users: [victims[1]], method: "e2urec"), at: fixture.now)
        try fixture.publish(ledger, shard: 0)
        let reasons = try ["r", "s"].map {
            try ledger.finishForget(request: $0, at: fixture.now).statement.shards.first?.fallback
        }
        #expect(reasons == [.dataChanged, .retraining])
    }

    @Test("A correction that fails for good, or is overtaken by an import, is dropped with all that was kept for it")
    func givenUp() throws {
        for byImport in [false, true] {
            let fixture = LedgerFixture(shards: 1)
            var data = SyntheticRatings(users: 12, seed: 39)
            let ledger = try fixture.trained(data)
            let victim = try users(of: 0, ledger)[0]
            let texts = try ledger.prompts(split: .train).filter { $0.prompt.user == victim }.map(\.prompt.id)
            _ = try ledger.forget(
                requestID: "r", LedgerFixture.forget(users: [victim], method: "ifru"), at: fixture.now)
            let manifest = try ledger.manifest(shard: 0).digest
            if byImport {
                for index in data.items.indices { data.items[index].title += "!" }
                try fixture.load(data, into: ledger, id: "titles")
                try ledger.purge()
            } else {
                try ledger.abandonCorrection(shard: 0, manifest: manifest, reason: .notFinite, at: fixture.now)
                try ledger.purge()
            }
            let shard = try ledger.snapshot().shards[0]
            #expect(shard.correction == nil && shard.fallback == (byImport ? .dataChanged : .notFinite))
            #expect(try fixture.traces(of: texts) == [])
            #expect(
                try FileManager.default.contentsOfDirectory(
                    atPath: fixture.directory.appendingPathComponent("adapters").path) == [])
            #expect(throws: LedgerError.correctionSuperseded(shard: 0)) {
                try ledger.correction(shard: 0, manifest: shard.manifest)
            }
            try fixture.publish(ledger, shard: 0)
            let statement = try ledger.finishForget(request: "r", at: fixture.now).statement
            #expect(statement.exactness.contains("retrained instead of corrected"))
        }
    }

    @Test("A pending correction survives a restart; a shard that empties meanwhile needs none")
    func restart() throws {
        let fixture = LedgerFixture(shards: 1)
        let ledger = try fixture.trained(SyntheticRatings(users: 12, seed: 40))
        let victims = try users(of: 0, ledger)
        _ = try ledger.forget(
            requestID: "r", LedgerFixture.forget(users: [victims[0]], method: "ifru"), at: fixture.now)
        let manifest = try ledger.manifest(shard: 0).digest
        let before = try ledger.correction(shard: 0, manifest: manifest)
        try ledger.close()
        let again = try fixture.open()
        #expect(try again.correction(shard: 0, manifest: manifest) == before)
        _ = try again.forget(
            requestID: "all", LedgerFixture.forget(users: Array(victims.dropFirst()), method: "ifru"), at: fixture.now)
        let shard = try again.snapshot().shards[0]
        #expect(shard.prompts == 0 && shard.correction == nil && shard.quarantinedSince == nil)
        #expect(try again.finishForget(request: "r", at: fixture.now).statement.shards.first?.newAdapter == nil)
    }

    @Test("Methods and bridges that do not exist are refused before anything is done")
    func unknownMethods() throws {
        let fixture = LedgerFixture(shards: 1)
        let ledger = try fixture.trained(SyntheticRatings(users: 6, seed: 41))
        for (method, bridge) in [("magic", nil), (nil, "apa"), ("ifru", "e2urec")] as [(String?, String?)] {
            #expect(throws: LedgerError.self) {
                try ledger.forget(
                    requestID: "r", LedgerFixture.forget(users: ["u1"], method: method, bridge: bridge), at: fixture.now
                )
            }
        }
        #expect(try ledger.forgetRequests().isEmpty && ledger.hasUser("u1"))
    }
}
