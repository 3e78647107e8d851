import Recommendation
import Unlearning

/// A stage on its way from one worker to another.
public struct HandedStage: Hashable, Sendable {
    /// `StageNames`
    public var name: String
    /// What the bytes' SHA-256 is to be, in hexadecimal: that on record, where there is one.
    public var digest: String
    /// As `TrainingStage` writes them, at most `WireLimits.stageBytes`.
    public var bytes: [UInt8]

    public init(name: String, digest: String, bytes: [UInt8]) {
        self.name = name
        self.digest = digest
        self.bytes = bytes
    }
}

extension CoordinatorMessage {
    public struct HandTask: Hashable, Sendable {
        public var task: TaskID
        public var shard: Int
        public var specification: TrainingSpecification
        /// That the copy is brought to first: nothing that has been forgotten is handed on.
        public var manifest: ShardManifest
        /// With an owner for each entry of the manifest.
        public var keys: ShardKeys
        /// The name of the stage that is wanted; nil: the copy is brought to the manifest, and that is all.
        public var stage: String?

        public init(
            task: TaskID, shard: Int, specification: TrainingSpecification, manifest: ShardManifest, keys: ShardKeys,
            stage: String?
        ) {
            self.task = task
            self.shard = shard
            self.specification = specification
            self.manifest = manifest
            self.keys = keys
            self.stage = stage
        }
    }

    public struct StageReplay: Hashable, Sendable {
        public var task: TaskID
        public var specification: TrainingSpecification
        /// The one that is trained.
        public var slice: Int
        /// Of the whole shard: the names of stages cover the data of all slices up to them.
        public var prompts: [TrainingPrompt]
        /// What it is trained from; nil: the initial adapter.
        public var before: HandedStage?

        public init(
            task: TaskID, specification: TrainingSpecification, slice: Int, prompts: [TrainingPrompt],
            before: HandedStage?
        ) {
            self.task = task
            self.specification = specification
            self.slice = slice
            self.prompts = prompts
            self.before = before
        }
    }
}

/// Frames of the messages about stages.
enum StageFrames {
    struct StageHeader: Codable {
        var shard: Int
        var name: String
        var digest: String
    }
    struct HandedHeader: Codable {
        var task: TaskID
        var name: String
        var digest: String
    }
    struct WantsHeader: Codable {
        var shard: Int
        var manifest: String
    }
    private struct HandHeader: Codable {
        var task: TaskID
        var shard: Int
        var specification: TrainingSpecification
        var stage: String?
    }
    private struct ReplayHeader: Codable {
        var task: TaskID
        var specification: TrainingSpecification
        var slice: Int
        var name: String?
        var digest: String?
    }

    static func envelope(_ hand: CoordinatorMessage.HandTask) throws(WireError) -> Envelope {
        guard hand.keys.owners.count == hand.manifest.entries.count else {
            throw .invalidContent(kind: "hand", reason: "prompts without an owner")
        }
        return try Envelope(
            "hand",
            HandHeader(task: hand.task, shard: hand.shard, specification: hand.specification, stage: hand.stage),
            payloads: [
                try WirePayload.bytes(hand.manifest, kind: "hand"), try WirePayload.bytes(hand.keys, kind: "hand"),
            ])
    }

    static func hand(_ envelope: Envelope) throws(WireError) -> CoordinatorMessage.HandTask {
        let kind = envelope.kind
        let header = try envelope.decode(HandHeader.self, payloads: 2)
        try WireNumbers(kind: kind).check(header.shard, WireLimits.shards, "shard")
        try WireNumbers(kind: kind).check { try header.specification.check() }
        if let name = header.stage { try WirePayload.checkName(name, kind: kind) }
        let manifest = try WirePayload.manifest(envelope.payloads[0], kind: kind)
        return CoordinatorMessage.HandTask(
            task: header.task, shard: header.shard, specification: header.specification, manifest: manifest,
            keys: try WirePayload.shardKeys(envelope.payloads[1], entries: manifest.entries.count, kind: kind),
            stage: header.stage)
    }

    static func envelope(_ replay: CoordinatorMessage.StageReplay) throws(WireError) -> Envelope {
        let header = ReplayHeader(
            task: replay.task, specification: replay.specification, slice: replay.slice, name: replay.before?.name,
            digest: replay.before?.digest)
        let prompts = try WirePayload.bytes(replay.prompts, kind: "replay-stage")
        return try Envelope("replay-stage", header, payloads: [prompts] + [replay.before?.bytes].compactMap { $0 })
    }

    static func replay(_ envelope: Envelope) throws(WireError) -> CoordinatorMessage.StageReplay {
        let kind = envelope.kind
        let header = try envelope.decode(ReplayHeader.self, payloads: envelope.payloads.count)
        try envelope.expectPayloads(header.name == nil ? 1 : 2)
        try WireNumbers(kind: kind).check { try header.specification.check() }
        try WireNumbers(kind: kind).check(header.slice, 1...header.specification.slices, "slice")
        var replay = CoordinatorMessage.StageReplay(
            task: header.task, specification: header.specification, slice: header.slice,
            prompts: try WirePayload.prompts(envelope.payloads[0], kind: kind), before: nil)
        if let name = header.name {
            replay.before = try stage(name, header.digest ?? "", envelope.payloads[1], kind: kind)
        }
        return replay
    }

    static func stage(
        _ name: String, _ digest: String, _ bytes: [UInt8], kind: String
    ) throws(WireError) -> HandedStage {
        try WirePayload.checkName(name, kind: kind)
        try WirePayload.checkName(digest, kind: kind)
        guard bytes.count <= WireLimits.stageBytes else {
            throw .tooLarge(what: "\(kind): bytes", size: bytes.count, limit: WireLimits.stageBytes)
        }
        return HandedStage(name: name, digest: digest, bytes: bytes)
    }
}
