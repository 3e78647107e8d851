import LanguageModels
import Recommendation
import Unlearning

/// Names a unit of work that the coordinator gave out. Answers to a task that is no longer wanted are dropped.
public typealias TaskID = UInt64

/// What a worker says. Numbers of bulk data (adapters, margins, embeddings) travel in payload frames.
public enum WorkerMessage: Sendable, Equatable {
    case hello(Hello)
    case heartbeat
    /// Digests of the prompts of the task's manifest that the worker does not hold yet; never empty.
    case need(task: TaskID, digests: [String])
    /// Content names of the adapters of a scoring task that the worker has not in memory; never empty.
    case lacks(task: TaskID, adapters: [String])
    case progress(TaskProgress)
    /// Payload: the adapter's safetensors bytes.
    case trained(task: TaskID, TrainingReport, adapter: [UInt8])
    /// What the training of the task begins at or has passed, or what lies beside the data that the task brought up to date: it
    /// never saw what is trained again. Payload: the adapter's safetensors bytes.
    case staged(task: TaskID, TrainingReport, adapter: [UInt8])
    /// The training of the task came to numbers that are none, from the stage on that was said to answer: it is not to answer.
    /// `stage`: its content name; nil from releases that do not say it.
    case withdrawn(task: TaskID, stage: String? = nil)
    /// Names of the stages that a training on the shard's data passes and that the worker has not, last slice first; never empty.
    /// A training that could begin at one of them waits for the answer: `stage` for each that is found, then `noStage`.
    case wants(shard: Int, manifest: String, stages: [String])
    /// The stage that was asked for by `hand`. Payload: its bytes.
    case handed(task: TaskID, HandedStage)
    /// Payload: margins, little-endian f32, one a prompt, in the order of the prompts.
    case scored(task: TaskID, tokens: Int, seconds: Double, margins: [Float])
    /// Payload: little-endian f32 `[prompts, hidden]`.
    case embedded(task: TaskID, tokens: Int, seconds: Double, values: [Float])
    /// IFRU's preparation of the shard's adapter is on the worker's disk.
    case prepared(task: TaskID, shard: Int, adapter: String, seconds: Double)
    /// Payload: the report of one case of a comparison, as JSON.
    case compared(task: TaskID, ComparisonReport)
    /// The worker deleted what it held of the shard.
    case released(shard: Int)
    /// The worker's copy of the shard now holds exactly this manifest, and nothing else of it is on its disk.
    case holds(ShardCopy)
    case failed(task: TaskID, code: ErrorCode, message: String)
    /// The worker found what another one of this cluster left on its machine, deleted all of it and says whose it was.
    ///
    /// - `secret`: what lay beside it and shows that (`WorkerIdentity`); nil: an earlier release found it, or it was not there.
    case cleared(worker: String, secret: String? = nil)
    /// The worker was asked to end: it wants no new work, goes on with what it computes, and waits for `leave`.
    case leaving
    /// The worker leaves. It has deleted what it held of these shards; of others its disk keeps what it had.
    case goodbye(deleted: [Int])

    /// First message of a connection; repeated after every reconnection.
    public struct Hello: Codable, Hashable, Sendable {
        /// Made once per worker data directory, from the secret (`WorkerIdentity`).
        public var worker: String
        /// Shows that the id is the worker's. Only the data directory has it.
        public var secret: String
        /// Host name and process id, for people.
        public var name: String
        public var protocolVersion: Int
        public var base: String
        public var precision: TrainingSpecification.Precision
        /// SHA-256 of the adapter that a small fixed training gives on this machine: workers whose arithmetic differs
        /// would give other bytes.
        public var arithmetic: String
        public var threads: Int
        public var copies: [ShardCopy]
        /// The coordinators that the worker has seen, of this and of other clusters.
        public var known: [KnownGeneration]?
        /// What the worker computes, or has computed and nobody has confirmed, from before this connection.
        public var work: [HeldTask]
        /// Of version 10 alone: whether the release knows of slices, and of averages of steps (`ProtocolForms`).
        package var trainsSlices: Bool?
        package var averages: Bool?
        /// The means that its trainings know (`WeightAveraging`); nil: those of before any release said so.
        public var averagings: [String]?
        /// The methods that its comparisons know (`ComparisonMethod`); nil: as `comparison`.
        public var methods: [String]?
        /// How it computes and reports them (`ComparisonPlan.revision`); nil: in a way of before
        /// any release said so.
        public var comparison: Int?
        /// What people are to call it (`WorkerName`); nil: the coordinator finds a name.
        public var label: String?
        /// `Release.version`; nil: it is of a release that does not say.
        public var release: String?
        /// Since the process began.
        public var uptimeSeconds: Double?
        /// Whether its shards are deleted when it ends.
        public var isEphemeral: Bool?
        /// Whether it knows of `CoordinatorMessage.leave`; nil: it is of a release that does not.
        public var knowsLeave: Bool?
        /// Where the connection comes from. The coordinator's service fills it in, whatever a worker says of it.
        package var address: String?

        public init(
            worker: String, secret: String = "", name: String, protocolVersion: Int, base: String,
            precision: TrainingSpecification.Precision, arithmetic: String, threads: Int, copies: [ShardCopy],
            known: [KnownGeneration]? = nil, work: [HeldTask] = []
        ) {
            self.worker = worker
            self.secret = secret
            self.name = name
            self.protocolVersion = protocolVersion
            self.base = base
            self.precision = precision
            self.arithmetic = arithmetic
            self.threads = threads
            self.copies = copies
            self.known = known
            self.work = work
        }
    }

    public struct TaskProgress: Codable, Hashable, Sendable {
        public var task: TaskID
        public var step: Int
        public var steps: Int
        public var loss: Double
        public var tokensPerSecond: Double
        public var secondsRemaining: Double
        /// What of the training could not be kept on the worker's disk and why; the training goes on. nil: everything is.
        public var unkept: String?

        public init(
            task: TaskID, step: Int, steps: Int, loss: Double, tokensPerSecond: Double, secondsRemaining: Double,
            unkept: String? = nil
        ) {
            self.unkept = unkept
            self.task = task
            self.step = step
            self.steps = steps
            self.loss = loss
            self.tokensPerSecond = tokensPerSecond
            self.secondsRemaining = secondsRemaining
        }
    }
}

/// What the coordinator says to a worker.
public enum CoordinatorMessage: Sendable, Equatable {
    case welcome(Welcome)
    /// The worker must not retry: another base model, protocol version, precision or arithmetic.
    case refused(code: ErrorCode, message: String)
    case heartbeat
    /// Own the shard: bring the local copy to this manifest (say `need` for what is missing, drop what is not in it), then
    /// train, then say `trained`. A worker that already holds the adapter of exactly this manifest and specification
    /// answers `trained` at once. With a correction: correct that adapter instead of training. The same assignment with other
    /// keys changes the keys of what lies on the disk, and nothing else.
    case assign(Assignment)
    /// Make IFRU's preparation of the shard's adapter and keep it beside the shard's data; say `prepared`. Fails unless the
    /// worker's copy is exactly the manifest. Payload: the adapter's safetensors, and the keys.
    case prepare(PrepareTask)
    /// Train without touching local storage: replay for `verify`, or a comparison model. Prompts follow in the payload.
    case replay(task: TaskID, specification: TrainingSpecification, prompts: [TrainingPrompt])
    /// Train one slice from what there was before it, without touching local storage: for `verify`. The answer is `trained`,
    /// with the stage, or after the last slice the adapter, as an adapter. Prompts and stage in the payload.
    case replayStage(StageReplay)
    /// Bring the copy of the shard to this manifest, as far as that needs no prompts, say `holds` if it changed, and then `handed`
    /// with the stage of this name, or `failed` (`not-held`). Payload: manifest and keys.
    case hand(HandTask)
    /// A stage asked for by `wants`: keep it if it is of the shard's data and its bytes are as said. Payload: its bytes.
    case stage(shard: Int, HandedStage)
    /// No more stages of those asked for by `wants` come.
    case noStage(shard: Int)
    /// The prompts asked for by `need`.
    case prompts(task: TaskID, prompts: [TrainingPrompt])
    /// Margins of the prompts under the mixture; no adapters means the base model. `weights` is `[prompts, adapters]`
    /// or empty for 1/K. Payload: prompts, weights. Adapters are named; the worker asks for those that it lacks.
    case score(ScoreTask)
    case embed(task: TaskID, source: EmbeddingSource, prompts: [TrainingPrompt])
    /// Compare unlearning methods on one case, without touching local storage. Payload: the case, as JSON.
    case compare(task: TaskID, ComparisonCase)
    /// The adapters asked for by `lacks`, or as many of them as fit: the worker asks for the rest.
    case adapters(task: TaskID, [[UInt8]])
    /// Keep these adapters in memory no longer.
    case drop(adapters: [String])
    /// The result of the task has come, whether or not it was still wanted: it need not be sent again.
    case taken(task: TaskID)
    case cancel(task: TaskID)
    /// Delete everything held of the shard and say `released`.
    case release(shard: Int)
    /// Nothing is wanted of the worker any more: say `goodbye` and end.
    case leave

    public struct Welcome: Codable, Hashable, Sendable {
        public var cluster: String
        public var heartbeatSeconds: Double
        public var liveness: Int
        public var generation: Generation?
        /// Of the tasks that the hello named: those to go on with, under the same ids. The others are not waited for.
        public var work: [TaskID]
        /// What people call the worker; nil: the coordinator is of a release that has no names.
        public var name: String?

        public init(
            cluster: String, heartbeatSeconds: Double, liveness: Int, generation: Generation? = nil,
            work: [TaskID] = [], name: String? = nil
        ) {
            self.name = name
            self.cluster = cluster
            self.heartbeatSeconds = heartbeatSeconds
            self.liveness = liveness
            self.generation = generation
            self.work = work
        }
    }

    public struct Assignment: Hashable, Sendable {
        public var task: TaskID
        public var shard: Int
        public var specification: TrainingSpecification
        public var manifest: ShardManifest
        /// With an owner for each entry of the manifest.
        public var keys: ShardKeys
        /// Content name of the adapter that the coordinator already has for this manifest: then the worker only takes the
        /// data into its keeping and answers `holds`. Empty: there is none yet, and the data is to be kept all the same.
        public var adapter: String?
        /// nil: train. What was forgotten is kept in memory only, and only until the correction is made.
        public var correction: PendingCorrection?
        /// A forget request waits for the shard: a clean stage may answer until it is trained. false from coordinators that do not
        /// say it.
        public var isAwaited: Bool

        public init(
            task: TaskID, shard: Int, specification: TrainingSpecification, manifest: ShardManifest, keys: ShardKeys,
            adapter: String?, correction: PendingCorrection? = nil, isAwaited: Bool = false
        ) {
            self.task = task
            self.shard = shard
            self.specification = specification
            self.manifest = manifest
            self.keys = keys
            self.adapter = adapter
            self.correction = correction
            self.isAwaited = isAwaited
        }
    }

    public struct PrepareTask: Hashable, Sendable {
        public var task: TaskID
        public var shard: Int
        public var manifest: String
        /// Without owners.
        public var keys: ShardKeys
        public var adapter: [UInt8]
        /// What λ is chosen by.
        public var trial: InfluenceTrial

        public init(
            task: TaskID, shard: Int, manifest: String, keys: ShardKeys, adapter: [UInt8], trial: InfluenceTrial
        ) {
            self.task = task
            self.shard = shard
            self.manifest = manifest
            self.keys = keys
            self.adapter = adapter
            self.trial = trial
        }
    }

    public struct ScoreTask: Hashable, Sendable {
        public var task: TaskID
        public var rule: AggregationRule
        /// Content names of the mixture's adapters, in their order.
        public var adapters: [String]
        public var weights: [Float]
        public var prompts: [TrainingPrompt]

        public init(
            task: TaskID, rule: AggregationRule, adapters: [String], weights: [Float], prompts: [TrainingPrompt]
        ) {
            self.task = task
            self.rule = rule
            self.adapters = adapters
            self.weights = weights
            self.prompts = prompts
        }
    }
}
