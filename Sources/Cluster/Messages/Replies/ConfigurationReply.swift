import Foundation
import Recommendation
import Unlearning

/// A coordinator's options under the names of its configuration file (`lethe coordinator --config`); nil: not known, or as usual.
///
/// Keys, the list of who may connect and the master key are never part of it.
public struct CoordinatorConfiguration: Codable, Equatable, Sendable {
    public var data: String?
    public var model: String?
    public var listen: String?
    public var shards: Int?
    public var partition: String?
    public var seed: UInt64?
    public var epochs: Int?
    public var batch: Int?
    public var learningRate: Double?
    public var warmupSteps: Int?
    public var weightDecay: Double?
    public var schedule: String?
    public var dropout: Double?
    public var heldOut: Double?
    public var slices: Int?
    public var averaging: String?
    public var rank: Int?
    public var alpha: Double?
    public var targets: [String]?
    public var rule: String?
    public var embeddingLayer: Int?
    public var whenNoAdapter: String?
    public var whileRetraining: String?
    public var method: String?
    /// "ifru" or "none".
    public var prepare: String?
    public var doubleCheck: String?
    public var precision: String?
    public var threads: Int?
    public var weightCache: String?
    public var keysDir: String?
    public var expect: Int?
    public var e2urec: E2URecConfiguration?
    public var ifru: IFRUConfiguration?

    public init() {}

    /// What the ledger has on record of a cluster.
    package init(_ cluster: ClusterConfiguration) {
        shards = cluster.shards
        partition = cluster.partition.rawValue
        seed = cluster.seed
        epochs = cluster.training.epochs
        batch = cluster.training.batch
        learningRate = cluster.training.learningRate
        warmupSteps = cluster.training.warmupSteps
        weightDecay = cluster.training.weightDecay
        schedule = cluster.training.schedule.rawValue
        dropout = cluster.training.dropout
        heldOut = cluster.training.heldOut
        slices = cluster.training.slices
        averaging = cluster.training.averaging.rawValue
        rank = cluster.training.lora.rank
        alpha = cluster.training.lora.alpha
        targets = cluster.training.lora.targets.map(\.rawValue)
        rule = cluster.rule.rawValue
        embeddingLayer = cluster.embedding.layer
        whenNoAdapter = cluster.whenNoAdapter.rawValue
        whileRetraining = cluster.whileRetraining.rawValue
        method = cluster.method.rawValue
        // With the method ifru it is prepared whatever is said.
        prepare = cluster.preparesInfluence ? "ifru" : "none"
        precision = cluster.training.precision.rawValue
        e2urec = cluster.corrections.e2urec
        ifru = cluster.corrections.ifru
    }
}

/// What `lethe config` shows: the options in force at the top, so that the whole is a configuration file, and beside them what is on
/// record.
public struct ConfigurationReply: Codable, Equatable, Sendable {
    public var effective: CoordinatorConfiguration
    /// The default of the next start.
    public var recorded: CoordinatorConfiguration
    /// nil: there is none yet.
    public var cluster: String?
    /// How prompts are made; nil: nothing was imported yet.
    public var prompts: PromptConfiguration?
    /// Whether an import may say to which slices new people go (`FinishImport.newPeople`, `.leavers`); nil: the coordinator is of an
    /// older release, which would not heed it, or is not running.
    public var dealsPeople: Bool?

    /// Whether an import may have negatives drawn (`FinishImport.negatives`); nil: the coordinator is of an older release, which
    /// would not heed it, or is not running.
    public var drawsNegatives: Bool?

    private enum CodingKeys: String, CodingKey { case recorded, cluster, prompts, dealsPeople, drawsNegatives }

    public init(
        effective: CoordinatorConfiguration, recorded: CoordinatorConfiguration, cluster: String?,
        prompts: PromptConfiguration? = nil, dealsPeople: Bool? = nil, drawsNegatives: Bool? = nil
    ) {
        self.drawsNegatives = drawsNegatives
        self.dealsPeople = dealsPeople
        self.prompts = prompts
        self.effective = effective
        self.recorded = recorded
        self.cluster = cluster
    }

    public init(from decoder: any Swift.Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        effective = try CoordinatorConfiguration(from: decoder)
        recorded = try container.decode(CoordinatorConfiguration.self, forKey: .recorded)
        cluster = try container.decodeIfPresent(String.self, forKey: .cluster)
        prompts = try container.decodeIfPresent(PromptConfiguration.self, forKey: .prompts)
        dealsPeople = try container.decodeIfPresent(Bool.self, forKey: .dealsPeople)
        drawsNegatives = try container.decodeIfPresent(Bool.self, forKey: .drawsNegatives)
    }

    public func encode(to encoder: any Swift.Encoder) throws {
        try effective.encode(to: encoder)
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(recorded, forKey: .recorded)
        try container.encodeIfPresent(cluster, forKey: .cluster)
        try container.encodeIfPresent(prompts, forKey: .prompts)
        try container.encodeIfPresent(dealsPeople, forKey: .dealsPeople)
        try container.encodeIfPresent(drawsNegatives, forKey: .drawsNegatives)
    }

    /// Before all rows of an import that draws negatives are sent to a coordinator that would take them in without.
    package func requireDrawing() throws(ClientError) {
        guard drawsNegatives != true else { return }
        throw ClientError(
            code: .invalidRequest,
            message:
                "nothing was imported: the coordinator is of an older release, which draws no negatives; upgrade "
                + "it, or leave --negatives out")
    }

    /// Before all rows of an import that deals people are sent for nothing, or are dealt otherwise by a coordinator that does not
    /// know better.
    ///
    /// - Throws: `ClientError`, as the ledger of a coordinator that knows would refuse it.
    package func requireDealing() throws(ClientError) {
        switch dealsPeople {
        case true?: return
        case false?:
            throw ClientError(
                LedgerError.undealtPeople(
                    slices: effective.slices ?? 1,
                    partition: effective.partition.flatMap(PartitionMethod.init) ?? .semantic))
        case nil:
            throw ClientError(
                code: .invalidRequest,
                message: "nothing was imported: the coordinator is of an older release, which would deal new people by "
                    + "the hash whatever the import says; upgrade it, or leave --new-data and --leavers (over HTTP "
                    + "new_data) out")
        }
    }
}
