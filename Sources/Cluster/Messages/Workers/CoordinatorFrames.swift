import Files
import LanguageModels
import Recommendation
import Unlearning

/// Frames of what the coordinator says to workers.
extension CoordinatorMessage {
    private struct TaskHeader: Codable { var task: TaskID }
    private struct RefusalHeader: Codable {
        var code: ErrorCode
        var message: String
    }
    private struct AssignmentHeader: Codable {
        var task: TaskID
        var shard: Int
        var specification: TrainingSpecification
        var adapter: String?
        var correction: CorrectionHeader?
        var awaited: Bool?
    }
    private struct CorrectionHeader: Codable {
        var method: CorrectionMethod
        var provenance: AdapterProvenance
    }
    private struct PrepareHeader: Codable {
        var task: TaskID
        var shard: Int
        var manifest: String
        var trial: InfluenceTrial
    }
    private struct ReplayHeader: Codable {
        var task: TaskID
        var specification: TrainingSpecification
    }
    private struct ScoreHeader: Codable {
        var task: TaskID
        var rule: AggregationRule
        /// Content names.
        var adapters: [String]
    }
    private struct DropHeader: Codable { var adapters: [String] }
    private struct EmbedHeader: Codable {
        var task: TaskID
        var source: EmbeddingSource
    }
    private struct ShardHeader: Codable { var shard: Int }

    /// - Returns: frames for a ROUTER socket, to be sent after the routing identity.
    public func frames() throws(WireError) -> [[UInt8]] { try envelope().frames(limit: WireLimits.workerMessage) }

    /// - Parameter frames: as a DEALER socket gives them.
    public init(frames: [[UInt8]]) throws(WireError) {
        try self.init(try Envelope(frames: frames))
    }

    package func envelope() throws(WireError) -> Envelope {
        switch self {
        case .welcome(let welcome): return try Envelope("welcome", welcome)
        case .refused(let code, let message):
            return try Envelope("refused", RefusalHeader(code: code, message: String(message.prefix(4096))))
        case .heartbeat: return Envelope(kind: "heartbeat")
        case .assign(let assignment):
            let header = AssignmentHeader(
                task: assignment.task, shard: assignment.shard, specification: assignment.specification,
                adapter: assignment.adapter,
                correction: assignment.correction.map {
                    CorrectionHeader(method: $0.method, provenance: $0.provenance)
                }, awaited: assignment.isAwaited ? true : nil)
            guard assignment.keys.owners.count == assignment.manifest.entries.count else {
                throw .invalidContent(kind: "assign", reason: "prompts without an owner")
            }
            var payloads = [
                try WirePayload.bytes(assignment.manifest, kind: "assign"),
                try WirePayload.bytes(assignment.keys, kind: "assign"),
            ]
            if let correction = assignment.correction {
                payloads += [try WirePayload.bytes(correction.request, kind: "assign"), correction.original]
            }
            return try Envelope("assign", header, payloads: payloads)
        case .prepare(let task):
            guard task.keys.owners.isEmpty else {
                throw .invalidContent(kind: "prepare", reason: "owners without a manifest")
            }
            return try Envelope(
                "prepare",
                PrepareHeader(task: task.task, shard: task.shard, manifest: task.manifest, trial: task.trial),
                payloads: [task.adapter, try WirePayload.bytes(task.keys, kind: "prepare")])
        case .replay(let task, let specification, let prompts):
            return try Envelope(
                "replay", ReplayHeader(task: task, specification: specification),
                payloads: [try WirePayload.bytes(prompts, kind: "replay")])
        case .replayStage(let replay): return try StageFrames.envelope(replay)
        case .hand(let hand): return try StageFrames.envelope(hand)
        case .stage(let shard, let stage):
            let header = StageFrames.StageHeader(shard: shard, name: stage.name, digest: stage.digest)
            return try Envelope("stage", header, payloads: [stage.bytes])
        case .noStage(let shard): return try Envelope("no-stage", ShardHeader(shard: shard))
        case .prompts(let task, let prompts):
            return try Envelope(
                "prompts", TaskHeader(task: task), payloads: [try WirePayload.bytes(prompts, kind: "prompts")])
        case .score(let score):
            try WirePayload.checkNames(score.adapters, kind: "score")
            let header = ScoreHeader(task: score.task, rule: score.rule, adapters: score.adapters)
            let prompts = try WirePayload.bytes(score.prompts, kind: "score")
            return try Envelope("score", header, payloads: [prompts, LittleEndianFloats.bytes(score.weights)])
        case .embed(let task, let source, let prompts):
            return try Envelope(
                "embed", EmbedHeader(task: task, source: source),
                payloads: [try WirePayload.bytes(prompts, kind: "embed")])
        case .compare(let task, let comparison):
            try WirePayload.checkCount(comparison.promptCount, kind: "compare")
            let payload = try WireJSON.encode(comparison, kind: "compare")
            try WirePayload.checkComparison(payload.count, kind: "compare")
            return try Envelope("compare", TaskHeader(task: task), payloads: [payload])
        case .adapters(let task, let adapters):
            return try Envelope("adapters", TaskHeader(task: task), payloads: adapters)
        case .drop(let adapters):
            try WirePayload.checkNames(adapters, kind: "drop")
            return try Envelope("drop", DropHeader(adapters: adapters))
        case .taken(let task): return try Envelope("taken", TaskHeader(task: task))
        case .cancel(let task): return try Envelope("cancel", TaskHeader(task: task))
        case .release(let shard): return try Envelope("release", ShardHeader(shard: shard))
        case .leave: return Envelope(kind: "leave")
        }
    }

    package init(_ envelope: Envelope) throws(WireError) {
        let kind = envelope.kind
        let numbers = WireNumbers(kind: kind)
        switch kind {
        case "welcome":
            let welcome = try envelope.decode(Welcome.self)
            guard welcome.heartbeatSeconds > 0, welcome.heartbeatSeconds <= 3600, (1...1000).contains(welcome.liveness)
            else { throw .invalidContent(kind: kind, reason: "an impossible heartbeat") }
            guard welcome.work.count <= WireLimits.heldTasks else {
                throw .tooLarge(what: "welcome: tasks", size: welcome.work.count, limit: WireLimits.heldTasks)
            }
            self = .welcome(welcome)
        case "refused":
            let header = try envelope.decode(RefusalHeader.self)
            self = .refused(code: header.code, message: header.message)
        case "heartbeat":
            try envelope.expectPayloads(0)
            self = .heartbeat
        case "assign":
            self = .assign(try Self.assignment(envelope))
        case "prepare":
            let header = try envelope.decode(PrepareHeader.self, payloads: 2)
            try numbers.check(header.shard, WireLimits.shards, "shard")
            try numbers.check { try header.trial.specification.check() }
            try numbers.check { try header.trial.configuration.check() }
            self = .prepare(
                PrepareTask(
                    task: header.task, shard: header.shard, manifest: header.manifest,
                    keys: try WirePayload.shardKeys(envelope.payloads[1], entries: 0, kind: kind),
                    adapter: envelope.payloads[0], trial: header.trial))
        case "replay":
            let header = try envelope.decode(ReplayHeader.self, payloads: 1)
            try numbers.check { try header.specification.check() }
            self = .replay(
                task: header.task, specification: header.specification,
                prompts: try WirePayload.prompts(envelope.payloads[0], kind: kind))
        case "replay-stage": self = .replayStage(try StageFrames.replay(envelope))
        case "hand": self = .hand(try StageFrames.hand(envelope))
        case "stage":
            let header = try envelope.decode(StageFrames.StageHeader.self, payloads: 1)
            try numbers.check(header.shard, WireLimits.shards, "shard")
            self = .stage(
                shard: header.shard,
                try StageFrames.stage(header.name, header.digest, envelope.payloads[0], kind: kind))
        case "no-stage":
            let shard = try envelope.decode(ShardHeader.self).shard
            try numbers.check(shard, WireLimits.shards, "shard")
            self = .noStage(shard: shard)
        case "prompts":
            let header = try envelope.decode(TaskHeader.self, payloads: 1)
            self = .prompts(task: header.task, prompts: try WirePayload.prompts(envelope.payloads[0], kind: kind))
        case "score": self = .score(try Self.score(envelope))
        case "embed":
            let header = try envelope.decode(EmbedHeader.self, payloads: 1)
            try numbers.check(header.source.layer, WireLimits.layers, "layer")
            self = .embed(
                task: header.task, source: header.source,
                prompts: try WirePayload.prompts(envelope.payloads[0], kind: kind))
        case "compare":
            let task = try envelope.decode(TaskHeader.self, payloads: 1).task
            try WirePayload.checkComparison(envelope.payloads[0].count, kind: kind)
            let comparison = try WireJSON.decode(ComparisonCase.self, from: envelope.payloads[0], kind: kind)
            try WirePayload.checkCount(comparison.promptCount, kind: kind)
            try numbers.check { try comparison.settings.check() }
            self = .compare(task: task, comparison)
        case "adapters":
            let header = try envelope.decode(TaskHeader.self, payloads: envelope.payloads.count)
            self = .adapters(task: header.task, envelope.payloads)
        case "drop":
            let names = try envelope.decode(DropHeader.self).adapters
            try WirePayload.checkNames(names, kind: kind)
            self = .drop(adapters: names)
        case "taken": self = .taken(task: try envelope.decode(TaskHeader.self).task)
        case "cancel": self = .cancel(task: try envelope.decode(TaskHeader.self).task)
        case "release":
            let shard = try envelope.decode(ShardHeader.self).shard
            try numbers.check(shard, WireLimits.shards, "shard")
            self = .release(shard: shard)
        case "leave":
            try envelope.expectPayloads(0)
            self = .leave
        default: throw .unknownKind(kind)
        }
    }

    private static func assignment(_ envelope: Envelope) throws(WireError) -> Assignment {
        let header = try envelope.decode(AssignmentHeader.self, payloads: envelope.payloads.count)
        try envelope.expectPayloads(header.correction == nil ? 2 : 4)
        let numbers = WireNumbers(kind: envelope.kind)
        try numbers.check(header.shard, WireLimits.shards, "shard")
        try numbers.check { try header.specification.check() }
        let manifest = try WirePayload.manifest(envelope.payloads[0], kind: envelope.kind)
        var assignment = Assignment(
            task: header.task, shard: header.shard, specification: header.specification, manifest: manifest,
            keys: try WirePayload.shardKeys(
                envelope.payloads[1], entries: manifest.entries.count, kind: envelope.kind),
            adapter: header.adapter, isAwaited: header.awaited ?? false)
        if let correction = header.correction {
            guard header.adapter == nil else {
                throw .invalidContent(kind: envelope.kind, reason: "a correction where there is an adapter already")
            }
            try numbers.check(correction.method)
            try numbers.check(correction.provenance)
            assignment.correction = PendingCorrection(
                method: correction.method, original: envelope.payloads[3], provenance: correction.provenance,
                request: try WirePayload.influenceRequest(envelope.payloads[2], kind: envelope.kind))
        }
        return assignment
    }

    private static func score(_ envelope: Envelope) throws(WireError) -> ScoreTask {
        let header = try envelope.decode(ScoreHeader.self, payloads: 2)
        let adapters = header.adapters
        try WirePayload.checkNames(adapters, kind: envelope.kind)
        let prompts = try WirePayload.prompts(envelope.payloads[0], kind: envelope.kind)
        let weights = try WirePayload.floats(envelope.payloads[1], kind: envelope.kind)
        guard weights.isEmpty || weights.count == adapters.count * prompts.count else {
            throw .invalidContent(
                kind: envelope.kind,
                reason: "\(weights.count) weights for \(prompts.count) prompts and \(adapters.count) adapters")
        }
        return ScoreTask(
            task: header.task, rule: header.rule, adapters: adapters, weights: weights, prompts: prompts)
    }
}
