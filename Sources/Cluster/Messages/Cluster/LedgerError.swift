import Files
import LanguageModels
import Recommendation
import Unlearning

/// What the ledger refuses, and what can happen to its files. After any of these nothing of the call was written.
public enum LedgerError: Error, Hashable, Sendable {
    /// The cluster was started before with another value of something that determines its adapters.
    case configurationChanged(field: String, recorded: String, given: String)
    /// A configuration that makes no sense by itself.
    case invalidConfiguration(reason: String)
    /// Nothing of the forget request was done: these users and interactions are not in the ledger.
    case unknownData(
        users: [String], interactions: [ClientRequest.ForgetRequest.Target], isCut: Bool = false)
    /// The request id was used before for another request.
    case requestConflict(id: String)
    case unknownRequest(id: String)
    /// The forget request still waits for these shards.
    case requestUnfinished(id: String, waitingFor: [Int])
    /// A forget request that names nothing, or an unlearning method that this cluster does not have.
    case invalidRequest(reason: String)
    case unknownImport(id: String)
    /// Batches of the import are missing.
    case importIncomplete(id: String, expected: Int, missing: [Int])
    /// The import would make all prompts anew with other settings than the recorded ones, and was not told to.
    case promptsDiffer([PromptField.Change])
    /// One import calls an item by two titles.
    case conflictingTitles(item: String)
    /// More training prompts than the cluster's shards take: all of a shard's prompts must fit in one message.
    case tooManyPrompts(count: Int, limit: Int, shards: Int)
    /// An import was to deal people to slices, in a cluster that deals no people to any.
    case undealtPeople(slices: Int, partition: PartitionMethod)
    /// An import was to draw negatives and cannot.
    case undrawable(reason: String)
    /// A row that cannot be kept (empty identifier, rating that is not finite).
    case invalidRow(reason: String)
    case unknownUser(String)
    case unknownShard(Int)
    case unknownAdapter(name: String)
    /// The file of an adapter that the ledger names holds other bytes than its name says.
    case adapterDamaged(name: String, shard: Int)
    /// The file of an adapter that the ledger names is gone.
    case adapterLost(name: String, shard: Int)
    /// The shard's adapter is not to be corrected (any more), or not from this one.
    case correctionSuperseded(shard: Int)
    /// The adapter was trained from a manifest that is no longer the shard's.
    case staleAdapter(shard: Int, trained: String, current: String)
    case invalidAdapter(reason: String)
    /// The partition needs the embeddings of this many more prompts.
    case embeddingsMissing(count: Int)
    /// There is no training prompt to partition.
    case nothingToPartition
    /// Embeddings of another width than those already stored.
    case embeddingWidth(expected: Int, found: Int)
    /// A margin or embedding that is not finite.
    case notFinite(what: String)
    /// The data directory is not the one any more that this process has open: it was removed, or another is in its place.
    case replaced(path: String)
    /// Another coordinator of the cluster was started after this data directory was last used.
    case superseded(by: Int)
    /// Another process has the data directory open.
    case inUse(path: String)
    case diskFull(path: String)
    /// The database or a file beside it is damaged, or is not a ledger.
    case corrupt(path: String, reason: String)
    /// A key file is missing or not this ledger's, and something depends on it.
    case keyUnusable(path: String, reason: String)
    /// The database ends before the audit log's signed head: it was put back from an older copy.
    case olderThanHead(path: String, reason: String)
    /// Any other failure of the file system or of SQLite.
    case storage(path: String, reason: String)
}

extension LedgerError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .configurationChanged(let field, let recorded, let given):
            "this cluster was made with \(field) \(recorded) and cannot be started with \(given); use the recorded "
                + "value, or another data directory for a new cluster"
        case .invalidConfiguration(let reason): "invalid configuration: \(reason)"
        case .unknownData(let users, let interactions, let isCut):
            "nothing was forgotten, because the data does not have: "
                + (users.map { "user \($0)" }
                + interactions.map { target in
                    "interaction \(target.user):\(target.item)" + (target.timestamp.map { ":\($0)" } ?? "")
                }).listed + (isCut ? "; what follows was not looked up" : "")
        case .requestConflict(let id): "request \(id) was used before for another request"
        case .unknownRequest(let id): "there is no forget request \(id)"
        case .requestUnfinished(let id, let shards):
            "forget request \(id) waits for the retraining of shard \(shards.listed)"
        case .invalidRequest(let reason): "invalid forget request: \(reason)"
        case .unknownImport(let id): "nothing is there of import \(id); it was finished, or dropped: send it again"
        case .importIncomplete(let id, let expected, let missing):
            "import \(id) should have \(expected) batches; missing: "
                + (missing.isEmpty ? "none, but there are more" : missing.listed)
        case .promptsDiffer(let changes):
            "nothing was imported: "
                + changes.map { "--\($0.field.rawValue) is \($0.recorded) in this cluster, not \($0.given)" }
                .joined(separator: "; ")
                + "; leave it out to keep what is recorded, or give --change-prompts to make all prompts anew"
        case .conflictingTitles(let item):
            "nothing was imported: item \(item) has two different titles in this import"
        case .tooManyPrompts(let count, let limit, let shards):
            "the import was given up (whoever was taken in before stays): \(count) training prompts in "
                + "\(shards == 1 ? "one shard" : "\(shards) shards") are more than the \(limit) that fit; make a cluster of "
                + "more shards (lethe coordinator --shards N --data NEW)"
        case .undrawable(let reason): "no negatives can be drawn: \(reason)"
        case .undealtPeople(let slices, let partition):
            "nothing was imported: this cluster has \(slices == 1 ? "one slice" : "\(slices) slices") a shard under the partition "
                + "\(partition.rawValue); people are dealt to slices where there are several (lethe coordinator --slices) and the "
                + "partition is user or user-hash: leave --new-data and --leavers out"
        case .invalidRow(let reason): "invalid row: \(reason)"
        case .unknownUser(let user): "there is no user \(user)"
        case .unknownShard(let shard): "there is no shard \(shard)"
        case .unknownAdapter(let name): "there is no adapter \(name), or it must not answer any more"
        case .adapterDamaged(let name, let shard):
            "the file of shard \(shard)'s adapter \(name) is damaged; the shard is given out again"
        case .adapterLost(let name, let shard):
            "the file of shard \(shard)'s adapter \(name) is gone; the shard is given out again"
        case .superseded(let generation):
            "superseded: another coordinator of this cluster (generation \(generation)) came after this data directory, which "
                + "may still hold what was forgotten there; if this is the right one all the same, start it once with "
                + "--take-over"
        case .replaced(let path):
            "\(path) is not the file any more that this process has open: the data directory was removed or replaced while "
                + "it was in use; nothing was changed, and nothing more is accepted before a restart"
        case .correctionSuperseded(let shard): "the adapter of shard \(shard) is not to be corrected any more"
        case .staleAdapter(let shard, let trained, let current):
            "the adapter of shard \(shard) was trained from manifest \(trained), but the shard's is \(current) now"
        case .invalidAdapter(let reason): "invalid adapter: \(reason)"
        case .embeddingsMissing(let count): "the partition needs the embeddings of \(count) more prompts"
        case .nothingToPartition: "there is no training prompt to partition"
        case .embeddingWidth(let expected, let found): "an embedding has \(found) values instead of \(expected)"
        case .notFinite(let what): "\(what) is not a finite number"
        case .inUse(let path): "\(path) is in use by another process"
        case .diskFull(let path): "the disk is full: \(path) could not be written; nothing was changed"
        case .corrupt(let path, let reason): "\(path) is damaged or no ledger: \(reason)"
        case .keyUnusable(let path, let reason): "\(path): \(reason)"
        case .olderThanHead(let path, let reason):
            "\(path) is older than the signed head of its audit log; was it put back from a backup? It does not know what was "
                + "forgotten since (\(reason)). Put the newer database back, or start once with --accept-audit-log and forget "
                + "again what was forgotten since"
        case .storage(let path, let reason): "\(path): \(reason)"
        }
    }
}

extension LedgerError {
    package init(_ failure: FileFailure) {
        self =
            failure.isFull
            ? .diskFull(path: failure.path)
            : .storage(path: failure.path, reason: "\(failure.what): \(failure.reason)")
    }

    package init(_ failure: AdapterFile.Failure, adapter name: String, shard: Int) {
        switch failure {
        case .lost: self = .adapterLost(name: name, shard: shard)
        case .damaged: self = .adapterDamaged(name: name, shard: shard)
        case .system(let failure): self.init(failure)
        }
    }

    /// The adapter whose file did not hold what its name says.
    package var damagedAdapter: String? {
        switch self {
        case .adapterDamaged(let name, _), .adapterLost(let name, _): name
        default: nil
        }
    }
}
