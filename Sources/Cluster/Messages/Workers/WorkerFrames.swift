import Files
import Unlearning

/// Frames of what workers say.
extension WorkerMessage {
    package static let kinds: Set<String> = [
        "hello", "heartbeat", "need", "lacks", "progress", "trained", "staged", "scored", "embedded", "prepared",
        "compared", "released", "holds", "failed", "cleared", "leaving", "goodbye", "wants", "handed",
        "withdrawn",
    ]

    private struct TaskHeader: Codable { var task: TaskID }
    private struct WithdrawnHeader: Codable {
        var task: TaskID
        var stage: String?
    }
    private struct ResultHeader: Codable {
        var task: TaskID
        var tokens: Int
        var seconds: Double
    }
    private struct TrainedHeader: Codable {
        var task: TaskID
        var report: TrainingReport
    }
    private struct ShardHeader: Codable { var shard: Int }
    private struct PreparedHeader: Codable {
        var task: TaskID
        var shard: Int
        var adapter: String
        var seconds: Double
    }
    private struct ClearedHeader: Codable {
        var worker: String
        var secret: String?
    }
    private struct GoodbyeHeader: Codable { var deleted: [Int] }
    private struct FailureHeader: Codable {
        var task: TaskID
        var code: ErrorCode
        var message: String
    }

    /// - Returns: frames for a DEALER socket.
    public func frames() throws(WireError) -> [[UInt8]] { try envelope().frames() }

    /// - Parameter frames: as a ROUTER socket gives them, without the routing identity.
    public init(frames: [[UInt8]]) throws(WireError) {
        try self.init(try Envelope(frames: frames))
    }

    package func envelope() throws(WireError) -> Envelope {
        switch self {
        case .hello(let hello): return try Envelope("hello", hello)
        case .heartbeat: return Envelope(kind: "heartbeat")
        case .need(let task, let digests):
            try WirePayload.checkCount(digests.count, kind: "need")
            let payload = try WireJSON.encode(digests, kind: "need")
            return try Envelope("need", TaskHeader(task: task), payloads: [payload])
        case .lacks(let task, let adapters):
            try WirePayload.checkNames(adapters, kind: "lacks")
            let payload = try WireJSON.encode(adapters, kind: "lacks")
            return try Envelope("lacks", TaskHeader(task: task), payloads: [payload])
        case .progress(let progress): return try Envelope("progress", progress)
        case .trained(let task, let report, let adapter):
            return try Envelope("trained", TrainedHeader(task: task, report: report), payloads: [adapter])
        case .staged(let task, let report, let adapter):
            return try Envelope("staged", TrainedHeader(task: task, report: report), payloads: [adapter])
        case .withdrawn(let task, let stage):
            return try Envelope("withdrawn", WithdrawnHeader(task: task, stage: stage))
        case .wants(let shard, let manifest, let stages):
            let payload = try WireJSON.encode(stages, kind: "wants")
            return try Envelope(
                "wants", StageFrames.WantsHeader(shard: shard, manifest: manifest), payloads: [payload])
        case .handed(let task, let stage):
            let header = StageFrames.HandedHeader(task: task, name: stage.name, digest: stage.digest)
            return try Envelope("handed", header, payloads: [stage.bytes])
        case .scored(let task, let tokens, let seconds, let margins):
            let header = ResultHeader(task: task, tokens: tokens, seconds: seconds)
            return try Envelope("scored", header, payloads: [LittleEndianFloats.bytes(margins)])
        case .embedded(let task, let tokens, let seconds, let values):
            let header = ResultHeader(task: task, tokens: tokens, seconds: seconds)
            return try Envelope("embedded", header, payloads: [LittleEndianFloats.bytes(values)])
        case .prepared(let task, let shard, let adapter, let seconds):
            return try Envelope(
                "prepared", PreparedHeader(task: task, shard: shard, adapter: adapter, seconds: seconds))
        case .compared(let task, let report):
            let payload = try WireJSON.encode(report, kind: "compared")
            return try Envelope("compared", TaskHeader(task: task), payloads: [payload])
        case .released(let shard): return try Envelope("released", ShardHeader(shard: shard))
        case .holds(let copy): return try Envelope("holds", copy)
        case .failed(let task, let code, let message):
            let header = FailureHeader(
                task: task, code: ErrorCode(rawValue: String(code.rawValue.prefix(64))),
                message: String(message.prefix(4096)))
            return try Envelope("failed", header)
        case .cleared(let worker, let secret):
            return try Envelope("cleared", ClearedHeader(worker: worker, secret: secret))
        case .leaving: return Envelope(kind: "leaving")
        case .goodbye(let deleted): return try Envelope("goodbye", GoodbyeHeader(deleted: deleted))
        }
    }

    package init(_ envelope: Envelope) throws(WireError) {
        let kind = envelope.kind
        switch kind {
        case "hello":
            let hello = try envelope.decode(Hello.self)
            try WirePayload.checkCopies(hello.copies.count, kind: kind)
            guard hello.known?.count ?? 0 <= GenerationMemory.told else {
                throw .tooLarge(what: "hello: known", size: hello.known?.count ?? 0, limit: GenerationMemory.told)
            }
            guard hello.work.count <= WireLimits.heldTasks else {
                throw .tooLarge(what: "hello: tasks", size: hello.work.count, limit: WireLimits.heldTasks)
            }
            let named = hello.work.reduce(0) { $0.addingSaturated($1.content?.named ?? 0) }
            guard named <= WireLimits.heldPrompts else {
                throw .tooLarge(what: "hello: prompts of tasks", size: named, limit: WireLimits.heldPrompts)
            }
            guard hello.secret.utf8.count <= WireLimits.name else {
                throw .tooLarge(what: "hello: secret", size: hello.secret.utf8.count, limit: WireLimits.name)
            }
            try WireNumbers(kind: kind).check(hello)
            self = .hello(hello)
        case "heartbeat":
            try envelope.expectPayloads(0)
            self = .heartbeat
        case "need":
            let task = try envelope.decode(TaskHeader.self, payloads: 1).task
            let digests = try WireJSON.decode([String].self, from: envelope.payloads[0], kind: kind)
            guard !digests.isEmpty else { throw .invalidContent(kind: kind, reason: "asks for nothing") }
            try WirePayload.checkCount(digests.count, kind: kind)
            self = .need(task: task, digests: digests)
        case "lacks":
            let task = try envelope.decode(TaskHeader.self, payloads: 1).task
            let adapters = try WireJSON.decode([String].self, from: envelope.payloads[0], kind: kind)
            guard !adapters.isEmpty else { throw .invalidContent(kind: kind, reason: "asks for nothing") }
            try WirePayload.checkNames(adapters, kind: kind)
            self = .lacks(task: task, adapters: adapters)
        case "progress":
            let progress = try envelope.decode(TaskProgress.self)
            try WireNumbers(kind: kind).check(progress)
            self = .progress(progress)
        case "trained":
            let header = try envelope.decode(TrainedHeader.self, payloads: 1)
            try WireNumbers(kind: kind).check(header.report)
            self = .trained(task: header.task, header.report, adapter: envelope.payloads[0])
        case "staged":
            let header = try envelope.decode(TrainedHeader.self, payloads: 1)
            try WireNumbers(kind: kind).check(header.report)
            self = .staged(task: header.task, header.report, adapter: envelope.payloads[0])
        case "withdrawn":
            let header = try envelope.decode(WithdrawnHeader.self)
            if let stage = header.stage { try WirePayload.checkName(stage, kind: kind) }
            self = .withdrawn(task: header.task, stage: header.stage)
        case "wants":
            let header = try envelope.decode(StageFrames.WantsHeader.self, payloads: 1)
            try WireNumbers(kind: kind).check(header.shard, WireLimits.shards, "shard")
            try WirePayload.checkName(header.manifest, kind: kind)
            let stages = try WireJSON.decode([String].self, from: envelope.payloads[0], kind: kind)
            guard !stages.isEmpty else { throw .invalidContent(kind: kind, reason: "asks for nothing") }
            try WireNumbers(kind: kind).checkCount(stages.count, WireLimits.stages, "stages")
            for name in stages { try WirePayload.checkName(name, kind: kind) }
            self = .wants(shard: header.shard, manifest: header.manifest, stages: stages)
        case "handed":
            let header = try envelope.decode(StageFrames.HandedHeader.self, payloads: 1)
            self = .handed(
                task: header.task,
                try StageFrames.stage(header.name, header.digest, envelope.payloads[0], kind: kind))
        case "scored":
            let header = try envelope.decode(ResultHeader.self, payloads: 1)
            try WireNumbers(kind: kind).check(tokens: header.tokens, seconds: header.seconds)
            self = .scored(
                task: header.task, tokens: header.tokens, seconds: header.seconds,
                margins: try WirePayload.floats(envelope.payloads[0], kind: kind))
        case "embedded":
            let header = try envelope.decode(ResultHeader.self, payloads: 1)
            try WireNumbers(kind: kind).check(tokens: header.tokens, seconds: header.seconds)
            self = .embedded(
                task: header.task, tokens: header.tokens, seconds: header.seconds,
                values: try WirePayload.floats(envelope.payloads[0], kind: kind))
        case "prepared":
            let header = try envelope.decode(PreparedHeader.self)
            try WireNumbers(kind: kind).check(header.shard, WireLimits.shards, "shard")
            try WireNumbers(kind: kind).check(header.seconds, WireLimits.seconds, "seconds")
            self = .prepared(
                task: header.task, shard: header.shard, adapter: header.adapter, seconds: header.seconds)
        case "compared":
            let task = try envelope.decode(TaskHeader.self, payloads: 1).task
            try WirePayload.checkComparison(envelope.payloads[0].count, kind: kind)
            self = .compared(
                task: task, try WireJSON.decode(ComparisonReport.self, from: envelope.payloads[0], kind: kind))
        case "released":
            let shard = try envelope.decode(ShardHeader.self).shard
            try WireNumbers(kind: kind).check(shard, WireLimits.shards, "shard")
            self = .released(shard: shard)
        case "holds":
            let copy = try envelope.decode(ShardCopy.self)
            try WireNumbers(kind: kind).check(copy)
            self = .holds(copy)
        case "failed":
            let header = try envelope.decode(FailureHeader.self)
            self = .failed(task: header.task, code: header.code, message: header.message)
        case "cleared":
            let header = try envelope.decode(ClearedHeader.self)
            try WirePayload.checkName(header.worker, kind: kind)
            if let secret = header.secret { try WirePayload.checkName(secret, kind: kind) }
            self = .cleared(worker: header.worker, secret: header.secret)
        case "leaving":
            try envelope.expectPayloads(0)
            self = .leaving
        case "goodbye":
            let deleted = try envelope.decode(GoodbyeHeader.self).deleted
            try WirePayload.checkCopies(deleted.count, kind: kind)
            for shard in deleted { try WireNumbers(kind: kind).check(shard, WireLimits.shards, "shard") }
            self = .goodbye(deleted: deleted)
        default: throw .unknownKind(kind)
        }
    }
}
