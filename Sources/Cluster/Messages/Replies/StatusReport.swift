/// What the coordinator's logic knows for `lethe status`; the service adds the ledger's statistics. Seconds are relative to the moment of the report.
public struct StatusReport: Codable, Equatable, Sendable {
    public struct Worker: Codable, Hashable, Sendable {
        public enum State: String, Codable, Sendable { case live, away }

        public var id: String
        /// What it was started with, or its host and a number that tells workers of one host apart.
        public var name: String
        public var state: State
        /// Since its last message.
        public var lastSeenSeconds: Double
        public var threads: Int
        /// Shards it owns.
        public var shards: [Int]
        /// Shards of which it has data on its disk.
        public var holds: [Int]
        public var copies: [Copy]
        public var tasks: [Task]
        // Of all that follows nil also means: the coordinator is of an older release.
        /// Host name and process id, as of its last greeting.
        public var process: String?
        /// Where its connection came from.
        public var address: String?
        /// Of lethe; nil: the worker is of a release that does not say.
        public var release: String?
        /// Of the protocol, if it is older than the coordinator's; nil: it is the same.
        public var protocolVersion: Int?
        /// Of a live one's process.
        public var uptimeSeconds: Double?
        /// Of one that is away, since it was lost or left.
        public var awaySeconds: Double?
        /// Why it is away, for people.
        public var awayBecause: String?
        /// What an operator wants of it.
        public var duty: WorkerDuty?
        /// It was asked to end and finishes what it does.
        public var isLeaving: Bool?
        /// Its shards are deleted when it ends.
        public var isEphemeral: Bool?
        /// Of its trainings; nil: none was measured since the coordinator started.
        public var tokensPerSecond: Double?

        package init(
            id: String, name: String, state: State, lastSeenSeconds: Double, threads: Int, shards: [Int], holds: [Int],
            copies: [Copy], tasks: [Task]
        ) {
            self.id = id
            self.name = name
            self.state = state
            self.lastSeenSeconds = lastSeenSeconds
            self.threads = threads
            self.shards = shards
            self.holds = holds
            self.copies = copies
            self.tasks = tasks
        }
    }

    /// What a worker's disk may hold of one shard.
    public struct Copy: Codable, Hashable, Sendable {
        public var shard: Int
        /// Digests; several while data is on its way, or when the worker has not said which it is.
        public var manifests: [String]
        /// Whether it is known to be exactly the shard's present data.
        public var isCurrent: Bool

        package init(shard: Int, manifests: [String], isCurrent: Bool) {
            self.shard = shard
            self.manifests = manifests
            self.isCurrent = isCurrent
        }
    }

    public struct Task: Codable, Hashable, Sendable {
        /// train, correct, prepare, keep, embed, reference, score, replay or compare.
        public var kind: String
        public var shard: Int?
        /// One line for people. It names no operation, unless the coordinator is of an older release.
        public var description: String
        /// The one that it is a part of; nil: it is of none, or the coordinator is of an older release.
        public var operation: String?
        public var step: Int?
        public var steps: Int?
        public var loss: Double?
        public var tokensPerSecond: Double?
        public var secondsRemaining: Double?
        /// Which stage or checkpoint of a training its worker could not keep and why, one line for people; the training goes on. nil:
        /// nothing is missing, or the worker or the coordinator is of an older release.
        public var unkept: String?

        package init(
            kind: String, shard: Int? = nil, description: String, step: Int? = nil, steps: Int? = nil,
            loss: Double? = nil, tokensPerSecond: Double? = nil, secondsRemaining: Double? = nil, unkept: String? = nil
        ) {
            self.unkept = unkept
            self.kind = kind
            self.shard = shard
            self.description = description
            self.step = step
            self.steps = steps
            self.loss = loss
            self.tokensPerSecond = tokensPerSecond
            self.secondsRemaining = secondsRemaining
        }
    }

    public struct Shard: Codable, Hashable, Sendable {
        public enum State: String, Codable, Sendable {
            /// Its adapter was trained from exactly its manifest.
            case current
            /// Its adapter was corrected approximately towards its manifest, not trained.
            case approximate
            /// An approximate adapter answers until the trained one is there.
            case bridged
            /// Its adapter answers nothing; it is being corrected.
            case correcting
            case training
            /// The file of its adapter was damaged or gone; a worker sends it again, or trains it.
            case damaged
            /// It had an adapter that saw data which is no longer there; no query uses it.
            case quarantined
            /// Its adapter saw nothing that was forgotten, but lags behind its data: behind an import or, where it is a stage (`stage`),
            /// until the training that a forget request waits for is done; queries use it.
            case outdated
            /// It has no prompts.
            case empty
            /// It has prompts and was never trained.
            case untrained
        }

        public var shard: Int
        public var state: State
        public var prompts: Int
        public var manifest: String
        public var adapter: String?
        /// How the adapter was made.
        public var method: String?
        /// Whether the adapter is what training on the retained data gives, bit for bit.
        public var exact: Bool?
        /// When the approximate adapter was published, seconds since 1970; nil: exact.
        public var approximateSince: Double?
        /// Approximate corrections since the last training.
        public var corrections: Int?
        /// Why it is retrained although a correction was asked for.
        public var fallback: String?
        /// What happened to the file of its adapter, one line for people; nil: nothing.
        public var damage: String?
        /// Whether a worker holds IFRU's preparation of its adapter.
        public var prepared: Bool
        /// Validation prompts whose margin under the adapter is missing.
        public var missingMargins: Int?
        /// When a forget took its adapter away, seconds since 1970.
        public var quarantinedSince: Double?
        /// The worker that owns it, if there is one.
        public var owner: String?
        /// Whether the owner's copy is the current manifest.
        public var held: Bool
        /// Prompts whose answer is "Yes."; nil: not counted.
        public var likes: Int?
        /// Forecast: what training its present prompts takes, as its last training went; nil: none is on record.
        public var trainingSeconds: Double?
        /// Its adapter is a stage, trained on the slices up to this one, and answers until the shard is trained; nil: it is none.
        public var stage: Int?
        /// How many slices it is trained in; nil: it is not.
        public var slices: Int?

        package init(
            shard: Int, state: State, prompts: Int, manifest: String, adapter: String? = nil, method: String? = nil,
            exact: Bool? = nil, approximateSince: Double? = nil, corrections: Int? = nil, fallback: String? = nil,
            damage: String? = nil, prepared: Bool, missingMargins: Int? = nil, quarantinedSince: Double? = nil,
            owner: String? = nil, held: Bool, likes: Int? = nil, trainingSeconds: Double? = nil, stage: Int? = nil,
            slices: Int? = nil
        ) {
            self.slices = slices
            self.trainingSeconds = trainingSeconds
            self.stage = stage
            self.shard = shard
            self.state = state
            self.prompts = prompts
            self.manifest = manifest
            self.adapter = adapter
            self.method = method
            self.exact = exact
            self.approximateSince = approximateSince
            self.corrections = corrections
            self.fallback = fallback
            self.damage = damage
            self.prepared = prepared
            self.missingMargins = missingMargins
            self.quarantinedSince = quarantinedSince
            self.owner = owner
            self.held = held
            self.likes = likes
        }
    }

    public struct PendingForget: Codable, Hashable, Sendable {
        public var request: String
        public var method: String
        public var bridge: String?
        public var waitingFor: [Int]
        /// Workers that have yet to drop what they held.
        public var unconfirmed: [UnconfirmedCopy]
        /// Everything that it waits for, one line each, for people: "shards 1, 2 to be retrained".
        public var waits: [String]

        package init(
            request: String, method: String, bridge: String? = nil, waitingFor: [Int], unconfirmed: [UnconfirmedCopy],
            waits: [String]
        ) {
            self.request = request
            self.method = method
            self.bridge = bridge
            self.waitingFor = waitingFor
            self.unconfirmed = unconfirmed
            self.waits = waits
        }
    }

    /// Work that fails and is tried again: only what depends on it waits.
    public struct StuckDuty: Codable, Hashable, Sendable {
        /// Of the ledger: purge, tune, partition, publish, embeddings, rows, finish, copies, declaration, correction, file,
        /// dispute, training or forget. Of workers: train, correct, prepare, keep, check, embed, reference, operation or
        /// release.
        public var kind: String
        /// One line for people, "tuning the attention". It names no request, unless the coordinator is of an older release.
        public var description: String
        public var shard: Int?
        /// The forget request or other operation that it is a part of.
        public var request: String?
        /// Code of the last error.
        public var code: String
        /// The last error, for people.
        public var reason: String
        public var attempts: Int

        package init(
            kind: String, description: String, shard: Int? = nil, request: String? = nil, code: String, reason: String,
            attempts: Int
        ) {
            self.kind = kind
            self.description = description
            self.shard = shard
            self.request = request
            self.code = code
            self.reason = reason
            self.attempts = attempts
        }
    }

    public struct PromptCounts: Codable, Hashable, Sendable {
        public var trainPrompts: Int
        public var validationPrompts: Int
        public var testPrompts: Int
        public var missingEmbeddings: Int
        public var missingMargins: Int

        package init(
            trainPrompts: Int, validationPrompts: Int, testPrompts: Int, missingEmbeddings: Int, missingMargins: Int
        ) {
            self.trainPrompts = trainPrompts
            self.validationPrompts = validationPrompts
            self.testPrompts = testPrompts
            self.missingEmbeddings = missingEmbeddings
            self.missingMargins = missingMargins
        }
    }

    public var cluster: String
    public var base: String
    public var precision: String
    public var arithmetic: String?
    /// What the coordinator is doing, one line for people.
    public var activity: String
    public var workers: [Worker]
    public var shards: [Shard]
    /// Of many, the first ones: those that run and are no forget requests, the oldest forget requests, those that ended last.
    public var operations: [OperationReport]
    /// How many operations there are in all; nil: the coordinator is of an older release.
    public var operationsTotal: Int?
    /// Of many, the oldest.
    public var pendingForgets: [PendingForget]
    /// How many forget requests are pending in all; nil: the coordinator is of an older release.
    public var pendingForgetsTotal: Int?
    /// Shards about which workers disagree, one line each, for people.
    public var disputes: [String]
    /// What fails and is tried again.
    public var stuck: [StuckDuty]
    /// Whether τ and n were chosen for the adapters that are there now.
    public var tuned: Bool
    public var data: PromptCounts
    /// Workers that there should be; nil: nobody said.
    public var expectedWorkers: Int?
    /// Prompt tokens of the trainings of shards that workers ended since the coordinator was started; nil: it is of an older
    /// release.
    public var trainedTokens: Int?

    package init(
        cluster: String, base: String, precision: String, arithmetic: String? = nil, activity: String,
        workers: [Worker], shards: [Shard], operations: [OperationReport], operationsTotal: Int? = nil,
        pendingForgets: [PendingForget], pendingForgetsTotal: Int? = nil,
        disputes: [String], stuck: [StuckDuty], tuned: Bool, data: PromptCounts
    ) {
        self.stuck = stuck
        self.cluster = cluster
        self.base = base
        self.precision = precision
        self.arithmetic = arithmetic
        self.activity = activity
        self.workers = workers
        self.shards = shards
        self.operations = operations
        self.pendingForgets = pendingForgets
        self.operationsTotal = operationsTotal
        self.pendingForgetsTotal = pendingForgetsTotal
        self.disputes = disputes
        self.tuned = tuned
        self.data = data
    }
}
