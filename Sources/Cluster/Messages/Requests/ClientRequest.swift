import Foundation
import Recommendation
import Unlearning

/// What a client asks of the coordinator. Every request carries a client-chosen id; repeating one returns the stored reply.
///
/// Requests that take long (`train`, `forget`, `evaluate`, `verify`, `compare`) are accepted at once and name an operation, which
/// the client then follows with `operation`.
public enum ClientRequest: Codable, Sendable, Equatable {
    /// One batch of an import, in order; kept aside until `finishImport`.
    case importRows(ImportRows)
    case finishImport(FinishImport)
    /// Gives an import up that was not finished: what is kept aside of it is destroyed. One that is not known is none.
    case dropImport(id: String)
    case train
    case forget(ForgetRequest)
    case query(QueryRequest)
    case evaluate(EvaluateRequest)
    /// Replays the training of every shard, or of those that a forget request touched.
    case verify(VerifyRequest)
    /// Compares unlearning methods on the cluster's data and configuration.
    case compare(ComparisonOptions)
    case status
    /// The coordinator's options, those in force and those on record.
    case configuration
    case operation(id: String)
    /// Which cases a comparison consists of, and a report that the client lacks. As `operation`, for who keeps cases.
    case comparedCases(ComparedCasesRequest)
    /// Gives an evaluation, a verification or a comparison up that is under way. One that has ended is none.
    case stop(operation: String)
    case adapters
    /// Which training prompts are in which shard, and the validation prompts' margins under each adapter.
    case lineage
    /// Reply payload: the adapter's safetensors bytes.
    case exportAdapter(name: String)
    /// Everything that the cluster has of one person.
    case access(user: String)
    /// Entries of the audit log.
    case audit(AuditRequest)
    /// Forget requests, in the order in which they came.
    case requests(RequestsRequest)
    /// Of a gateway that computes answers itself.
    case serving(ServingRequest)
    /// Declares the disk of a worker that is away destroyed.
    case forgetCopy(ForgetCopyRequest)
    /// Drains, pauses, resumes or removes a worker.
    case order(WorkerOrder)

    public struct ComparedCasesRequest: Codable, Sendable, Equatable {
        public var operation: String
        /// Digests of cases that are not to be sent.
        public var known: [String]

        public init(operation: String, known: [String]) {
            self.operation = operation
            self.known = known
        }
    }

    public struct ForgetCopyRequest: Codable, Sendable, Equatable {
        /// Id, or name if only one worker has it.
        public var worker: String
        /// nil: everything that it may hold.
        public var shard: Int?

        public init(worker: String, shard: Int?) {
            self.worker = worker
            self.shard = shard
        }
    }

    public struct ImportRows: Codable, Sendable, Equatable {
        /// Chosen by the client, the same for all batches of one import.
        public var importID: String
        public var sequence: Int
        public var items: [Item]
        public var interactions: [Interaction]

        public init(importID: String, sequence: Int, items: [Item], interactions: [Interaction]) {
            self.importID = importID
            self.sequence = sequence
            self.items = items
            self.interactions = interactions
        }
    }

    public struct FinishImport: Codable, Sendable, Equatable {
        public var importID: String
        public var batches: Int
        public var prompts: PromptConfiguration
        /// The fields of it that were asked for; the others count only where the cluster has recorded none.
        public var given: [PromptField]
        /// The given fields may differ from the recorded ones.
        public var changePrompts: Bool
        /// To which slices people go who are new; nil: by the hash.
        public var newPeople: NewPeople?
        /// Of these, those who go to the last slice because they will probably leave; nil: nobody.
        public var leavers: [String]?

        /// Negatives to be drawn for each like among the rows, out of the items of this import (`NegativePool`): a client sends
        /// only those of tables of items then. nil: none.
        public var negatives: Int?

        /// In `leavers`, at most.
        public static let mostLeavers = 100_000

        public init(
            importID: String, batches: Int, prompts: PromptConfiguration, given: [PromptField] = PromptField.allCases,
            changePrompts: Bool = false, newPeople: NewPeople? = nil, leavers: [String]? = nil, negatives: Int? = nil
        ) {
            self.negatives = negatives
            self.newPeople = newPeople
            self.leavers = leavers
            self.importID = importID
            self.batches = batches
            self.prompts = prompts
            self.given = given
            self.changePrompts = changePrompts
        }
    }

    public struct ForgetRequest: Codable, Sendable, Equatable {
        public struct Target: Codable, Hashable, Sendable {
            public var user: String
            public var item: String
            /// nil: every interaction of the user with the item.
            public var timestamp: Int64?

            public init(user: String, item: String, timestamp: Int64?) {
                self.user = user
                self.item = item
                self.timestamp = timestamp
            }
        }

        public var users: [String]
        public var interactions: [Target]
        /// apa, e2urec or ifru; nil: the cluster's own.
        public var method: String?
        /// e2urec or ifru: an approximate adapter serves until the exact one is there.
        public var bridge: String?
        public var dryRun: Bool

        public init(
            users: [String], interactions: [Target], method: String? = nil, bridge: String? = nil, dryRun: Bool = false
        ) {
            self.users = users
            self.interactions = interactions
            self.method = method
            self.bridge = bridge
            self.dryRun = dryRun
        }
    }

    public struct QueryRequest: Codable, Sendable, Equatable {
        /// Empty where a history is given.
        public var user: String
        /// Ask about these items; empty: about whatever of the catalogue the user has not rated, which needs `top`.
        public var items: [String]
        /// Rank them and return the best so many; nil: answer for each, in the order asked.
        public var top: Int?
        /// Say what the weights of each item rest on.
        public var explain: Bool?
        /// Items of the catalogue that may all be ranked without being named; nil: `WireLimits.ranked`, or none where
        /// `candidates` are to be chosen. More are refused then, or chosen from.
        public var limit: Int?
        /// So many are chosen of more than that, by what other people like (`Retrieval`); nil: more are refused, as they were
        /// before candidates could be chosen. Whoever sends it knows that an answer rests on other people's likes.
        public var candidates: Int?
        /// Asks for somebody of whom no more is known, who is nobody of the ledger; nil: for the user.
        public var history: [GivenRating]?
        /// nil: every item may be answered.
        public var filter: ItemFilter?

        public init(
            user: String, items: [String], top: Int?, explain: Bool? = nil, limit: Int? = nil,
            history: [GivenRating]? = nil, filter: ItemFilter? = nil, candidates: Int? = nil
        ) {
            self.candidates = candidates
            self.history = history
            self.filter = filter
            self.user = user
            self.items = items
            self.top = top
            self.explain = explain
            self.limit = limit
        }
    }

    public struct EvaluateRequest: Codable, Sendable, Equatable {
        public var split: Split
        public var compare: Bool
        /// τ and n to measure at; nil: those in force.
        public var attention: SampleAdaptiveAttention.Parameters?
        /// Leaves out the base model and each adapter alone: as many passes over the split as there are shards.
        public var aggregatesOnly: Bool

        public init(
            split: Split, compare: Bool, attention: SampleAdaptiveAttention.Parameters? = nil,
            aggregatesOnly: Bool = false
        ) {
            self.split = split
            self.compare = compare
            self.aggregatesOnly = aggregatesOnly
            self.attention = attention
        }
    }

    public struct AuditRequest: Codable, Sendable, Equatable {
        /// Entries of one reply; it has fewer only at the log's end.
        public static let largest = 1000

        /// The last entry that is known already; 0: none.
        public var after: Int

        public init(after: Int) {
            self.after = after
        }
    }

    public struct RequestsRequest: Codable, Sendable, Equatable {
        /// Requests of one reply; it has fewer only at the end.
        public static let largest = 1000

        /// The number of the last request that is known already; 0: none.
        public var after: Int
        /// From 1 to `largest`.
        public var limit: Int
        /// Only those that are not finished.
        public var pendingOnly: Bool
        /// Only the one that its client gave this id; nil: all.
        public var named: String?

        public init(after: Int, limit: Int = largest, pendingOnly: Bool = false, named: String? = nil) {
            self.named = named
            self.after = after
            self.limit = limit
            self.pendingOnly = pendingOnly
        }
    }

    public struct VerifyRequest: Codable, Sendable, Equatable {
        /// A forget request's id; nil: every shard.
        public var request: String?
        /// Single slices in place of whole trainings; nil: whole ones.
        public var stages: StageChoice?

        public init(request: String?, stages: StageChoice? = nil) {
            self.request = request
            self.stages = stages
        }
    }

    /// Which slices' trainings are replayed.
    public enum StageChoice: Codable, Sendable, Equatable {
        case named([StageAddress])
        /// So many of those that can be, drawn by the seed.
        case drawn(Int, seed: UInt64)

        /// Slices that one request may name, and draw.
        public static let most = 4096

        /// In which order a seed draws: those with the smallest numbers first.
        package static func rank(of slice: Int, shard: Int, seed: UInt64) -> UInt64 {
            FieldHash.number(["verified stage", String(seed), String(shard), String(slice)])
        }
    }

    /// A slice of a shard's training.
    public struct StageAddress: Codable, Hashable, Sendable {
        public var shard: Int
        /// From 1.
        public var slice: Int

        public init(shard: Int, slice: Int) {
            self.shard = shard
            self.slice = slice
        }
    }
}

/// Where a long request stands.
public struct OperationReport: Codable, Sendable, Equatable {
    public enum State: String, Codable, Sendable { case running, done, failed }

    public var id: String
    /// train, forget, evaluate, verify or compare.
    public var kind: String
    public var state: State
    /// One line for people: "training shard 2, step 14 of 64".
    public var progress: String
    public var fraction: Double
    public var error: ClientError?

    public init(
        id: String, kind: String, state: State, progress: String, fraction: Double, error: ClientError? = nil
    ) {
        self.id = id
        self.kind = kind
        self.state = state
        self.progress = progress
        self.fraction = fraction
        self.error = error
    }
}

/// To which slice of its shard an import deals people who are new.
public enum NewPeople: String, Codable, CaseIterable, Hashable, Sendable {
    /// Any, by a keyed hash.
    case hash
    /// The last one: what is in the others need not be trained again.
    case last
}
