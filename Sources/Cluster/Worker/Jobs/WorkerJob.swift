import LanguageModels
import Messages
import Recommendation
import Unlearning

/// Names one piece of computing inside a worker, over all connections.
package typealias JobID = UInt64

/// What the compute thread is given.
package struct Job: Sendable, Equatable {
    package enum Computation: Sendable, Equatable {
        /// `from`: what an earlier training of the same slices left; nil: begin at the initial adapter.
        case train(TrainingSpecification, prompts: [TrainingPrompt], from: TrainingStage? = nil)
        /// One slice of a training, for comparison.
        case replayStage(CoordinatorMessage.StageReplay)
        case correct(
            PendingCorrection, TrainingSpecification, prompts: [TrainingPrompt], preparation: InfluencePreparation?)
        case prepare(shard: Int, prompts: [TrainingPrompt], adapter: [UInt8], trial: InfluenceTrial)
        /// With the bytes of the adapters that the task names.
        case score(CoordinatorMessage.ScoreTask, adapters: [[UInt8]])
        case embed(source: EmbeddingSource, prompts: [TrainingPrompt])
        case compare(ComparisonCase)
    }

    package var id: JobID
    package var computation: Computation
    /// Of a training: the stage that is to answer until it is done, once the training has found it to be one of its own.
    package var answering: TrainingStage?
}

/// What the compute thread gives back.
package enum JobOutcome: Sendable, Equatable {
    case trained(TrainingReport, adapter: [UInt8])
    case prepared(InfluencePreparation, seconds: Double)
    case scored(margins: [Float], tokens: Int, seconds: Double)
    case embedded(values: [Float], tokens: Int, seconds: Double)
    case compared(ComparisonReport)
    case cancelled
    case failed(TaskFailure)
}

/// Work for the storage thread. The shard's commands run in the order in which they were given.
package struct StorageCommand: Sendable, Equatable {
    package enum Access: Sendable, Equatable {
        /// `keys`: what everything is sealed with from then on.
        /// `preparationOf`: content name of the adapter whose preparation is handed over before it is deleted.
        /// `isTrained`: whether somebody has trained the shard: then no checkpoint is gone on from.
        case update(
            ShardManifest, keys: ShardKeys, offered: [TrainingPrompt], specification: TrainingSpecification,
            preparationOf: String? = nil, isTrained: Bool = false)
        /// The prompts, if they are exactly those of the manifest.
        case read(manifest: String, keys: ShardKeys)
        case keep(InfluencePreparation, manifest: String)
        case save(TrainingReport, adapter: [UInt8])
        /// Of the training under way.
        /// `isDoubted`: what lies in its place was found to lead nowhere, and is not to stay.
        case keepStage(TrainingStage, TrainingSpecification, isDoubted: Bool = false)
        /// Deletes the stage or checkpoint of this name: no training goes on from it.
        case discard(String)
        /// Deletes all of the shard's but those of these names.
        case discardAllBut(Set<String>)
        /// Made by another worker, for the data that the shard was last brought to.
        case take(HandedStage)
        /// Brings the copy to the manifest, as far as it needs no prompts for that, and reads the stage of this name.
        case hand(ShardManifest, keys: ShardKeys, specification: TrainingSpecification, stage: String?)
        case remove
    }

    package var id: UInt64
    package var shard: Int
    package var access: Access
    /// The training that this keeps something of.
    package var job: JobID?

    package init(id: UInt64, shard: Int, access: Access, job: JobID? = nil) {
        (self.id, self.shard, self.access, self.job) = (id, shard, access, job)
    }
}

/// How a storage command ended, and what the disk holds of the shard since.
package struct StorageResult: Sendable, Equatable {
    package enum Outcome: Sendable, Equatable {
        case missing([String])
        /// `trained`: the kept adapter of exactly these prompts and the specification, if there is one.
        case complete([TrainingPrompt], trained: Trained?)
        case saved
        /// A checkpoint: the disk takes too long for another one now.
        case leftOut
        case taken(TrainingStage)
        /// What `hand` found; nil: it was asked for none.
        case handed(HandedStage?)
        case removed
        case failed(TaskFailure)
    }

    package struct Trained: Sendable, Equatable {
        package var report: TrainingReport
        package var adapter: [UInt8]

        package init(report: TrainingReport, adapter: [UInt8]) {
            self.report = report
            self.adapter = adapter
        }
    }

    package var id: UInt64
    package var shard: Int
    package var copy: ShardCopy?
    package var outcome: Outcome
    /// Of `save`: what its training is reported as, with what lies here of the stages before it, and with what keeping them took.
    package var report: TrainingReport?
    /// What `update` was asked to hand over, if it was there.
    package var preparation: InfluencePreparation?
    /// The last one from which a training on exactly these prompts goes on, where `update` found no adapter of theirs.
    package var stage: TrainingStage?
    /// What the stage was trained on.
    package var stageData: StageData?
    /// A checkpoint behind that stage, from which such a training goes on.
    package var checkpoint: TrainingStage?
    /// Slices and names of the stages that a training on these prompts passes and that are not there, last slice first.
    package var lacking: [StageReport] = []

    package init(
        id: UInt64, shard: Int, copy: ShardCopy?, outcome: Outcome,
        preparation: InfluencePreparation? = nil, stage: TrainingStage? = nil, stageData: StageData? = nil,
        checkpoint: TrainingStage? = nil
    ) {
        self.checkpoint = checkpoint
        self.stageData = stageData
        self.id = id
        self.shard = shard
        self.copy = copy
        self.outcome = outcome
        self.preparation = preparation
        self.stage = stage
    }
}
