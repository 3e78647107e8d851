import Crypto
import Files
import Foundation
import LanguageModels
import Messages
import Recommendation
import Unlearning

/// Whose stages are meant: those of trainings with another specification, or on other arithmetic, are never used.
package struct StagedTraining: Equatable, Sendable {
    package var specification: TrainingSpecification
    package var arithmetic: String
    /// What is trained on top of.
    package var model: ModelConfiguration

    package init(specification: TrainingSpecification, arithmetic: String, model: ModelConfiguration) {
        self.specification = specification
        self.arithmetic = arithmetic
        self.model = model
    }

    func names(_ contents: ShardContents) -> StageNames? {
        try? StageNames(
            specification: specification, arithmetic: arithmetic, prompts: contents.prompts,
            digests: contents.manifest.entries.map(\.digest))
    }
}

/// What trainings leave beside a shard's prompts: those in slices their stages, all of them a checkpoint while they go on.
///
/// A stage is sealed under a key made of the keys of all people with prompts in its slices, so that it needs none of its own: it
/// is noise, wherever it lies, once any of these is destroyed. That is more than is necessary where a person has prompts in
/// several slices and keeps some of them; a worker that has the prompts in memory seals such a stage anew.
extension ShardStore {
    /// Keeps a stage of the training on what the shard holds now, or its checkpoint in place of any other; refuses what is not of
    /// this training. Checkpoints before a stage go with it. What lies there under its name is replaced whole or stays as it is.
    ///
    /// - `isDoubted`: what lies there under its name was found to lead nowhere: it goes even if this cannot be kept.
    /// - Throws: with the code `stage-differs` where no training could begin at it, `storage` or `disk-full`.
    package func keep(
        _ stage: TrainingStage, shard: Int, of training: StagedTraining, isDoubted: Bool = false
    ) throws(TaskFailure) {
        do throws(TaskFailure) {
            try replace(with: stage, shard: shard, of: training)
        } catch {
            if isDoubted { discard(stage.name, shard: shard) }
            throw error
        }
    }

    private func replace(with stage: TrainingStage, shard: Int, of training: StagedTraining) throws(TaskFailure) {
        let what = stage.isCheckpoint ? "a checkpoint in slice \(stage.slice)" : "the stage after slice \(stage.slice)"
        guard let held = kept[shard], let contents = held.contents, let secrets = held.secrets,
            let names = training.names(contents), names.contains(stage),
            let key = stageKey(stage.slice, contents, secrets, training)
        else {
            throw TaskFailure(
                code: .storage, message: "\(what) is not kept: shard \(shard) no longer holds what was trained")
        }
        guard names.canBegin(at: stage, model: training.model) else {
            throw TaskFailure(code: .stageDiffers, message: "\(what) is not kept: no training can begin at it")
        }
        do throws(TaskFailure) {
            try write(stage, shard: shard, key: key)
        } catch {
            throw TaskFailure(
                code: error.code, message: "\(what) is not kept, the training goes on: \(error.message)")
        }
        stageReports[shard]?[stage.name] = nil
        try deleteCheckpoints(shard) { name in
            // One that another worker made may be of an earlier slice than what is trained here.
            stage.isCheckpoint ? name != stage.name : names.slice(ofCheckpoint: name).map { $0 <= stage.slice } ?? true
        }
    }

    /// The last stage from which a training on what the shard holds now goes on. One that does not open, is damaged, or at which no
    /// training can begin goes from the disk.
    package func stage(shard: Int, of training: StagedTraining) -> TrainingStage? {
        let found = Set(folder(shard).contentNames(ShardFolder.stageSuffix).compactMap { $0 })
        guard !found.isEmpty, let held = kept[shard], let contents = held.contents, let secrets = held.secrets,
            let names = training.names(contents)
        else { return nil }
        for slice in stride(from: names.last, to: 0, by: -1) {
            guard let name = names[slice], found.contains(name) else { continue }
            if let key = stageKey(slice, contents, secrets, training),
                let stage = opened(name, shard: shard, key: key), names.canBegin(at: stage, model: training.model)
            {
                return stage
            }
            discard(name, shard: shard)
        }
        return nil
    }

    /// The checkpoint from which a training on what the shard holds now goes on; one that does not open, or at which none can begin,
    /// goes from the disk.
    package func checkpoint(shard: Int, of training: StagedTraining) -> TrainingStage? {
        let found = folder(shard).contentNames(ShardFolder.checkpointSuffix).compactMap { $0 }
        guard !found.isEmpty, let held = kept[shard], let contents = held.contents, let secrets = held.secrets,
            let names = training.names(contents)
        else { return nil }
        let stages = found.compactMap { name -> TrainingStage? in
            guard let slice = names.slice(ofCheckpoint: name), let key = stageKey(slice, contents, secrets, training),
                let stage = opened(name, shard: shard, key: key, isCheckpoint: true), stage.slice == slice,
                names.canBegin(at: stage, model: training.model)
            else {
                discard(name, shard: shard)
                return nil
            }
            return stage
        }
        return stages.max { $0.steps < $1.steps }
    }

    /// What a stage of the training on what the shard holds now was trained on.
    package func stageData(shard: Int, slice: Int, of training: StagedTraining) -> StageData? {
        kept[shard]?.contents.flatMap(training.names)?.data(of: slice)
    }

    /// Deletes every stage and checkpoint but those that a training on these prompts passes, and leaves these sealed as the keys
    /// want it.
    func settleStages(
        _ shard: Int, _ held: Held, becoming owned: [OwnedPrompt], _ secrets: ShardSecrets, _ training: StagedTraining?
    ) throws(TaskFailure) {
        let folder = folder(shard)
        let stages = folder.contentNames(ShardFolder.stageSuffix)
        let checkpoints = folder.contentNames(ShardFolder.checkpointSuffix)
        let found = stages.map { ($0, false) } + checkpoints.map { ($0, true) }
        guard !found.isEmpty else { return }
        guard let training, !found.contains(where: { $0.0 == nil }) else { return try deleteStages(shard) }
        let contents = ShardContents(owned)
        let names = training.names(contents)
        for case (let name?, let isCheckpoint) in found {
            let path = folder.stage(name, isCheckpoint: isCheckpoint)
            guard let slice = isCheckpoint ? names?.slice(ofCheckpoint: name) : names?.slice(of: name),
                let key = stageKey(slice, contents, secrets, training)
            else {
                try KeptFile.remove(path)
                continue
            }
            if stageReader(name, shard: shard, key: key, isCheckpoint: isCheckpoint) != nil { continue }
            // What is in memory may still open it: its slices are the same, and somebody in them has another key.
            let before = held.secrets.flatMap { stageKey(slice, held.contents, $0, training) }
            guard let before, let stage = opened(name, shard: shard, key: before, isCheckpoint: isCheckpoint) else {
                try KeptFile.remove(path)
                continue
            }
            do throws(TaskFailure) {
                try write(stage, shard: shard, key: key)
            } catch {
                // It opens with nothing that will be there.
                try KeptFile.remove(path)
            }
        }
        try KeptFile.syncDirectory(folder.path)
    }

    /// Deletes the stage or checkpoint of this name: no training goes on from it.
    package func discard(_ name: String, shard: Int) {
        stageReports[shard]?[name] = nil
        for isCheckpoint in [false, true] {
            try? KeptFile.remove(folder(shard).stage(name, isCheckpoint: isCheckpoint))
        }
    }

    /// Deletes every stage and checkpoint but those of these names.
    package func discardStages(_ shard: Int, but kept: Set<String>) throws(TaskFailure) {
        let folder = folder(shard)
        let found = [ShardFolder.stageSuffix, ShardFolder.checkpointSuffix].flatMap { folder.contentNames($0) }
        guard !found.contains(nil) else { return try deleteStages(shard) }
        let gone = found.compactMap { $0 }.filter { !kept.contains($0) }
        guard !gone.isEmpty else { return }
        for name in gone { discard(name, shard: shard) }
        try KeptFile.syncDirectory(folder.path)
    }

    /// And checkpoints.
    package func deleteStages(_ shard: Int) throws(TaskFailure) {
        stageReports[shard] = nil
        try folder(shard).remove(ShardFolder.stageSuffix)
        try folder(shard).remove(ShardFolder.checkpointSuffix)
    }

    package func deleteCheckpoints(_ shard: Int, which isGone: (String) -> Bool = { _ in true }) throws(TaskFailure) {
        for found in folder(shard).contentNames(ShardFolder.checkpointSuffix) {
            guard let found else { return try folder(shard).remove(ShardFolder.checkpointSuffix) }
            if isGone(found) { try KeptFile.remove(folder(shard).stage(found, isCheckpoint: true)) }
        }
    }

    /// nil: it does not open, or is damaged.
    func opened(_ name: String, shard: Int, key: SymmetricKey, isCheckpoint: Bool = false) -> TrainingStage? {
        guard var reader = stageReader(name, shard: shard, key: key, isCheckpoint: isCheckpoint),
            let stage = try? TrainingStage(count: reader.count, read: { try reader.read(into: $0) }),
            stage.name == name, stage.isCheckpoint == isCheckpoint
        else { return nil }
        return stage
    }

    /// nil: somebody in the slices has no key here.
    func stageKey(
        _ slice: Int, _ contents: ShardContents, _ secrets: ShardSecrets, _ training: StagedTraining
    ) -> SymmetricKey? {
        let dealing = SliceDealing(training.specification)
        var people: Set<UInt64> = []
        for (prompt, person) in zip(contents.prompts, contents.people) {
            guard let place = try? dealing.slice(of: prompt) else { return nil }
            if place <= slice { people.insert(person) }
        }
        var material: [UInt8] = []
        for person in people.sorted() {
            guard let key = secrets.people[person] else { return nil }
            material += key.rawBytes
        }
        guard !material.isEmpty else { return nil }
        return SymmetricKey(raw: material).derived(for: "stage of people")
    }

    private func stageReader(
        _ name: String, shard: Int, key: SymmetricKey, isCheckpoint: Bool = false
    ) -> SealedPieces.Reader? {
        let file = URL(fileURLWithPath: folder(shard).stage(name, isCheckpoint: isCheckpoint))
        guard let sealed = try? Data(contentsOf: file, options: .mappedIfSafe) else { return nil }
        return try? SealedPieces.Reader(sealed, key: key, context: SealContext.stage(shard: shard, name: name))
    }

    private func write(_ stage: TrainingStage, shard: Int, key: SymmetricKey) throws(TaskFailure) {
        let path = folder(shard).stage(stage.name, isCheckpoint: stage.isCheckpoint)
        try KeptFile.write(to: path) { put throws(FileFailure) in
            var writer = SealedPieces.Writer(key: key, context: SealContext.stage(shard: shard, name: stage.name))
            do {
                try stage.write { try writer.write($0, to: put) }
            } catch let failure as FileFailure {
                throw failure
            } catch {
                throw FileFailure("cannot seal", path, code: EINVAL)
            }
            try writer.finish(to: put)
        }
    }
}
