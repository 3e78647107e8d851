import ClusterTestSupport
import Foundation
import LanguageModels
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("Worker: corrections and preparations")
struct WorkerCorrectionTests {
    let before = Toy.prompts(0..<12)
    let executor = Toy.executor()

    private func trained() throws -> Adapter {
        try executor.train(
            prompts: before, specification: Toy.specification(), progress: { _ in }, isCancelled: { false }
        ).adapter
    }

    /// Prompts 0 and 1 go, 2 is rebuilt.
    private var request: InfluenceRequest {
        InfluenceRequest(
            direct: Array(before[0..<2]), rebuilt: [.init(old: before[2], new: Toy.prompt(2, version: 9))])
    }
    private var after: [TrainingPrompt] { [Toy.prompt(2, version: 9)] + before[3...] }

    private let trial = InfluenceTrial(specification: Toy.specification())

    private func correction(_ method: CorrectionMethod, of adapter: Adapter) -> PendingCorrection {
        PendingCorrection(
            method: method, original: adapter.safetensorsBytes(), provenance: .trained, request: request)
    }

    @Test("The executor corrects by both methods, and says how: a preparation of this very adapter is used, no other")
    func executorCorrects() throws {
        let adapter = try trained()
        let preparation = try executor.prepare(
            adapter: adapter, prompts: before, trial: trial, progress: { _ in }, isCancelled: { false })
        func correct(_ method: CorrectionMethod, _ preparation: InfluencePreparation? = nil) throws -> TrainedAdapter {
            try executor.correct(
                correction(method, of: adapter), specification: Toy.specification(), retained: after,
                preparation: preparation, progress: { _ in }, isCancelled: { false })
        }
        let ifru = CorrectionMethod.ifru(IFRUConfiguration())
        let ready = try correct(ifru, preparation)
        let unready = try correct(ifru)
        #expect(ready.adapter == unready.adapter && ready.adapter != adapter)
        #expect(ready.report.correction?.preparation?.beforehand == true)
        #expect(unready.report.correction?.preparation?.beforehand == false)
        // Time of a preparation for the request is the request's.
        #expect(unready.report.tokens > ready.report.tokens)
        #expect(ready.report.correction?.provenance.original == adapter.contentName)
        #expect(ready.report.correction?.provenance.result == ready.adapter.contentName)
        let others = try executor.prepare(
            adapter: adapter, prompts: Array(before.dropLast()), trial: trial, progress: { _ in },
            isCancelled: { false })
        #expect(try correct(ifru, others).report.correction?.preparation?.beforehand == false)
        let e2urec = try correct(.e2urec(E2URecConfiguration(batch: 4)))
        #expect(e2urec.report.correction?.provenance.method == .e2urec && e2urec.adapter != adapter)
        #expect(e2urec.report.correction?.e2urec?.forgotten == 3 && e2urec.report.correction?.ifru == nil)
    }

    @Test("After a prepared correction the next preparation is what the correction left; after a training it is fresh")
    func succeeds() throws {
        let adapter = try trained()
        func prepare(_ adapter: Adapter, _ prompts: [TrainingPrompt]) throws -> InfluencePreparation {
            try executor.prepare(
                adapter: adapter, prompts: prompts, trial: trial, progress: { _ in }, isCancelled: { false })
        }
        let preparation = try prepare(adapter, before)
        func correct(_ preparation: InfluencePreparation?) throws -> Adapter {
            try executor.correct(
                correction(.ifru(IFRUConfiguration()), of: adapter), specification: Toy.specification(),
                retained: after, preparation: preparation, progress: { _ in }, isCancelled: { false }
            ).adapter
        }
        let corrected = try correct(preparation)
        let next = try prepare(corrected, after)
        #expect(next.corrections == 1 && next.adapter == corrected.contentName)
        #expect(next.calibration == preparation.calibration && next.cost.trainedTokens < preparation.cost.trainedTokens)
        #expect(next.entries.map(\.digest) == after.sorted { $0.id < $1.id }.map(\.digest))
        // Used up; and of other prompts, after a training, or without a preparation beforehand there is none.
        #expect(try prepare(corrected, after).corrections == 0)
        _ = try correct(preparation)
        #expect(try prepare(corrected, Array(after.dropLast())).corrections == 0)
        _ = try correct(preparation)
        _ = try executor.train(
            prompts: after, specification: Toy.specification(), progress: { _ in }, isCancelled: { false })
        #expect(try prepare(corrected, after).corrections == 0)
        _ = try correct(nil)
        #expect(try prepare(corrected, after).corrections == 0)
    }

    @Test("What cannot be corrected fails with a code that the coordinator knows, and without a prompt's name")
    func failures() throws {
        let adapter = try trained()
        func code(_ retained: [TrainingPrompt], _ request: InfluenceRequest, _ method: CorrectionMethod)
            -> CorrectionFallback?
        {
            do {
                _ = try executor.correct(
                    PendingCorrection(
                        method: method, original: adapter.safetensorsBytes(), provenance: .trained, request: request),
                    specification: Toy.specification(), retained: retained, preparation: nil, progress: { _ in },
                    isCancelled: { false })
                return nil
            } catch {
                let failure = TaskFailure(error)
                #expect(before.allSatisfy { !failure.message.contains($0.id) })
                return CorrectionFallback(code: failure.code)
            }
        }
        let most = InfluenceRequest(direct: Array(before[0..<10]))
        let rest = Array(before[10...])
        for method in [CorrectionMethod.ifru(IFRUConfiguration()), .e2urec(E2URecConfiguration())] {
            #expect(code(rest, most, method) == .forgetSetTooLarge)
            #expect(code(before, InfluenceRequest(direct: []), method) == .nothingToCorrect)
        }
        #expect(code(after, request, .ifru(IFRUConfiguration(damping: .fixed(0)))) == .failed)
        // Predictions are never right to the last digit.
        let strict = IFRUConfiguration(damping: .relative([1]), tolerance: 1e-12)
        #expect(code(after, request, .ifru(strict)) == .outOfTolerance)
        let all = before.enumerated().map { index, prompt in
            InfluenceRequest.Rebuilt(old: prompt, new: Toy.prompt(index, version: 9))
        }
        #expect(
            code(all.map(\.new), InfluenceRequest(direct: [], rebuilt: all), .ifru(IFRUConfiguration()))
                == .noReferenceRows)
    }

    // MARK: the logic

    private func copy(prepared: String? = nil) -> ShardCopy {
        ShardCopy(
            shard: 0, manifest: Toy.manifest(after).digest, prompts: after.count, adapter: nil, prepared: prepared)
    }

    private func assignment(_ correction: PendingCorrection?) -> CoordinatorMessage {
        .assign(
            .init(
                task: 1, shard: 0, specification: Toy.specification(), manifest: Toy.manifest(after),
                keys: Toy.keys(after), adapter: nil,
                correction: correction))
    }

    @Test("A correction uses the preparation that lay on the disk before the update deleted it")
    func usesPreparation() throws {
        let adapter = try trained()
        let preparation = try executor.prepare(
            adapter: adapter, prompts: before, trial: trial, progress: { _ in }, isCancelled: { false })
        let correction = correction(.ifru(IFRUConfiguration()), of: adapter)
        var driver = WorkerLogicDriver()
        let update = try #require(driver.say(assignment(correction)).commands.first)
        guard case .update(_, _, _, _, preparationOf: adapter.contentName, _) = update.access else {
            Issue.record("the preparation was not asked for")
            return
        }
        let digest = after[0].digest
        let missing = StorageResult(
            id: update.id, shard: 0, copy: nil, outcome: .missing([digest]), preparation: preparation)
        #expect(driver.handle(.storage(missing)).sent == [.need(task: 1, digests: [digest])])
        let offer = try #require(driver.say(.prompts(task: 1, prompts: [after[0]])).commands.first)
        let job = try #require(driver.store(offer, .complete(after, trained: nil), copy: copy()).jobs.first)
        #expect(
            job.computation
                == .correct(correction, Toy.specification(), prompts: after, preparation: preparation))
    }

    @Test("A kept adapter answers only what it was made for: a correction no training, and a training no correction")
    func keptAdapters() throws {
        let adapter = try trained()
        let correction = correction(.e2urec(E2URecConfiguration()), of: adapter)
        var approximate = TrainingReport(
            adapter: "c", manifest: Toy.manifest(after).digest, prompts: after.count,
            specification: Toy.specification(), steps: 1, tokens: 1, seconds: 1, computeSeconds: 1, epochLosses: [])
        let exact = StorageResult.Trained(report: approximate, adapter: [1])
        approximate.correction = CorrectionReport(
            provenance: ApproximateProvenance(
                method: .e2urec, original: adapter.contentName, result: "c", forgotten: 3, corrections: 1),
            method: correction.method)
        let corrected = StorageResult.Trained(report: approximate, adapter: [2])
        for (asked, kept, isAnswer) in [
            (nil, exact, true), (nil, corrected, false), (correction, exact, false), (correction, corrected, true),
        ] as [(PendingCorrection?, StorageResult.Trained, Bool)] {
            var driver = WorkerLogicDriver()
            let update = try #require(driver.say(assignment(asked)).commands.first)
            let actions = driver.store(update, .complete(after, trained: kept), copy: copy())
            #expect(actions.jobs.isEmpty == isAnswer)
        }
    }

    @Test("A preparation is made of the held prompts, kept, and reported; an assignment makes it yield")
    func preparing() throws {
        let adapter = try trained()
        let manifest = Toy.manifest(after).digest
        func begin() throws -> (WorkerLogicDriver, Job) {
            var driver = WorkerLogicDriver(copies: [copy()])
            let say = driver.say(
                .prepare(
                    .init(
                        task: 5, shard: 0, manifest: manifest, keys: Toy.keys(after).withoutOwners,
                        adapter: adapter.safetensorsBytes(), trial: trial)))
            let read = try #require(say.commands.first)
            #expect(read.access == .read(manifest: manifest, keys: Toy.keys(after).withoutOwners))
            let job = try #require(driver.store(read, .complete(after, trained: nil), copy: copy()).jobs.first)
            return (driver, job)
        }
        var (driver, job) = try begin()
        let made = try executor.prepare(
            adapter: adapter, prompts: after, trial: trial, progress: { _ in }, isCancelled: { false })
        let keep = try #require(driver.handle(.finished(job.id, .prepared(made, seconds: 2))).commands.first)
        #expect(keep.access == .keep(made, manifest: manifest))
        let done = driver.store(keep, .saved, copy: copy(prepared: adapter.contentName))
        #expect(done.sent == [.prepared(task: 5, shard: 0, adapter: adapter.contentName, seconds: 2)])

        var (other, running) = try begin()
        #expect(other.say(assignment(nil)).cancelled == [running.id])
        var (lost, last) = try begin()
        #expect(lost.handle(.disconnected).isEmpty)
        #expect(lost.handle(.connected(goingOnWith: [])).cancelled == [last.id])
        #expect(lost.handle(.finished(last.id, .cancelled)).isEmpty)
    }

    @Test("A preparation is on the disk for as long as the shard's prompts are exactly those it was made of")
    func stored() throws {
        let directory = Toy.temporaryDirectory()
        defer { try? FileManager.default.removeItem(atPath: directory) }
        let adapter = try trained()
        let made = try executor.prepare(
            adapter: adapter, prompts: before, trial: trial, progress: { _ in }, isCancelled: { false })
        let manifest = Toy.manifest(before)
        func files() -> [String] {
            ((try? FileManager.default.contentsOfDirectory(atPath: directory + "/shards/0")) ?? []).filter {
                $0.contains("preparation")
            }
        }
        let keys = Toy.keys(before)
        let store = try ShardStore(directory: directory)
        _ = try store.bring(shard: 0, to: manifest, keys: keys, offered: before)
        #expect(throws: TaskFailure.self) { try store.keep(made, shard: 0, manifest: "another") }
        try store.keep(made, shard: 0, manifest: manifest.digest)
        #expect(store.copy(0)?.prepared == adapter.contentName && files().count == 1)
        #expect(store.preparation(shard: 0, adapter: adapter.contentName, keys: keys) == made)
        #expect(store.preparation(shard: 0, adapter: "another", keys: keys) == nil)
        // A killed process left half of another.
        let half = "/shards/0/other.letheif6.preparation.sealed.lethe-temporary"
        try Data([1]).write(to: URL(fileURLWithPath: directory + half))
        let reopened = try ShardStore(directory: directory)
        #expect(files().count == 1 && reopened.deletedInClear == 0)
        #expect(reopened.preparation(shard: 0, adapter: adapter.contentName, keys: keys) == made)
        #expect(try reopened.prompts(shard: 0, manifest: manifest.digest, keys: keys.withoutOwners) == before)
        #expect(reopened.copy(0)?.prepared == adapter.contentName)
        // What another release made in another form is none: it is not said to be there, and is made anew.
        let named = directory + "/shards/0/\(adapter.contentName)"
        try FileManager.default.moveItem(
            atPath: named + ".letheif6.preparation.sealed", toPath: named + ".preparation.sealed")
        let newer = try ShardStore(directory: directory)
        #expect(newer.copy(0)?.prepared == nil && newer.deletedInClear == 0 && files() == [])
        _ = try newer.bring(shard: 0, to: manifest, keys: keys)
        try newer.keep(made, shard: 0, manifest: manifest.digest)
        // Of two none is believed.
        try Data([1]).write(to: URL(fileURLWithPath: directory + "/shards/0/other.letheif6.preparation.sealed"))
        let again = try ShardStore(directory: directory)
        #expect(again.copy(0)?.prepared == nil && files() == [])
        _ = try again.bring(shard: 0, to: manifest, keys: keys)
        try again.keep(made, shard: 0, manifest: manifest.digest)
        // One prompt goes, and with it all that was made from it.
        _ = try again.bring(
            shard: 0, to: Toy.manifest(Array(before.dropFirst())), keys: Toy.keys(Array(before.dropFirst())))
        #expect(again.copy(0)?.prepared == nil && files() == [])
    }
}
