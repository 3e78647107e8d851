/// What a worker's disk may hold of one shard.
public struct HandedCopy: Codable, Hashable, Sendable {
    public var worker: String
    /// The worker's, for people.
    public var name: String
    public var shard: Int
    /// `ShardManifest.digest`.
    public var manifest: String

    public init(worker: String, name: String, shard: Int, manifest: String) {
        self.worker = worker
        self.name = name
        self.shard = shard
        self.manifest = manifest
    }
}

/// A copy that has not been confirmed to be free of forgotten data; its manifest is that of when it was last heard of.
public struct UnconfirmedCopy: Codable, Hashable, Sendable {
    public var worker: String
    /// The worker's, for people.
    public var name: String
    public var shard: Int
    /// `ShardManifest.digest`.
    public var manifest: String
    /// true: the keys of what was forgotten in it are destroyed, so that it is noise wherever it is. false: it was handed out
    /// in clear, by a release before. nil: not said here; the certificate says it.
    public var keyDestroyed: Bool?

    public init(worker: String, name: String, shard: Int, manifest: String, keyDestroyed: Bool? = nil) {
        self.worker = worker
        self.name = name
        self.shard = shard
        self.manifest = manifest
        self.keyDestroyed = keyDestroyed
    }

    public init(_ copy: HandedCopy, keyDestroyed: Bool) {
        self.init(
            worker: copy.worker, name: copy.name, shard: copy.shard, manifest: copy.manifest, keyDestroyed: keyDestroyed
        )
    }
}

/// What is known now of a worker's copies: everything else that was on record of them is gone.
public struct CopySettlement: Codable, Hashable, Sendable {
    public enum Reason: String, Codable, CaseIterable, Sendable {
        /// The worker said so itself.
        case reported
        /// Another worker deleted them on the same machine.
        case cleared
        /// An operator declared the disk destroyed.
        case destroyed
    }

    public struct Shard: Codable, Hashable, Sendable {
        public var shard: Int
        /// Manifests of which the disk may still hold data; empty: nothing of the shard is left.
        public var kept: [String]

        public init(shard: Int, kept: [String]) {
            self.shard = shard
            self.kept = kept
        }
    }

    public var worker: String
    public var name: String
    public var reason: Reason
    public var shards: [Shard]
    /// Whether the worker has nothing of any other shard.
    public var isEverything: Bool
    /// Whether the worker leaves the list of those that the cluster has.
    package var removesWorker = false

    private enum CodingKeys: CodingKey { case worker, name, reason, shards, isEverything }

    public init(worker: String, name: String, reason: Reason, shards: [Shard], isEverything: Bool) {
        self.worker = worker
        self.name = name
        self.reason = reason
        self.shards = shards
        self.isEverything = isEverything
    }

    /// What becomes of the copies that are on record of the worker: those that are not there any more, and those that are to be
    /// recorded, each in the order in which they came. It takes time in proportion to both.
    package func changes(of recorded: [HandedCopy]) -> (gone: [HandedCopy], returned: [HandedCopy]) {
        var kept: [Int: Set<String>] = [:]
        for shard in shards { kept[shard.shard, default: []].formUnion(shard.kept) }
        let gone = recorded.filter { copy in kept[copy.shard].map { !$0.contains(copy.manifest) } ?? isEverything }
        var known: [Int: Set<String>] = [:]
        for copy in recorded { known[copy.shard, default: []].insert(copy.manifest) }
        var returned: [HandedCopy] = []
        for shard in shards {
            for manifest in shard.kept where known[shard.shard, default: []].insert(manifest).inserted {
                returned.append(HandedCopy(worker: worker, name: name, shard: shard.shard, manifest: manifest))
            }
        }
        return (gone, returned)
    }
}
