import Messages

/// What the coordinator wants done. The service performs actions in order; the value holds no prompt texts and no files, so
/// tasks name prompts by digest and adapters by content name, and the service fills them in from the ledger.
package enum CoordinatorAction: Sendable {
    /// A message that is complete as it is.
    case send(PeerID, CoordinatorMessage)
    /// A message that the service completes from the ledger. What cannot be completed comes back as `.undelivered`.
    case dispatch(PeerID, Dispatch)
    case reply(ClientTicket, CoordinatorReply)
    /// The client's request is worked on: there is no need to ask again.
    case working(ClientTicket)
    case ledger(LedgerCommandID, LedgerCommand)
    /// The first `limit` digests of the rows that are missing. Answered by `.missing`.
    case loadMissing(MissingValues, limit: Int)
    /// Which prompts, of those that workers compute something of or are about to, are there no more. Answered by `.goneFound`.
    case findGone([String])
    /// The split, for attention with these parameters (nil: those in force). Answered by `.splitLoaded`.
    case loadSplit(operation: String, Split, SampleAdaptiveAttention.Parameters?)
    /// The cases of a comparison. Answered by `.comparisonLoaded`.
    case loadComparison(operation: String, ComparisonOptions)
    /// The shards that a forget request touched. Answered by `.forgetShards`.
    case loadForgetShards(operation: String, request: String)
    /// The stages of all shards' trainings that are on record. Answered by `.stages`.
    case loadStages(operation: String)
    /// ω of the prompts by sample-adaptive attention. Answered by `.weights`.
    case computeWeights(operation: String, WeightsRequest)
    /// Answered by `.evaluation`.
    case buildEvaluation(operation: String, EvaluationScores)
    /// Another coordinator came after this one: answer nothing more, remember it, and end.
    case superseded(SupersededCoordinator)
    /// A line for the log: ids, never content.
    case log(LogLine)
}

/// A line for the log, and what it is about, for whoever reads the log by program.
package struct LogLine: Hashable, Sendable, CustomStringConvertible {
    package var message: String
    /// Id.
    package var worker: String?
    package var shard: Int?
    package var task: TaskID?
    package var request: String?
    /// Whether it says no more than other actions do.
    package var repeatsActions = false

    package var description: String { message }
}

/// A task for a worker with references in place of bulk data.
package enum Dispatch: Sendable, Equatable {
    /// `CoordinatorMessage.assign`, with the shard's manifest from the ledger. `.undelivered` (code `stale`) if the
    /// shard's manifest is no longer this one.
    ///
    /// The service has the ledger record the copy that the holder will have before it sends this or `correct`.
    case assign(
        task: TaskID, shard: Int, manifest: String, specification: TrainingSpecification, adapter: String?,
        to: CopyHolder)
    /// `CoordinatorMessage.assign` with the ledger's pending correction of the shard. `.undelivered` (code `stale`) if there
    /// is none towards this manifest.
    case correct(task: TaskID, shard: Int, manifest: String, specification: TrainingSpecification, to: CopyHolder)
    /// `CoordinatorMessage.prepare` with the adapter's bytes.
    case prepare(task: TaskID, shard: Int, manifest: String, adapter: String)
    /// `CoordinatorMessage.prompts`. Only digests of the shard's manifest may be answered.
    case prompts(task: TaskID, shard: Int, manifest: String, digests: [String])
    case replay(task: TaskID, specification: TrainingSpecification, ReplayData)
    /// `CoordinatorMessage.replayStage`, with the prompts of the shard under this manifest.
    case replayStage(
        task: TaskID, specification: TrainingSpecification, shard: Int, manifest: String, slice: Int,
        before: HandedStage?)
    /// `CoordinatorMessage.hand`, with the shard's manifest and keys. `.undelivered` (code `stale`) if the manifest is no longer
    /// this one. A part of it is what the worker will have: that is on record before it is sent.
    case hand(
        task: TaskID, shard: Int, manifest: String, specification: TrainingSpecification, stage: String?,
        from: CopyHolder)
    /// `CoordinatorMessage.stage`. `.undelivered` if the shard's manifest is no longer this one, or (code `stage-differs`) if the
    /// ledger has another digest of the stage on record.
    case stage(task: TaskID, shard: Int, manifest: String, HandedStage)
    /// `CoordinatorMessage.noStage`: behind the stages that were sent before.
    case noStage(task: TaskID, shard: Int)
    case embed(task: TaskID, source: EmbeddingSource, scope: AttentionScope, digests: [String])
    /// `CoordinatorMessage.adapters`, with as many of them as fit.
    case adapters(task: TaskID, [AdapterReference])
    /// No adapters: the base model. `weights`: `[prompts, adapters]`, empty for 1/K.
    case score(
        task: TaskID, rule: AggregationRule, adapters: [AdapterReference], weights: [Float], digests: [String])
    /// A case of a comparison; `.undelivered` (code `stale`) if the data is not that of `basis` any more.
    case compare(task: TaskID, ComparisonOptions, position: Int, basis: String)

    package var task: TaskID {
        switch self {
        case .assign(let task, _, _, _, _, _), .correct(let task, _, _, _, _), .prepare(let task, _, _, _),
            .prompts(let task, _, _, _), .replay(let task, _, _),
            .replayStage(let task, _, _, _, _, _), .hand(let task, _, _, _, _, _), .stage(let task, _, _, _),
            .noStage(let task, _), .adapters(let task, _), .embed(let task, _, _, _), .score(let task, _, _, _, _),
            .compare(let task, _, _, _):
            task
        }
    }
}

/// Whose disk a copy is handed to.
package struct CopyHolder: Hashable, Sendable {
    package var worker: String
    /// For people.
    package var name: String

    package init(worker: String, name: String) {
        self.worker = worker
        self.name = name
    }
}

/// What a replay trains on.
package enum ReplayData: Hashable, Sendable {
    /// The shard's prompts under this manifest.
    case shard(Int, manifest: String)
    /// All prompts of the training split, in the order of their ids.
    case everything
}

package enum AdapterReference: Hashable, Sendable {
    /// Published: the ledger has the bytes.
    case published(name: String)
    /// Made for one evaluation: the value carries the bytes.
    case bytes(name: String, [UInt8])

    package var name: String {
        switch self {
        case .published(let name), .bytes(let name, _): name
        }
    }
}

/// Prompts whose weights over the adapters are wanted.
package struct WeightsRequest: Hashable, Sendable {
    package var scope: AttentionScope
    /// Of the operation: what is computed for an earlier one may come after it began anew.
    package var generation: Int
    package var digests: [String]
    /// `[prompts, hidden]`, row by row: in the scope `prompt` of those that `LoadedSplit.missingEmbeddings` names, in the scope
    /// `history` of all.
    package var embeddings: [Float]
    /// Content names.
    package var adapters: [String]
    /// nil: those in force.
    package var parameters: SampleAdaptiveAttention.Parameters?

    package init(
        scope: AttentionScope, generation: Int = 0, digests: [String], embeddings: [Float], adapters: [String],
        parameters: SampleAdaptiveAttention.Parameters? = nil
    ) {
        (self.scope, self.generation) = (scope, generation)
        (self.digests, self.embeddings) = (digests, embeddings)
        (self.adapters, self.parameters) = (adapters, parameters)
    }
}

/// A write that the ledger must commit before its outcome is handed in.
package enum LedgerCommand: Sendable, Equatable {
    /// Answered by `.forgotten`.
    case forget(request: String, ClientRequest.ForgetRequest)
    /// Remembers that training was asked for, so that it goes on after a restart.
    case requestTraining(request: String)
    case saveEmbeddings(digests: [String], values: [Float])
    /// Assigns prompts to shards; every training prompt has its embedding where the partition needs one.
    case partition
    /// The ledger refuses (`stale`) a manifest that is not the shard's current one, in the same transaction.
    case publish(shard: Int, report: TrainingReport, adapter: [UInt8], worker: String)
    /// The quarantined adapter cannot be corrected: the shard is retrained.
    case abandonCorrection(shard: Int, manifest: String, reason: CorrectionFallback)
    /// A part of the adapter's row of the error table: margins of validation prompts.
    case saveMargins(adapter: String, digests: [String], margins: [Float])
    /// Chooses τ and n on validation. Asked for when every adapter's row is complete; where fewer than two adapters or no
    /// validation prompts are there, the service stores the defaults.
    case tuneAttention
    /// Housekeeping after adapters went or an item left the catalogue.
    case purge
    /// Takes the adapter away if its file is damaged or gone; its shard is then given out again.
    case dropDamaged(adapter: String)
    /// Takes the stage of this content name away that answers for the shard, if it still does.
    case withdrawStage(shard: Int, adapter: String)
    /// Closes a forget request: every affected shard has a clean adapter, workers at hand hold nothing else. Answered by
    /// `.finished`.
    case finishForget(request: String, checks: [DoubleCheck] = [])
    /// What became known of a worker's copies.
    case settleCopies(CopySettlement)
    /// An operator declared an away worker's disk destroyed.
    case forgetCopy(SettledWord, CopySettlement)
    /// A second training gave other bytes than the published adapter has.
    case quarantine(AdapterDispute)
    /// What the cluster's list of workers is to say of these; `gone` leave it.
    case noteWorkers([WorkerRecord], gone: [String])
    /// An operator's word about a worker.
    case setDuty(SettledWord, WorkerRecord)
}

/// A reply to a client.
package enum CoordinatorReply: Sendable {
    /// The operation was accepted or is known; `result` once it is done.
    case operation(OperationReport, result: OperationResult?)
    case forgetAccepted(OperationReport.State, ForgetOutcome)
    case status(StatusReport)
    /// A comparison's cases, and a report that its client lacks.
    case comparedCases(OperationReport, ComparedCases)
    /// The ledger has it that an operator declared a disk destroyed.
    case forgottenCopy(CopySettlement)
    /// The ledger has an operator's word about a worker.
    case ordered(WorkerOrderReply)
    /// No operation has this id; the ledger may know it as a forget request.
    case unknownOperation(String)
    case failure(ClientError)
}

/// What a long request gave.
package enum OperationResult: Sendable {
    /// The ledger's record has the certificate.
    case forget
    /// The service's report, a JSON object.
    case evaluation([UInt8])
    case verification(VerificationReport)
    case comparison(FoundCases)
}

/// Margins of one split under several models, each in the order of `digests`.
package struct EvaluationScores: Sendable, Equatable {
    package struct Series: Sendable, Equatable {
        package enum Model: Hashable, Sendable {
            case base
            case adapter(shard: Int, name: String)
            /// All adapters in one forward pass, with attention or equal weights.
            case aggregate(rule: AggregationRule, attention: AttentionScope?)
            /// One adapter trained on all training prompts.
            case single(name: String)
        }

        package var model: Model
        package var margins: [Float]
        /// Prompt tokens scored and the workers' seconds for them.
        package var tokens: Int
        package var seconds: Double
    }

    package var split: Split
    package var digests: [String]
    package var series: [Series]
    /// What was measured: while forget requests come these may not be all that answer by now.
    package var adapters: [ActiveAdapter] = []
    /// τ and n that the client asked for; nil: those in force.
    package var parameters: SampleAdaptiveAttention.Parameters?
    /// Training of the single adapter, if compared.
    package var single: TrainingReport?
    /// Its bytes, for a caller that wants to keep it.
    package var singleAdapter: [UInt8]?
}
