import Foundation
import LanguageModels
import Recommendation
import Unlearning

/// What an import did. Importing the same file again leaves everything as it is: all rows are `alreadyThere`.
public struct ImportOutcome: Codable, Hashable, Sendable {
    public var rowsNew: Int
    public var rowsAlreadyThere: Int
    /// Interactions that have another rating now.
    public var rowsCorrected: Int
    /// Rows of forgotten users and forgotten interactions: they stay out.
    public var rowsRefused: Int
    /// Catalogue entries that are new or have another title now.
    public var itemsChanged: Int
    public var promptsAdded: Int
    public var promptsRebuilt: Int
    public var promptsRemoved: Int
    /// Shards whose manifest is another one now, in order.
    public var shardsChanged: [Int]
    /// Prompts of the users concerned whose titles were too long together and are shortened.
    public var promptsShortened: Int?
    /// The first ids of these, sorted.
    public var shortened: [String]?
    /// Items that were drawn for likes which had none; nil: the import was to draw none.
    public var negativesDrawn: Int?
    /// People who were new and went to the last slice; nil: all were dealt by the hash.
    public var dealtToLast: Int?
    /// Of these, those whom the import's list of likely leavers names; nil: it had none.
    public var leaversDealt: Int?

    /// Ids that are named.
    package static let namedPrompts = 20

    public init(
        rowsNew: Int = 0, rowsAlreadyThere: Int = 0, rowsCorrected: Int = 0, rowsRefused: Int = 0,
        itemsChanged: Int = 0,
        promptsAdded: Int = 0, promptsRebuilt: Int = 0, promptsRemoved: Int = 0, shardsChanged: [Int] = []
    ) {
        self.rowsNew = rowsNew
        self.rowsCorrected = rowsCorrected
        self.rowsAlreadyThere = rowsAlreadyThere
        self.rowsRefused = rowsRefused
        self.itemsChanged = itemsChanged
        self.promptsAdded = promptsAdded
        self.promptsRebuilt = promptsRebuilt
        self.promptsRemoved = promptsRemoved
        self.shardsChanged = shardsChanged
    }
}

extension ImportOutcome {
    /// For what is kept: ids of prompts come from somebody's interactions.
    package var withoutNames: ImportOutcome {
        var outcome = self
        outcome.shortened = nil
        return outcome
    }

    /// Replies that were stored before corrections were counted had none.
    public init(from decoder: any Swift.Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        rowsNew = try container.decode(Int.self, forKey: .rowsNew)
        rowsAlreadyThere = try container.decode(Int.self, forKey: .rowsAlreadyThere)
        rowsCorrected = try container.decodeIfPresent(Int.self, forKey: .rowsCorrected) ?? 0
        rowsRefused = try container.decode(Int.self, forKey: .rowsRefused)
        itemsChanged = try container.decode(Int.self, forKey: .itemsChanged)
        promptsAdded = try container.decode(Int.self, forKey: .promptsAdded)
        promptsRebuilt = try container.decode(Int.self, forKey: .promptsRebuilt)
        promptsRemoved = try container.decode(Int.self, forKey: .promptsRemoved)
        shardsChanged = try container.decode([Int].self, forKey: .shardsChanged)
        promptsShortened = try container.decodeIfPresent(Int.self, forKey: .promptsShortened)
        shortened = try container.decodeIfPresent([String].self, forKey: .shortened)
        negativesDrawn = try container.decodeIfPresent(Int.self, forKey: .negativesDrawn)
        dealtToLast = try container.decodeIfPresent(Int.self, forKey: .dealtToLast)
        leaversDealt = try container.decodeIfPresent(Int.self, forKey: .leaversDealt)
    }
}

/// A change of the prompt configuration that somebody asked for.
public struct PromptsChange: Codable, Hashable, Sendable {
    /// Milliseconds since 1970.
    public var time: Int64
    public var changes: [PromptField.Change]

    package init(time: Int64, changes: [PromptField.Change]) {
        self.time = time
        self.changes = changes
    }
}

/// A prompt with its place in the ledger.
public struct StoredPrompt: Hashable, Sendable {
    public var prompt: Prompt
    /// `TrainingPrompt.digest`.
    public var digest: String
    /// nil: not a training prompt, or not partitioned yet.
    public var shard: Int?
    /// Whether adapters are compared on it: a validation prompt of the sample.
    public var isReference: Bool

    /// - `isReference`: nil: as every validation prompt is where there are few.
    public init(prompt: Prompt, digest: String, shard: Int?, isReference: Bool? = nil) {
        self.isReference = isReference ?? (prompt.split == .validation)
        self.prompt = prompt
        self.digest = digest
        self.shard = shard
    }

    public var sample: TrainingPrompt { TrainingPrompt(prompt) }
}

extension StoredPrompt: PromptVersion {
    public var id: String { prompt.id }
    public var split: Split { prompt.split }
    public var history: [InteractionKey] { prompt.history }
}

/// The adapter that a shard answers with; its file is `adapters/<content name>.safetensors`.
public struct AdapterRecord: Hashable, Sendable {
    public var shard: Int
    public var report: TrainingReport
    /// Of a corrected adapter: since when it answers.
    public var created: Date
    /// The worker that trained or corrected it; nil: not on record.
    public var trainer: String?

    public init(shard: Int, report: TrainingReport, created: Date, trainer: String? = nil) {
        self.shard = shard
        self.report = report
        self.created = created
        self.trainer = trainer
    }

    /// Content name.
    public var name: String { report.adapter }
    /// Digest of the manifest it was trained from.
    public var manifest: String { report.manifest }
    public var prompts: Int { report.prompts }
}

/// What `SampleAdaptiveAttention` is made of: the validation prompts and each adapter's margins on them.
public struct AttentionTable: Hashable, Sendable {
    public struct Row: Hashable, Sendable {
        public var shard: Int
        /// Content name.
        public var adapter: String
        /// One a validation prompt.
        public var margins: [Float]

        public init(shard: Int, adapter: String, margins: [Float]) {
            self.shard = shard
            self.adapter = adapter
            self.margins = margins
        }
    }

    /// `TrainingPrompt.digest` of the validation prompts, sorted by prompt id; only prompts that have an embedding.
    public var digests: [String]
    /// Prompt ids, in the same order.
    public var ids: [String]
    public var labels: [Bool]
    /// `[prompts, dimension]`.
    public var embeddings: [Float]
    public var dimension: Int
    /// The adapters whose row is complete, by shard.
    public var rows: [Row]

    public init(
        digests: [String], ids: [String], labels: [Bool], embeddings: [Float], dimension: Int, rows: [Row]
    ) {
        self.digests = digests
        self.ids = ids
        self.labels = labels
        self.embeddings = embeddings
        self.dimension = dimension
        self.rows = rows
    }
}

/// τ and n as chosen on validation, and for what.
public struct StoredTuning: Codable, Hashable, Sendable {
    public var parameters: SampleAdaptiveAttention.Parameters
    public var rule: AggregationRule
    public var embedding: EmbeddingSource
    /// Whether adapters and validation prompts are still those it was chosen for.
    public var isCurrent: Bool

    public init(
        parameters: SampleAdaptiveAttention.Parameters, rule: AggregationRule, embedding: EmbeddingSource,
        isCurrent: Bool
    ) {
        self.parameters = parameters
        self.rule = rule
        self.embedding = embedding
        self.isCurrent = isCurrent
    }
}

/// Numbers for people: `status` shows them.
public struct LedgerStatistics: Codable, Hashable, Sendable {
    public var users: Int
    public var items: Int
    public var interactions: Int
    /// Forgotten users and interactions that are refused at import.
    public var tombstones: Int
    public var forgetRequests: Int
    public var auditEntries: Int
    /// Of the training recorded with the present adapters; nil before the first.
    public var tokensPerSecond: Double?
    /// The last change of the prompt configuration by `--change-prompts`; nil: there was none.
    public var promptsChange: PromptsChange?
    /// Prompts whose titles are too long together and are shortened, and the first of their ids, sorted.
    public var promptsShortened: Int?
    public var shortened: [String]?

    public init(
        users: Int, items: Int, interactions: Int, tombstones: Int, forgetRequests: Int, auditEntries: Int,
        tokensPerSecond: Double?, promptsChange: PromptsChange? = nil, promptsShortened: Int? = nil,
        shortened: [String]? = nil
    ) {
        self.promptsChange = promptsChange
        self.users = users
        self.items = items
        self.interactions = interactions
        self.tombstones = tombstones
        self.forgetRequests = forgetRequests
        self.auditEntries = auditEntries
        self.tokensPerSecond = tokensPerSecond
        self.promptsShortened = promptsShortened
        self.shortened = shortened
    }
}
