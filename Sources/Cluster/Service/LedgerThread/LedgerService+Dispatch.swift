import Coordination
import Foundation
import LanguageModels
import Messages
import Recommendation
import Unlearning

extension LedgerService {
    /// Fills a task in with prompts and adapters.
    ///
    /// - Throws: `ClientError` with code `stale` when what the task names is no longer there.
    func message(for dispatch: Dispatch) throws -> CoordinatorMessage {
        switch dispatch {
        case .assign(let task, let shard, let manifest, let specification, let adapter, let holder):
            let current = try ledger.manifest(shard: shard)
            try expect(current.digest == manifest, "shard \(shard) has another manifest now")
            try record(holder, shard: shard, manifest: manifest)
            return .assign(
                .init(
                    task: task, shard: shard, specification: specification, manifest: current,
                    keys: try ledger.shardKeys(shard: shard), adapter: adapter,
                    isAwaited: try ledger.isAwaited(shard: shard)))
        case .correct(let task, let shard, let manifest, let specification, let holder):
            let current = try ledger.manifest(shard: shard)
            try expect(current.digest == manifest, "shard \(shard) has another manifest now")
            try record(holder, shard: shard, manifest: manifest)
            return .assign(
                .init(
                    task: task, shard: shard, specification: specification, manifest: current,
                    keys: try ledger.shardKeys(shard: shard), adapter: nil,
                    correction: try ledger.correction(shard: shard, manifest: manifest)))
        case .prepare(let task, let shard, let manifest, let adapter):
            let configuration = ledger.configuration
            let current = try ledger.manifest(shard: shard)
            try expect(current.digest == manifest, "shard \(shard) has another manifest now")
            var keys = try ledger.shardKeys(shard: shard)
            keys.owners = []
            return .prepare(
                .init(
                    task: task, shard: shard, manifest: manifest, keys: keys,
                    adapter: try ledger.adapterBytes(name: adapter),
                    trial: InfluenceTrial(
                        specification: configuration.training, configuration: configuration.corrections.ifru)))
        case .prompts(let task, let shard, let manifest, let digests):
            try expect(try ledger.manifest(shard: shard).digest == manifest, "shard \(shard) has another manifest now")
            return .prompts(task: task, prompts: try prompts(shard: shard, digests))
        case .replay(let task, let specification, let data):
            return .replay(task: task, specification: specification, prompts: try prompts(of: data))
        case .replayStage(let task, let specification, let shard, let manifest, let slice, let before):
            return .replayStage(
                .init(
                    task: task, specification: specification, slice: slice,
                    prompts: try prompts(of: .shard(shard, manifest: manifest)), before: before))
        case .hand(let task, let shard, let manifest, let specification, let stage, let holder):
            let current = try ledger.manifest(shard: shard)
            try expect(current.digest == manifest, "shard \(shard) has another manifest now")
            try record(holder, shard: shard, manifest: manifest)
            return .hand(
                .init(
                    task: task, shard: shard, specification: specification, manifest: current,
                    keys: try ledger.shardKeys(shard: shard), stage: stage))
        case .stage(_, let shard, let manifest, let stage):
            try expect(try ledger.manifest(shard: shard).digest == manifest, "shard \(shard) has another manifest now")
            let recorded = try ledger.stageDigest(shard: shard, name: stage.name)
            guard recorded ?? stage.digest == stage.digest else {
                throw ClientError(
                    code: .stageDiffers, message: "a worker's stage of shard \(shard) is another one than on record")
            }
            return .stage(shard: shard, stage)
        case .noStage(_, let shard): return .noStage(shard: shard)
        case .embed(let task, let source, let scope, let digests):
            let prompts = try prompts(digests)
            return .embed(
                task: task, source: source, prompts: scope == .history ? prompts.map(\.historyAlone) : prompts)
        case .compare: throw ClientError.isMadeElsewhere
        case .score(let task, let rule, let adapters, let weights, let digests):
            // A worker may have them in memory; that a file is damaged or gone is found out all the same.
            for case .published(let name) in adapters { _ = try ledger.adapterBytes(name: name) }
            return .score(
                .init(
                    task: task, rule: rule, adapters: adapters.map(\.name), weights: weights,
                    prompts: try prompts(digests)))
        case .adapters(let task, let adapters): return .adapters(task: task, try bytes(of: adapters))
        }
    }

    /// As many of them as fit in one answer, at least one; the worker asks for the rest.
    private func bytes(of adapters: [AdapterReference]) throws -> [[UInt8]] {
        var (found, bytes): ([[UInt8]], Int) = ([], 0)
        for adapter in adapters {
            let next =
                switch adapter {
                case .published(let name): try ledger.adapterBytes(name: name)
                case .bytes(_, let bytes): bytes
                }
            bytes += next.count
            guard found.isEmpty || bytes <= WireLimits.promptBytes else { break }
            found.append(next)
        }
        return found
    }

    private func prompts(of data: ReplayData) throws -> [TrainingPrompt] {
        switch data {
        case .shard(let shard, let manifest):
            try expect(try ledger.manifest(shard: shard).digest == manifest, "shard \(shard) has another manifest now")
            return try ledger.samples(shard: shard)
        case .everything: throw ClientError.isMadeElsewhere
        }
    }

    /// As many of them as fit in one answer, at least one; the worker asks for the rest.
    private func prompts(shard: Int, _ digests: [String]) throws -> [TrainingPrompt] {
        var (found, bytes): ([TrainingPrompt], Int) = ([], 0)
        for start in stride(from: 0, to: digests.count, by: Self.promptsAtOnce) {
            let wanted = Array(digests[start..<min(start + Self.promptsAtOnce, digests.count)])
            let prompts = try ledger.trainingPrompts(shard: shard, digests: wanted)
            try expect(prompts.count == wanted.count, "some prompts are not of shard \(shard)")
            for prompt in prompts {
                // As JSON: quotes and control characters take up to six bytes.
                bytes += 6 * (prompt.id.utf8.count + prompt.instruction.utf8.count + prompt.input.utf8.count) + 64
                guard found.isEmpty || bytes <= WireLimits.promptBytes else { return found }
                found.append(prompt)
            }
        }
        return found
    }

    /// Prompts that are read together.
    private static let promptsAtOnce = 4096

    private func prompts(_ digests: [String]) throws -> [TrainingPrompt] {
        let prompts = try ledger.samples(digests: digests)
        try expect(prompts.count == digests.count, "some of the prompts are gone")
        return prompts
    }

    /// Before the worker gets anything: a copy that nobody knows of could not be asked about when it is to be forgotten.
    private func record(_ holder: CopyHolder, shard: Int, manifest: String) throws {
        let copy = HandedCopy(worker: holder.worker, name: holder.name, shard: shard, manifest: manifest)
        try ledger.recordCopy(copy, at: Date())
    }

    private func expect(_ condition: Bool, _ message: String) throws {
        guard condition else { throw ClientError(code: .stale, message: message) }
    }

    func missing(_ rows: MissingValues, limit: Int) throws -> [String] {
        switch rows {
        case .embeddings: try ledger.samplesWithoutEmbedding(limit: limit).map(\.digest)
        case .margins(let adapter): try ledger.referencePrompts(adapter: adapter, limit: limit).map(\.digest)
        }
    }
}

extension ClientError {
    /// Never told: what is made of everybody's data does not come here (`CoordinatorLoop+Building`).
    fileprivate static let isMadeElsewhere = ClientError(code: .failed, message: "this task is made elsewhere")
}
