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
    /// Of its slice and everything that was trained by then.
    var name: String { "stage\(slice)-\(simulatedHash(prompts.sorted().joined(separator: " ")))" }

    var report: StageReport { StageReport(slice: slice, name: name, digest: "digest of \(name)", bytes: 1) }

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
    var passed: [ModelStage] {
        (1..<ModelStage.slices).map { slice in
            let entries = prompts.map { ShardManifest.Entry(id: $0.key, digest: $0.value) }
            let digests = ModelStage.manifest(slice, of: entries).entries.map(\.digest)
            return ModelStage(slice: slice, prompts: Set(digests), keys: Set(digests.compactMap { seals[$0] }))
        }
    }

    /// Those with prompts, of slices with some.
    var kept: [ModelStage] {
        var found: [ModelStage] = []
        for stage in passed where stage.prompts.count > found.last?.prompts.count ?? 0 { found.append(stage) }
        return found
    }

    init(of prompts: [TrainingPrompt]) {
        self.prompts = Dictionary(prompts.map { ($0.id, $0.digest) }, uniquingKeysWith: { first, _ in first })
    }

    func reports(adapter: String) -> [StageReport] {
        let isLastEmpty = kept.last?.prompts.count ?? 0 == prompts.count
        let last = StageReport(slice: ModelStage.slices, name: adapter, digest: adapter, bytes: 1)
        return kept.map(\.report) + (isLastEmpty ? [] : [last])
    }

    /// Names of those that are not there, last slice first.
    var lacking: [String] { kept.filter { !stages.contains($0) }.map(\.name).reversed() }

    mutating func keepStages() { stages = kept }

    /// Takes one over from another worker.
    ///
    /// - Returns: whether it is of these prompts.
    mutating func take(_ handed: HandedStage) -> Bool {
        guard let stage = kept.first(where: { $0.name == handed.name }), handed.bytes == Array(handed.name.utf8) else {
            return false
        }
        if !stages.contains(stage) { stages = kept.filter { stages.contains($0) || $0 == stage } }
        return true
    }

    /// Those that the training on these prompts does not pass, and those that other keys would have to open.
    mutating func dropStages() {
        let passed = passed
        stages.removeAll { !passed.contains($0) }
    }
}

/// Stages that other workers have, or want.
extension ModelWorker {
    mutating func take(_ handed: HandedStage, of shard: Int) -> [Effect] {
        guard disk[shard]?.take(handed) == true, let copy = shardCopy(shard) else { return [] }
        stagesTaken += 1
        return [.send(.holds(copy))] + endFetch(shard)
    }

    mutating func endFetch(_ shard: Int) -> [Effect] {
        assignments[shard]?.isFetching == true ? start(shard) : []
    }

    mutating func hand(_ asked: CoordinatorMessage.HandTask) -> [Effect] {
        guard let before = disk[asked.shard] else {
            return [.send(.failed(task: asked.task, code: .notHeld, message: ""))]
        }
        bring(
            asked.shard,
            to: .init(
                task: asked.task, shard: asked.shard, specification: asked.specification, manifest: asked.manifest,
                keys: asked.keys, adapter: nil))
        var effects: [Effect] = []
        if let copy = disk[asked.shard], copy.manifest != before.manifest || copy.stages != before.stages {
            effects += [shardCopy(asked.shard)].compactMap { $0 }.map { .send(.holds($0)) }
        }
        guard let name = asked.stage else { return effects }
        guard disk[asked.shard]?.stages.contains(where: { $0.name == name }) == true else {
            return effects + [.send(.failed(task: asked.task, code: .notHeld, message: ""))]
        }
        return effects + [
            .send(
                .handed(task: asked.task, HandedStage(name: name, digest: "digest of \(name)", bytes: Array(name.utf8)))
            )
        ]
    }
}
