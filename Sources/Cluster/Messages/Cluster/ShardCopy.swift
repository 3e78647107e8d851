/// What a worker has on its disk of one shard.
public struct ShardCopy: Codable, Hashable, Sendable {
    public var shard: Int
    /// `ShardManifest.digest` of the prompts it holds.
    public var manifest: String
    public var prompts: Int
    /// Content name of the adapter it holds, trained from exactly these prompts.
    public var adapter: String?
    /// Content name of the adapter whose IFRU preparation it holds, made from exactly these prompts.
    public var prepared: String?
    /// Names of the stages that lie beside the prompts, sorted; nil: none, or it is of a release that does not say, or there are
    /// too many for a hello.
    public var stages: [String]?
    /// Whether a checkpoint of a training that did not come to its end lies there; nil: none does, or it is of a release that does
    /// not say.
    public var hasCheckpoint: Bool?
    /// Said right before `trained`: content name of the adapter in which the training ended of which this is what the disk kept,
    /// whether or not it had room for the adapter. nil at other times, and from releases that do not say it.
    public var trained: String?

    public init(
        shard: Int, manifest: String, prompts: Int, adapter: String?, prepared: String? = nil, stages: [String]? = nil,
        hasCheckpoint: Bool? = nil, trained: String? = nil
    ) {
        self.trained = trained
        self.hasCheckpoint = hasCheckpoint
        self.stages = stages
        self.shard = shard
        self.manifest = manifest
        self.prompts = prompts
        self.adapter = adapter
        self.prepared = prepared
    }
}

extension [ShardCopy] {
    /// As a hello has room for them: the copies that come first with their stages, the others without.
    package var fittingHello: [ShardCopy] {
        var room = WireLimits.helloStages
        return map { copy in
            var copy = copy
            let count = copy.stages?.count ?? 0
            if count > room { copy.stages = nil } else { room -= count }
            return copy
        }
    }
}
