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

    public init(shard: Int, manifest: String, prompts: Int, adapter: String?, prepared: String? = nil) {
        self.shard = shard
        self.manifest = manifest
        self.prompts = prompts
        self.adapter = adapter
        self.prepared = prepared
    }
}
