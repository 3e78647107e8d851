import ClusterTestSupport
import Messages
import Recommendation
import Unlearning

/// What a training in slices leaves on a worker's disk after one of them: it opens with the keys of all people in it.
struct ModelStage: Equatable {
    static let slices = 4

    /// Slices that were trained.
    var slice: Int
    /// Digests.
    var prompts: Set<String>
    var keys: Set<UInt64>
}

extension ModelStage {
    /// What of a manifest is trained after so many slices.
    static func manifest(_ slice: Int, of entries: [ShardManifest.Entry]) -> ShardManifest {
        ShardManifest(
            entries: entries.filter { simulatedHash("slice " + $0.id) % UInt64(slices) < slice })
    }
}

/// A stage that may answer.
struct ServedModelStage {
    var slice: Int
    var manifest: ShardManifest

    func message(task: TaskID, _ specification: TrainingSpecification) -> WorkerMessage {
        let name = "stage-\(slice)-\(manifest.name)"
        return .staged(
            task: task,
            TrainingReport(
                adapter: name, manifest: manifest.name, prompts: manifest.entries.count, specification: specification,
                steps: 1, tokens: 1, seconds: 0, computeSeconds: 0, epochLosses: [],
                slices: SlicesReport(count: ModelStage.slices, first: slice + 1, tokens: 0, stage: slice)),
            adapter: Array(name.utf8))
    }
}

extension ModelWorker.Copy {
    /// The last stage that is on the disk.
    var served: ServedModelStage? {
        stages.last.map { stage in
            let entries = prompts.map { ShardManifest.Entry(id: $0.key, digest: $0.value) }
            return ServedModelStage(slice: stage.slice, manifest: ModelStage.manifest(stage.slice, of: entries))
        }
    }

    /// Of the training on these prompts.
    private var passed: [ModelStage] {
        (1..<ModelStage.slices).map { slice in
            let entries = prompts.map { ShardManifest.Entry(id: $0.key, digest: $0.value) }
            let digests = ModelStage.manifest(slice, of: entries).entries.map(\.digest)
            return ModelStage(slice: slice, prompts: Set(digests), keys: Set(digests.compactMap { seals[$0] }))
        }
    }

    mutating func keepStages() { stages = passed.filter { !$0.prompts.isEmpty } }

    /// Those that the training on these prompts does not pass, and those that other keys would have to open.
    mutating func dropStages() {
        let passed = passed
        stages.removeAll { !passed.contains($0) }
    }
}
