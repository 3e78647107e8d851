import Messages

/// What happens to the coordinator. The service makes these from frames, from its clock and from the ends of actions.
package enum CoordinatorEvent: Sendable {
    /// Time passed. The service sends one at least every 250 ms.
    case tick
    /// A decoded message of a worker. Before handing in a `trained` message the service recomputes the adapter's content
    /// name from the bytes; where it differs from the report it hands in `failed` (code `content-name`) instead.
    case worker(peer: PeerID, WorkerMessage)
    /// Bytes of a message that has not come to its end came from the peer.
    case alive(peer: PeerID)
    /// Frames that are no message of this protocol, from a peer that may be a worker.
    case garbage(peer: PeerID)
    /// The socket refused to route to the peer: it is gone. Or it was cut off, for a reason that people are told.
    case unreachable(peer: PeerID, because: String = "its connection is gone")
    /// A task could not be sent because the ledger no longer has its prompts, manifest or adapter, or could not be read.
    case undelivered(peer: PeerID, task: TaskID, ClientError)
    /// The file of an adapter that the ledger names did not hold what its name says.
    case adapterDamaged(String)
    /// A request the value answers itself: `train`, `forget` (not a dry run), `evaluate`, `verify`, `compare`, `status`,
    /// `operation`, `order`.
    /// The service answers the others, and repetitions of requests whose reply is stored, without asking.
    case client(ClientTicket, ClientRequest)
    /// A ledger command ended.
    case ledger(LedgerCommandID, LedgerOutcome)
    /// The ledger changed by other ways than a command of the value: a portion of an import was taken in, a damaged record was
    /// set aside, or a commit is durable whose keys could not be overwritten.
    case ledgerChanged(LedgerSnapshot)
    /// Answer to `.loadMissing`: digests, in the ledger's order.
    case missing(MissingValues, Result<[String], ClientError>)
    /// Answer to `.findGone`: those of the digests.
    case goneFound(Result<[String], ClientError>)
    /// Answer to `.loadSplit`.
    case splitLoaded(operation: String, Result<LoadedSplit, ClientError>)
    /// Answer to `.loadComparison`.
    case comparisonLoaded(operation: String, Result<LoadedComparison, ClientError>)
    /// Answer to `.computeWeights`: ω `[prompts, adapters]`, row by row, in the order asked for, with the request's generation.
    case weights(operation: String, generation: Int, AttentionScope, Result<[Float], ClientError>)
    /// Answer to `.loadForgetShards`: `ForgetOutcome.shards`.
    case forgetShards(operation: String, Result<[Int], ClientError>)
    /// Answer to `.loadStages`: those on record, by shard and slice.
    case stages(operation: String, Result<[Int: [RecordedStage]], ClientError>)
    /// Answer to `.buildEvaluation`: the report as a JSON object.
    case evaluation(operation: String, Result<[UInt8], ClientError>)
}

/// Names one ledger command of the value; the service gives it back with the outcome.
package typealias LedgerCommandID = UInt64

/// Where a reply goes: a client's connection and the id it chose for the request.
package struct ClientTicket: Hashable, Sendable {
    package var peer: PeerID
    package var request: String
    /// The name of the key that the connection was authenticated with; `local` without keys.
    package var by: String
    /// What the audit log calls the kind of request.
    package var asked: String

    package init(peer: PeerID, request: String, by: String = "local", asked: String = "") {
        self.peer = peer
        self.request = request
        self.by = by
        self.asked = asked
    }
}

/// How a ledger command ended.
package enum LedgerOutcome: Sendable {
    /// Committed; the snapshot was taken after the commit.
    case committed(LedgerSnapshot)
    /// A forget was committed; the outcome goes to the client.
    case forgotten(ForgetOutcome, LedgerSnapshot)
    /// A forget request was closed.
    case finished(LedgerSnapshot)
    /// Nothing was committed, or keys that it gave up could not be overwritten. The code `stale` says that the write belongs to data that has changed meanwhile: it is
    /// dropped (`LedgerError.staleAdapter`, `.unknownAdapter`, `.embeddingsMissing`, `.requestUnfinished`; the snapshot
    /// is then handed in by `.ledgerChanged`). `invalid` says that what a worker sent cannot be kept
    /// (`LedgerError.invalidAdapter`, `.notFinite`, `.embeddingWidth`): the work is done again. Other codes
    /// (`disk-full`) are tried again later, except for a client's request, which gets the error. `unread` says that it was
    /// committed and the snapshot could not be read: every command may be given again, and has no effect a second time.
    case failed(ClientError)
}

/// Rows that the ledger should have and has not.
package enum MissingValues: Hashable, Sendable {
    /// Embeddings of validation prompts and, where the partition needs them, of unassigned training prompts.
    case embeddings
    /// Margins of validation prompts under the adapter of this content name.
    case margins(adapter: String)
}

/// The prompts of a split at one moment.
package struct LoadedSplit: Hashable, Sendable {
    /// `TrainingPrompt.digest` of each prompt, in the ledger's order.
    package var digests: [String]
    /// Those of `digests` whose embedding the service needs for `.computeWeights`, in the same order. Workers compute them;
    /// they are not stored.
    package var missingEmbeddings: [String]
    /// False where the weights are equal whatever is asked.
    package var looksAtQuery: Bool

    package init(digests: [String], missingEmbeddings: [String], looksAtQuery: Bool) {
        self.digests = digests
        self.missingEmbeddings = missingEmbeddings
        self.looksAtQuery = looksAtQuery
    }
}
