import ClusterTestSupport
import Files
import Foundation
import LanguageModels
import Messages
import Recommendation
import Testing
import Unlearning
import Worker

@Suite("A worker's disk: stages that travel")
final class WorkerHandingTests {
    let (mine, other) = (SealedShelf(), SealedShelf())
    let prompts = Toy.prompts(0..<24)
    let training: StagedTraining

    init() {
        var specification = Toy.specification()
        specification.slices = 4
        training = Toy.staged(specification)
    }

    private func bring(_ prompts: [TrainingPrompt], keys: ShardKeys? = nil, in store: ShardStore) throws {
        _ = try store.bring(
            shard: 2, to: Toy.manifest(prompts), keys: keys ?? Toy.keys(prompts), training: training, offered: prompts)
    }

    /// A store with the prompts and all stages of their training, and the stages.
    private func filled() throws -> (store: ShardStore, stages: [TrainingStage]) {
        let store = try ShardStore(directory: mine.directory)
        try bring(prompts, in: store)
        var stages: [TrainingStage] = []
        _ = try Toy.executor().train(
            prompts: prompts, specification: training.specification, from: nil, keep: { stages.append($0) },
            progress: { _ in }, isCancelled: { false })
        for stage in stages { try store.keep(stage, shard: 2, of: training) }
        return (store, stages)
    }

    private func failure(_ body: () throws -> Void) -> ErrorCode? {
        do {
            try body()
            return nil
        } catch let failure as TaskFailure {
            return failure.code
        } catch {
            return ErrorCode(rawValue: "\(error)")
        }
    }

    @Test("Another worker gets the very stages, sealed under its own shard's people, and lacks none then")
    func journey() throws {
        let (store, stages) = try filled()
        #expect(store.lacking(shard: 2).isEmpty)
        #expect(store.copy(2)?.stages == stages.map(\.name).sorted())
        let heir = try ShardStore(directory: other.directory)
        try bring(prompts, in: heir)
        #expect(heir.lacking(shard: 2).map(\.slice) == [3, 2, 1])
        #expect(heir.copy(2)?.stages == nil)
        for wanted in heir.lacking(shard: 2) {
            let handed = try store.hand(wanted.name, shard: 2)
            #expect(handed.name == wanted.name && sha256(handed.bytes) == handed.digest)
            #expect(try heir.take(handed, shard: 2) == stages[wanted.slice - 1])
        }
        #expect(heir.lacking(shard: 2).isEmpty && heir.stage(shard: 2, of: training) == stages[2])
        #expect(heir.copy(2)?.stages == stages.map(\.name).sorted())
        // After a start it opens with the keys, as one made there.
        let again = try ShardStore(directory: other.directory)
        try bring(prompts, in: again)
        #expect(again.stage(shard: 2, of: training) == stages[2])
    }

    @Test("Of the data of before nothing is handed on, and nothing taken, once somebody is forgotten")
    func forgotten() throws {
        let (store, stages) = try filled()
        let dealing = SliceDealing(training.specification)
        let leaving = try #require(try prompts.first { try dealing.slice(of: $0) == 2 })
        let retained = prompts.filter { $0.id != leaving.id }
        let late = try stages.map { try store.hand($0.name, shard: 2) }
        let heir = try ShardStore(directory: other.directory)
        try bring(retained, in: heir)
        try bring(retained, in: store)
        for (stage, handed) in zip(stages, late) {
            let isClean = stage.slice < 2
            #expect(failure { _ = try store.hand(stage.name, shard: 2) } == (isClean ? nil : .notHeld))
            #expect(failure { _ = try heir.take(handed, shard: 2) } == (isClean ? nil : .storage))
        }
        #expect(heir.copy(2)?.stages == [stages[0].name])
    }

    /// Of the right names, and of no use: what a faulty worker may hand on.
    private func misfits(_ stage: TrainingStage) throws -> [TrainingStage] {
        [
            try stage.misfit(parameters: 7), try stage.misfit(parameters: 0),
            try stage.misfit { $0["steps"] = stage.steps + 1 }, try stage.misfit { $0["lossSums"] = [0.5] },
        ]
    }

    @Test("A stage at which no training can begin is not taken, and not kept")
    func misfit() throws {
        let (store, stages) = try filled()
        let heir = try ShardStore(directory: other.directory)
        try bring(prompts, in: heir)
        for misfit in try misfits(stages[2]) {
            let bytes = try misfit.bytes()
            let handed = HandedStage(name: misfit.name, digest: sha256(bytes), bytes: bytes)
            #expect(failure { _ = try heir.take(handed, shard: 2) } == .stageDiffers)
            #expect(failure { try store.keep(misfit, shard: 2, of: training) } == .stageDiffers)
        }
        #expect(heir.copy(2)?.stages == nil && heir.lacking(shard: 2).count == 3)
        #expect(store.stage(shard: 2, of: training) == stages[2])
    }

    @Test("One that an earlier release took is passed over: the training begins before it, and it is gone")
    func takenBefore() throws {
        let (store, stages) = try filled()
        // Where another model is trained on, it has the right shape.
        var careless = training
        careless.model.hidden *= 2
        let parameters = AdapterLayout(
            model: careless.model, configuration: training.specification.lora
        ).count
        try store.keep(stages[2].misfit(parameters: parameters), shard: 2, of: careless)
        #expect(failure { _ = try store.hand(stages[2].name, shard: 2) } == .notHeld)
        try store.keep(stages[2].misfit(parameters: parameters), shard: 2, of: careless)
        #expect(store.stage(shard: 2, of: training) == stages[1])
        #expect(store.lacking(shard: 2).map(\.slice) == [3])
    }

    @Test("A stage of a training on other arithmetic, or of another specification, is not taken and not handed on")
    func otherTraining() throws {
        let (store, stages) = try filled()
        var others = [training, training]
        others[0].arithmetic = "other arithmetic"
        others[1].specification.seed += 1
        for training in others {
            let heir = try ShardStore(directory: other.directory)
            _ = try heir.bring(
                shard: 2, to: Toy.manifest(prompts), keys: Toy.keys(prompts), training: training, offered: prompts)
            for stage in stages {
                let handed = try store.hand(stage.name, shard: 2)
                #expect(failure { _ = try heir.take(handed, shard: 2) } != nil)
                #expect(failure { _ = try heir.hand(stage.name, shard: 2) } == .notHeld)
            }
            #expect(heir.copy(2)?.stages == nil && heir.lacking(shard: 2).count == 3)
        }
    }

    @Test("What is not as it is said to be is not taken")
    func tampered() throws {
        let (store, stages) = try filled()
        let heir = try ShardStore(directory: other.directory)
        try bring(prompts, in: heir)
        let whole = try store.hand(stages[1].name, shard: 2)
        var flipped = whole
        flipped.bytes[whole.bytes.count - 1] ^= 1
        var short = whole
        short.bytes.removeLast()
        short.digest = sha256(short.bytes)
        var renamed = whole
        renamed.name = stages[0].name
        for (handed, code) in [(flipped, ErrorCode.stageDiffers), (short, .stageDiffers), (renamed, .stageDiffers)] {
            #expect(failure { _ = try heir.take(handed, shard: 2) } == code)
        }
        #expect(heir.copy(2)?.stages == nil)
        // A file that was changed on the disk opens no more, and is not handed on.
        let name = "\(stages[2].name).stage.sealed"
        var sealed = try mine.bytes(name)
        sealed[sealed.count / 2] ^= 1
        try mine.write(sealed, name)
        #expect(failure { _ = try store.hand(stages[2].name, shard: 2) } == .notHeld)
        // Nor does it lie there as if there were one: it is asked of others.
        #expect(!mine.names.contains(name) && store.lacking(shard: 2).map(\.slice) == [3])
        #expect(failure { _ = try store.hand("unknown", shard: 2) } == .notHeld)
        #expect(failure { _ = try store.hand(stages[0].name, shard: 1) } == .notHeld)
        #expect(failure { _ = try heir.take(whole, shard: 1) } == .storage)
    }
}
