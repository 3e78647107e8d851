import Crypto
import Files
import Foundation
import Messages
import Recommendation
import Unlearning

/// Whose stages are meant: those of trainings with another specification, or on other arithmetic, are never used.
package struct StagedTraining: Equatable, Sendable {
    package var specification: TrainingSpecification
    package var arithmetic: String

    package init(specification: TrainingSpecification, arithmetic: String) {
        self.specification = specification
        self.arithmetic = arithmetic
    }

    func names(_ contents: ShardContents) -> StageNames? {
        try? StageNames(
            specification: specification, arithmetic: arithmetic, prompts: contents.prompts,
            digests: contents.manifest.entries.map(\.digest))
    }
}

/// What trainings in slices leave beside a shard's prompts.
///
/// A stage is sealed under a key made of the keys of all people with prompts in its slices, so that it needs none of its own: it
/// is noise, wherever it lies, once any of these is destroyed. That is more than is necessary where a person has prompts in
/// several slices and keeps some of them; a worker that has the prompts in memory seals such a stage anew.
extension ShardStore {
    /// Keeps a stage of the training on what the shard holds now; refuses any other.
    package func keep(_ stage: TrainingStage, shard: Int, of training: StagedTraining) throws(TaskFailure) {
        func failure(_ reason: String) -> TaskFailure {
            TaskFailure(code: .storage, message: "the stage after slice \(stage.slice) is not kept: \(reason)")
        }
        guard let held = kept[shard], let contents = held.contents, let secrets = held.secrets,
            training.names(contents)?[stage.slice] == stage.name,
            let key = stageKey(stage.slice, contents, secrets, training)
        else { throw failure("shard \(shard) no longer holds what was trained") }
        do throws(TaskFailure) {
            try write(stage, shard: shard, key: key)
        } catch {
            throw TaskFailure(
                code: error.code,
                message: "the stage after slice \(stage.slice) is not kept, the training goes on: \(error.message)")
        }
    }

    /// The last stage from which a training on what the shard holds now goes on. One that does not open, or is damaged, goes
    /// from the disk.
    package func stage(shard: Int, of training: StagedTraining) -> TrainingStage? {
        let found = Set(folder(shard).contentNames(ShardFolder.stageSuffix).compactMap { $0 })
        guard !found.isEmpty, let held = kept[shard], let contents = held.contents, let secrets = held.secrets,
            let names = training.names(contents)
        else { return nil }
        for slice in stride(from: names.last, to: 0, by: -1) {
            guard let name = names[slice], found.contains(name) else { continue }
            if let key = stageKey(slice, contents, secrets, training),
                var reader = stageReader(name, shard: shard, key: key),
                let stage = try? TrainingStage(count: reader.count, read: { try reader.read(into: $0) }),
                stage.name == name, stage.slice == slice
            {
                return stage
            }
            try? KeptFile.remove(folder(shard).stage(name))
        }
        return nil
    }

    /// What a stage of the training on what the shard holds now was trained on.
    package func stageData(shard: Int, slice: Int, of training: StagedTraining) -> StageData? {
        kept[shard]?.contents.flatMap(training.names)?.data(of: slice)
    }

    /// Deletes every stage but those that a training on these prompts passes, and leaves these sealed as the keys want it.
    func settleStages(
        _ shard: Int, _ held: Held, becoming owned: [OwnedPrompt], _ secrets: ShardSecrets, _ training: StagedTraining?
    ) throws(TaskFailure) {
        let found = folder(shard).contentNames(ShardFolder.stageSuffix)
        guard !found.isEmpty else { return }
        guard let training, training.specification.slices > 1, !found.contains(nil) else {
            return try deleteStages(shard)
        }
        let contents = ShardContents(owned)
        let names = training.names(contents)
        for case let name? in found {
            guard let slice = names?.slice(of: name), let key = stageKey(slice, contents, secrets, training) else {
                try KeptFile.remove(folder(shard).stage(name))
                continue
            }
            if stageReader(name, shard: shard, key: key) != nil { continue }
            // What is in memory may still open it: its slices are the same, and somebody in them has another key.
            let before = held.secrets.flatMap { stageKey(slice, held.contents, $0, training) }
            guard let before, var reader = stageReader(name, shard: shard, key: before),
                let stage = try? TrainingStage(count: reader.count, read: { try reader.read(into: $0) }),
                stage.name == name
            else {
                try KeptFile.remove(folder(shard).stage(name))
                continue
            }
            do throws(TaskFailure) {
                try write(stage, shard: shard, key: key)
            } catch {
                // It opens with nothing that will be there.
                try KeptFile.remove(folder(shard).stage(name))
            }
        }
        try KeptFile.syncDirectory(folder(shard).path)
    }

    func deleteStages(_ shard: Int) throws(TaskFailure) { try folder(shard).remove(ShardFolder.stageSuffix) }

    /// nil: somebody in the slices has no key here.
    private func stageKey(
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

    private func stageReader(_ name: String, shard: Int, key: SymmetricKey) -> SealedPieces.Reader? {
        let file = URL(fileURLWithPath: folder(shard).stage(name))
        guard let sealed = try? Data(contentsOf: file, options: .mappedIfSafe) else { return nil }
        return try? SealedPieces.Reader(sealed, key: key, context: SealContext.stage(shard: shard, name: name))
    }

    private func write(_ stage: TrainingStage, shard: Int, key: SymmetricKey) throws(TaskFailure) {
        let path = folder(shard).stage(stage.name)
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
