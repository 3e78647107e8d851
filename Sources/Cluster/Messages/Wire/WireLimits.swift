/// How much a peer may send. Whatever is above is refused before memory is spent on it.
///
/// What depends on each other is computed here from one another: a cluster that may be made can be trained, asked and
/// evaluated, and whatever one side may say the other takes.
public enum WireLimits {
    /// First byte of compatibility. A coordinator takes `ProtocolVersions.accepted`; workers and clients take this one alone.
    public static let version: UInt8 = 11

    // MARK: a cluster

    /// Shards of a cluster.
    public static let shardCount = 1...4096
    /// Number of a shard.
    package static let shards = 0...(shardCount.upperBound - 1)
    /// Copies of shards that a worker may say it holds: one of each.
    public static let copies = shardCount.upperBound
    /// Prompts of one shard: its manifest goes to a worker in one message.
    public static let promptsOfAShard = prompts
    /// Bytes of an adapter's file: it comes from a worker in one message, and goes to one in one. Of several as many share a
    /// message as fit into `promptBytes`, whatever the number of shards.
    public static let adapterBytes = message - header

    /// Bytes of a stage that travels from worker to worker: in one message to the coordinator, in one on. It has at most four
    /// vectors of an adapter and a header of at most 1 MiB (`TrainingStage`): that of an adapter of more than some 127 MB stays
    /// where it is, and is trained again elsewhere.
    public static let stageBytes = adapterBytes
    /// Stages of one copy: one after each slice but the last.
    package static let stages = 0...(TrainingSpecification.sliceBounds.upperBound - 1)
    /// Stages that a hello names, of all copies together.
    package static let helloStages = 4096

    /// Tasks that a worker may say it goes on with, and a coordinator may bid it go on with.
    public static let heldTasks = 64
    /// Prompts that these may name, all together.
    public static let heldPrompts = 1024

    // MARK: a message

    /// Bytes of one payload frame; larger payloads are split.
    public static let payloadFrame = 1 << 20
    /// Bytes of the largest single frame, for `SocketOptions.maximumFrameSize`.
    public static let frame = max(payloadFrame, header)
    /// Bytes of one message to the coordinator or to a client, all frames together.
    public static let message = 512 << 20
    /// Bytes of one message to a worker, which knows its coordinator by its key.
    public static let workerMessage = 4 << 30
    /// Payloads of one message: small adapters of all shards.
    public static let payloads = shardCount.upperBound + 2
    /// Frames of one message: the empty one, version, kind, id and header; payloads full and begun.
    public static let frames = 5 + workerMessage / payloadFrame + payloads
    /// Bytes of the JSON header: room for a hello with `copies` copies, `helloStages` names and `heldPrompts` digests, and for
    /// the lengths of all payloads.
    public static let header =
        (64 << 10) + copies * copyBytes + (heldPrompts + helloStages) * digestBytes + payloads * lengthBytes
    /// Bytes of a copy in a hello: three digests, two numbers and the names of the fields.
    package static let copyBytes = 384
    /// Bytes of a digest in a list.
    static let digestBytes = 67
    /// Bytes of a payload's length in the header, with its comma.
    static let lengthBytes = 11
    /// Bytes of a client's request: JSON takes several times its size in memory once it is read.
    public static let request = 64 << 20
    /// Bytes of a comparison's case or report.
    public static let comparison = 64 << 20
    /// Bytes of the prompts that answer a worker's `need`, if it is more than one prompt, and of the adapters that answer
    /// `lacks`, if it is more than one: the worker asks for the rest.
    public static let promptBytes = 128 << 20
    /// Values of the JSON of a client's request: half a million ratings, or the names of two million people. Reading takes
    /// some fifty bytes for each.
    public static let requestValues = 2 << 20
    /// Nesting of any JSON that a peer sends.
    public static let depth = 32
    /// Bytes of the kind and of the id.
    public static let name = 128
    /// Characters of a text from outside that are kept: names of workers, messages of errors.
    public static let text = 400
    /// Characters of the message of an error, in a reply.
    package static let errorText = 16_384
    /// Bytes of the names that such a message lists: two such lists and what is said of them fit.
    package static let listedBytes = errorText / 2 - 256
    /// Prompts or manifest entries of one message.
    public static let prompts = 1 << 20
    /// Bytes of an entry of a manifest: two digests, and the names of the fields.
    package static let entryBytes = 192
    /// Bytes of the keys that go with a manifest: of the shard with both counts, of each person, of each entry's owner.
    package static let shardKeyBytes = 8 + ShardKeys.keyBytes
    package static let personKeyBytes = 8 + ShardKeys.keyBytes
    package static let ownerBytes = 4

    // MARK: what waits

    /// Messages that wait for one slow peer: a release of every shard, and as much again for tasks, heartbeats and replies.
    public static let queuedMessages = 2 * shardCount.upperBound
}
