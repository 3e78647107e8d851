/// The stable name of an error: clients match on it, messages and JSON carry its text. A code that this release does not know
/// is kept as it came.
public struct ErrorCode: RawRepresentable, Codable, Hashable, Sendable, CustomStringConvertible {
    public let rawValue: String

    public init(rawValue: String) {
        self.rawValue = rawValue
    }

    public var description: String { rawValue }
}

extension ErrorCode {
    // MARK: What a client asked for cannot be

    public static let busy = ErrorCode(rawValue: "busy")
    public static let dataChanged = ErrorCode(rawValue: "data-changed")
    public static let invalidRequest = ErrorCode(rawValue: "invalid-request")
    public static let methodNotAvailable = ErrorCode(rawValue: "method-not-available")
    public static let noCleanAdapter = ErrorCode(rawValue: "no-clean-adapter")
    /// The key may connect, but not do this.
    public static let notAllowed = ErrorCode(rawValue: "not-allowed")
    /// The key may not even connect.
    public static let keyRefused = ErrorCode(rawValue: "key-refused")
    public static let noCopies = ErrorCode(rawValue: "no-copies")
    public static let noData = ErrorCode(rawValue: "no-data")
    /// The cluster trains in one slice.
    public static let noSlices = ErrorCode(rawValue: "no-slices")
    /// There is no such shard, or its training has no such slice.
    public static let noSuchStage = ErrorCode(rawValue: "no-such-stage")
    public static let notTrained = ErrorCode(rawValue: "not-trained")
    public static let oneLabel = ErrorCode(rawValue: "one-label")
    public static let promptsDiffer = ErrorCode(rawValue: "prompts-differ")
    public static let requestConflict = ErrorCode(rawValue: "request-conflict")
    /// What was accepted is carried out.
    public static let cannotBeStopped = ErrorCode(rawValue: "cannot-be-stopped")
    /// An operation was given up, by somebody or because nobody asked for it.
    public static let stopped = ErrorCode(rawValue: "stopped")
    public static let tooLarge = ErrorCode(rawValue: "too-large")
    public static let unknownAdapter = ErrorCode(rawValue: "unknown-adapter")
    public static let unknownInteraction = ErrorCode(rawValue: "unknown-interaction")
    public static let unknownItem = ErrorCode(rawValue: "unknown-item")
    public static let unknownOperation = ErrorCode(rawValue: "unknown-operation")
    /// What a stage was when it was made is not on record.
    public static let unknownStage = ErrorCode(rawValue: "unknown-stage")
    public static let unknownRequest = ErrorCode(rawValue: "unknown-request")
    public static let unknownUser = ErrorCode(rawValue: "unknown-user")
    public static let unknownWorker = ErrorCode(rawValue: "unknown-worker")
    public static let unreachable = ErrorCode(rawValue: "unreachable")
    public static let workerLive = ErrorCode(rawValue: "worker-live")

    // MARK: A worker or a coordinator is not taken

    public static let arithmetic = ErrorCode(rawValue: "arithmetic")
    public static let baseModel = ErrorCode(rawValue: "base-model")
    public static let duplicateWorker = ErrorCode(rawValue: "duplicate-worker")
    public static let foreignID = ErrorCode(rawValue: "foreign-id")
    public static let full = ErrorCode(rawValue: "full")
    public static let invalidHello = ErrorCode(rawValue: "invalid-hello")
    public static let precision = ErrorCode(rawValue: "precision")
    public static let otherProtocol = ErrorCode(rawValue: "protocol")
    public static let protocolVersion = ErrorCode(rawValue: "protocol-version")
    public static let superseded = ErrorCode(rawValue: "superseded")
    public static let wrongProtocol = ErrorCode(rawValue: "wrong-protocol")

    // MARK: A task failed

    public static let adapterMismatch = ErrorCode(rawValue: "adapter-mismatch")
    public static let badReport = ErrorCode(rawValue: "bad-report")
    public static let cancelled = ErrorCode(rawValue: "cancelled")
    public static let contentName = ErrorCode(rawValue: "content-name")
    public static let disputed = ErrorCode(rawValue: "disputed")
    public static let emptyPrompt = ErrorCode(rawValue: "empty-prompt")
    public static let invalidTask = ErrorCode(rawValue: "invalid-task")
    public static let model = ErrorCode(rawValue: "model")
    public static let noSamples = ErrorCode(rawValue: "no-samples")
    public static let notFinite = ErrorCode(rawValue: "not-finite")
    public static let notHeld = ErrorCode(rawValue: "not-held")
    public static let promptTooLong = ErrorCode(rawValue: "prompt-too-long")
    public static let promptsMissing = ErrorCode(rawValue: "prompts-missing")
    public static let silent = ErrorCode(rawValue: "silent")
    /// A stage that was handed on is not the one on record, or one at which no training can begin.
    public static let stageDiffers = ErrorCode(rawValue: "stage-differs")
    public static let wrongBase = ErrorCode(rawValue: "wrong-base")
    public static let wrongPrecision = ErrorCode(rawValue: "wrong-precision")

    // MARK: Files and the ledger

    public static let corrupt = ErrorCode(rawValue: "corrupt")
    public static let dataDirectoryReplaced = ErrorCode(rawValue: "data-directory-replaced")
    public static let diskFull = ErrorCode(rawValue: "disk-full")
    public static let storage = ErrorCode(rawValue: "storage")

    // MARK: Anything else

    public static let failed = ErrorCode(rawValue: "failed")
    public static let unexpected = ErrorCode(rawValue: "internal")

    // MARK: Inside the coordinator: what becomes of an answer to a command

    /// The data or the manifest that it rests on is another one by now.
    package static let stale = ErrorCode(rawValue: "stale")
    /// The ledger refuses what a worker sent.
    package static let invalid = ErrorCode(rawValue: "invalid")
    /// It is committed, but the ledger could not be read after it.
    package static let unread = ErrorCode(rawValue: "unread")
    /// The file of an adapter does not hold what its name says.
    package static let adapterDamaged = ErrorCode(rawValue: "adapter-damaged")
}
