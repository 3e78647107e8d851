/// What `verify` found.
public struct VerifyReply: Codable, Sendable {
    /// Something was replayed, and everything below is as it should be.
    public var verified: Bool
    public var shards: [VerificationReport.Shard]
    /// Slices whose training was replayed; nil: whole trainings were. What one of them shows and what not is in `shows`.
    public var stages: [VerificationReport.Stage]?
    /// What a replay of single slices shows, and what it does not, for people.
    public var shows: String?
    /// What the slices were drawn by; nil: they were named.
    public var seed: UInt64?
    /// Shards of which not every slice could be drawn, because what their stages were is not on record; nil: there is none.
    public var unrecorded: [VerificationReport.Unrecorded]?
    /// Approximate adapters: these cannot be verified by replay, and are not.
    public var approximate: [VerificationReport.Approximate]
    /// Shards that were asked for and are empty now: nothing to replay.
    public var empty: [Int]
    /// Shards that were being retrained when it began: nothing to replay yet.
    public var retraining: [Int]
    /// Shards that changed before what they had was replayed.
    public var changed: [VerificationReport.Changed]
    /// Whether the audit log is whole, and its requests and certificates those of the ledger.
    public var auditChain: Bool
    /// What is wrong with it.
    public var auditFinding: String?
    /// Whether the request's certificate is unaltered, signed by this cluster and found in the audit log; nil without a
    /// finished request.
    public var certificate: Bool?
    /// Adapters whose file does not hold what its name says; they answer no more.
    public var damaged: [DamagedAdapter]
    /// Why it is not verified, one line each, for people.
    public var findings: [String]

    /// - `findings`: of the request's certificate and supplements.
    package init(
        report: VerificationReport, audit: AuditVerdict, hasCertificate: Bool, findings: [String],
        damaged: [DamagedAdapter]
    ) {
        shards = report.shards
        stages = report.stages
        shows = report.stages == nil ? nil : VerificationReport.Stage.meaning
        unrecorded = report.unrecorded
        approximate = report.approximate
        empty = report.empty
        retraining = report.notCurrent
        changed = report.changed
        auditChain = audit.isIntact
        auditFinding = audit.finding
        certificate = hasCertificate ? findings.isEmpty : nil
        self.findings = findings
        self.damaged = damaged
        if let finding = audit.finding { self.findings.append("the audit log is not whole: \(finding)") }
        self.findings += report.shards.filter { !$0.match }.map {
            "shard \($0.shard): the replay gave other bytes than the published adapter has"
        }
        self.findings += (report.stages ?? []).compactMap(\.finding)
        self.findings += (report.unrecorded ?? []).compactMap(\.finding)
        self.findings += damaged.map { "shard \($0.shard): \($0.description)" }
        self.findings += report.approximate.map { "shard \($0.shard) is approximate: there is nothing to replay" }
        self.findings += report.notCurrent.map {
            "shard \($0) has no adapter of its present data: it is being retrained; verify it later"
        }
        self.findings += report.changed.map { changed in
            "shard \(changed.shard) changed before it was replayed: "
                + (changed.newAdapter.map { "its adapter is \($0) now" } ?? "it is being retrained")
                + "; verify it again"
        }
        if report.shards.isEmpty && report.stages?.isEmpty ?? true && report.approximate.isEmpty
            && report.notCurrent.isEmpty && report.changed.isEmpty && (report.unrecorded ?? []).isEmpty
        {
            self.findings.append("nothing was replayed: every shard that this is about is empty now")
        }
        verified = report.allMatch && self.findings.isEmpty
    }
}

extension VerificationReport.Stage {
    /// What the replay of a slice shows.
    static let meaning =
        "Each replay shows that the stage after a slice follows from the one before it and the slice's prompts, byte for "
        + "byte as recorded at publication. It takes the stage before as it was recorded: only all slices of a shard together "
        + "show that its adapter follows from the data, as a full replay does."

    /// Why it is not verified; nil: it is.
    fileprivate var finding: String? {
        if let missing { return "shard \(shard), slice \(slice): \(missing)" }
        return match ? nil : "shard \(shard), slice \(slice): the replay gave other bytes than those on record"
    }
}

extension VerificationReport.Unrecorded {
    /// What there was not to be drawn from, for people.
    package var text: String {
        if slices.isEmpty {
            return "shard \(shard): nothing is on record of its stages, so none of its slices could be drawn"
        }
        let isOne = slices.count == 1
        let named = (isOne ? "slice " : "slices ") + slices.map(String.init).joined(separator: ", ")
        return "shard \(shard): " + (drawable == 0 ? "none of its slices could be drawn" : "not drawn from \(named)")
            + ", as what the stages after or before \(isOne ? "it" : "them") were is not on record"
    }

    /// Why it is not verified; nil: some of its slices were among those that were drawn from.
    fileprivate var finding: String? { drawable > 0 ? nil : "\(text); replay the whole shard instead (lethe verify)" }
}

/// What an operator declared destroyed.
public struct ForgottenCopyReply: Codable, Sendable, Equatable {
    public var worker: String
    /// For people.
    public var name: String
    public var shards: [Int]

    package init(_ settlement: CopySettlement) {
        worker = settlement.worker
        name = settlement.name
        shards = settlement.shards.map(\.shard)
    }
}

/// What an operator's word about a worker gave.
public struct WorkerOrderReply: Codable, Hashable, Sendable {
    public var worker: String
    public var name: String
    public var verb: WorkerOrder.Verb
    /// Tasks that it still has.
    public var tasks: Int
    /// Shards of which it may hold something; of a removed one: of which it is declared destroyed.
    public var shards: [Int]

    package init(worker: String, name: String, verb: WorkerOrder.Verb, tasks: Int, shards: [Int]) {
        self.worker = worker
        self.name = name
        self.verb = verb
        self.tasks = tasks
        self.shards = shards
    }
}
