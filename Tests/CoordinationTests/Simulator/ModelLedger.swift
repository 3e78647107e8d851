import ClusterTestSupport
import Coordination
import Foundation
import LanguageModels
import Messages
import Recommendation
import Unlearning

/// An in-memory stand-in for the ledger: data, prompts as a pure function of a user's retained interactions, shards by
/// hash of the user, adapters, rows, forget requests.
struct ModelLedger {
    struct Interaction: Hashable {
        var user: Int
        var item: Int
    }

    struct Sample {
        var prompt: TrainingPrompt
        var digest: String
        var user: Int
        var split: Split
        /// That of its user.
        var shard: Int
        var uses: [Interaction]
    }

    struct Record {
        var request: ClientRequest.ForgetRequest
        var outcome: ForgetOutcome
        var waiting: Set<Int>
        /// Only a trained adapter ends its waiting.
        var isExact = true
        var isFinished = false
        var checks: [DoubleCheck] = []
    }

    let shardCount: Int
    /// Whether training prompts get their shard only from `partition`, once they have embeddings.
    let partitionNeedsEmbeddings: Bool
    private(set) var retained: [Interaction]
    private(set) var forgotten: Set<Interaction> = []
    private(set) var samples: [Sample] = []
    private(set) var manifests: [ShardManifest] = []
    /// Digests of the manifests, by shard.
    private(set) var names: [String] = []
    /// Digests of the validation prompts, and what names them all.
    private var validation: [String] = []
    private var validationDigest = ""
    private(set) var snapshot: LedgerSnapshot
    private var assigned: Set<String> = []
    private var embedded: Set<String> = []
    private var adapters: [Int: LedgerSnapshot.Adapter] = [:]
    private var quarantined: Set<Int> = []
    /// What the quarantined adapters are corrected by, and from.
    private(set) var corrections: [Int: (method: ApproximateMethod, original: LedgerSnapshot.Adapter)] = [:]
    private var margins: [String: Set<String>] = [:]
    private var tunedFor = ""
    /// Whether the tuning chose weights that look at rows.
    private var choseRows = false
    private var trainingRequested = false
    private(set) var records: [(id: String, record: Record)] = []
    /// Adapters that a forget took away, with what they were trained from.
    private var dropped: [String: String] = [:]
    /// What is on record of stages, by shard.
    private(set) var stages: [Int: [RecordedStage]] = [:]
    /// How often a stage answered.
    private(set) var stagesTaken = 0
    /// What workers' disks may hold, as written before it was handed out.
    private(set) var copies: Set<HandedCopy> = [] {
        didSet { copyRevision += 1 }
    }
    /// Count changes of what is on record of copies, and of the keys.
    private(set) var copyRevision = 0
    private(set) var keyRevision = 0
    /// Everything that any manifest ever held, by the manifest's digest.
    private(set) var contents: [String: [Interaction]] = [:]
    /// Digests of every manifest that there ever was.
    private(set) var digests: [String: [String]] = [:]
    /// Interactions that a prompt was made from, by its digest; of every prompt that there ever was.
    private(set) var uses: [String: [Interaction]] = [:]
    var keys = ModelKeys(users: []) {
        didSet { keyRevision += 1 }
    }
    /// What is on record of workers, by id.
    private var fleet: [String: WorkerRecord] = [:]
    var workers: [RememberedWorker] {
        fleet.values.sorted { $0.worker < $1.worker }.map {
            RememberedWorker(record: $0, awaySeconds: $0.absence == nil ? nil : 60)
        }
    }
    /// What operators said of workers, as it was carried out.
    private(set) var words: [SettledWord] = []
    /// Commands fail with a full disk for as long as this is set.
    var isDiskFull = false
    /// Commands of these kinds fail.
    var refused: Set<Refusal> = []
    private var purgePending = false

    /// Duties that may fail while everything else goes on.
    enum Refusal: CaseIterable {
        case purge, tuning, partition, rows, embeddings, copies, certificates, corrections

        func covers(_ command: LedgerCommand) -> Bool {
            switch (self, command) {
            case (.purge, .purge), (.tuning, .tuneAttention), (.partition, .partition), (.rows, .saveMargins),
                (.embeddings, .saveEmbeddings), (.copies, .settleCopies), (.certificates, .finishForget),
                (.corrections, .abandonCorrection):
                true
            default: false
            }
        }
    }

    init(users: [Int: Int], shards: Int, partitionNeedsEmbeddings: Bool, without forgotten: Set<Interaction> = []) {
        shardCount = shards
        self.partitionNeedsEmbeddings = partitionNeedsEmbeddings
        retained = users.keys.sorted().flatMap { user in
            (0..<(users[user] ?? 0)).map { Interaction(user: user, item: $0) }
        }.filter { !forgotten.contains($0) }
        snapshot = LedgerSnapshot(
            shards: [], hasData: true, isPartitioned: false, unassignedPrompts: 0, missingEmbeddings: 0,
            trainingPrompts: 0, validationPrompts: 0, testPrompts: 0, validationDigest: "", isTuned: false,
            pendingForgets: [], trainingRequested: false)
        keys = ModelKeys(users: retained.map(\.user))
        rebuild()
        refresh()
    }

    // MARK: the data

    static func shard(of user: Int, among shards: Int) -> Int {
        Int(simulatedHash("user \(user)") % UInt64(shards))
    }

    private mutating func rebuild() {
        samples = []
        for user in Set(retained.map(\.user)).sorted() {
            let items = retained.filter { $0.user == user }.sorted { $0.item < $1.item }
            for position in items.indices.dropFirst(2) {
                let target = items[position]
                let uses = Array(items[(position - 2)...position])
                let prompt = TrainingPrompt(
                    id: "u\(user)-i\(target.item)", instruction: "",
                    input: uses.map { "\($0.item)" }.joined(separator: ","),
                    label: (user + target.item).isMultiple(of: 2))
                let split: Split =
                    position == items.count - 1 ? .test : position == items.count - 2 ? .validation : .train
                samples.append(
                    Sample(
                        prompt: prompt, digest: prompt.digest, user: user, split: split,
                        shard: Self.shard(of: user, among: shardCount), uses: uses))
            }
        }
        samples.sort { $0.prompt.id < $1.prompt.id }
        assigned.formIntersection(samples.filter { $0.split == .train }.map(\.prompt.id))
        if !partitionNeedsEmbeddings { assigned = Set(samples.filter { $0.split == .train }.map(\.prompt.id)) }
        for sample in samples { uses[sample.digest] = sample.uses }
        let digests = Set(samples.map(\.digest))
        embedded.formIntersection(digests)
        for name in margins.keys { margins[name]?.formIntersection(digests) }
        deal()
    }

    /// Prompts came, went, or were given a shard.
    private mutating func deal() {
        manifests = (0..<shardCount).map { shard in
            let own = samples(of: shard)
            let manifest = ShardManifest(entries: own.map { ShardManifest.Entry(id: $0.prompt.id, digest: $0.digest) })
            contents[manifest.name] = own.flatMap(\.uses)
            digests[manifest.name] = own.map(\.digest)
            return manifest
        }
        names = manifests.map(\.name)
        let validation = samples.filter { $0.split == .validation }
        self.validation = validation.map(\.digest)
        validationDigest =
            ShardManifest(entries: validation.map { ShardManifest.Entry(id: $0.prompt.id, digest: $0.digest) }).name
    }

    /// Brings the snapshot up to date.
    private mutating func refresh() {
        let training = samples.count { $0.split == .train }
        let shards = manifests.enumerated().map { shard, manifest in
            var adapter = adapters[shard]
            if let name = adapter?.name {
                let known = margins[name] ?? []
                adapter?.missingMargins = validation.count { !known.contains($0) }
            }
            return LedgerSnapshot.Shard(
                index: shard, manifest: names[shard], prompts: manifest.entries.count, adapter: adapter,
                quarantinedSince: quarantined.contains(shard) ? Date(timeIntervalSince1970: 0) : nil,
                correction: corrections[shard]?.method,
                awaitsExact: records.contains { $0.record.isExact && $0.record.waiting.contains(shard) })
        }
        // As the ledger does: what is the same is kept.
        if snapshot.shards.count == shards.count {
            for (index, shard) in shards.enumerated() where snapshot.shards[index] != shard {
                snapshot.shards[index] = shard
            }
        } else {
            snapshot.shards = ChunkedList(shards)
        }
        snapshot.isPartitioned = training > 0 && assigned.count == training
        snapshot.unassignedPrompts = training - assigned.count
        snapshot.missingEmbeddings = missing(.embeddings).count
        snapshot.trainingPrompts = training
        snapshot.validationPrompts = validation.count
        snapshot.testPrompts = samples.count { $0.split == .test }
        snapshot.validationDigest = validationDigest
        snapshot.isTuned = tunedFor == tuningSubject
        snapshot.weighsByRows = choseRows
        snapshot.trainingRequested = trainingRequested
        snapshot.purgePending = purgePending
        let pending = records.filter { !$0.record.isFinished }.map { id, record in
            LedgerSnapshot.PendingForget(
                id: id, received: Date(timeIntervalSince1970: 0), waitingFor: record.waiting.sorted(),
                retrained: record.outcome.waitingFor.filter { !manifests[$0].entries.isEmpty })
        }
        if !snapshot.pendingForgets.elementsEqual(pending) { snapshot.pendingForgets = ChunkedList(pending) }
    }

    private var tuningSubject: String {
        (0..<shardCount).map { adapters[$0]?.name ?? "-" }.joined() + snapshot.validationDigest
    }

    func samples(of shard: Int) -> [Sample] {
        samples.filter { $0.split == .train && $0.shard == shard && assigned.contains($0.prompt.id) }
    }

    func sample(_ digest: String) -> Sample? {
        samples.first { $0.digest == digest }
    }

    func missing(_ rows: MissingValues) -> [String] {
        switch rows {
        case .embeddings:
            samples.filter { sample in
                let isNeeded =
                    sample.split == .validation
                    || (sample.split == .train && partitionNeedsEmbeddings && !assigned.contains(sample.prompt.id))
                return isNeeded && !embedded.contains(sample.digest)
            }.map(\.digest)
        case .margins(let name):
            samples.filter { $0.split == .validation && margins[name]?.contains($0.digest) != true }.map(\.digest)
        }
    }

    func hasAdapter(_ name: String) -> Bool {
        adapters.values.contains { $0.name == name }
    }

    func record(_ id: String) -> Record? {
        records.first { $0.id == id }?.record
    }

    /// As the ledger: a stage answers where a request waits, nothing else does, and it is of what the shard holds now.
    private mutating func takeStage(
        _ shard: Int, _ report: TrainingReport, _ bytes: [UInt8], _ worker: String
    ) -> Bool {
        let manifest = ModelStage.manifest(report.slices?.stage ?? 0, of: manifests[shard].entries)
        let name = String(decoding: bytes, as: UTF8.self)
        guard manifest.name == report.manifest, manifest.name != names[shard], !manifest.entries.isEmpty,
            adapters[shard] == nil, corrections[shard] == nil, dropped[name].map({ $0 == report.manifest }) ?? true,
            records.contains(where: { !$0.record.isFinished && $0.record.waiting.contains(shard) })
        else { return false }
        contents[manifest.name] = manifest.entries.flatMap { uses[$0.digest] ?? [] }
        adapters[shard] = LedgerSnapshot.Adapter(
            name: name, manifest: report.manifest, missingMargins: 0, trainer: worker, stage: report.slices?.stage)
        quarantined.remove(shard)
        stagesTaken += 1
        return true
    }

    // MARK: commands

    mutating func perform(_ command: LedgerCommand) -> LedgerOutcome {
        if isDiskFull { return .failed(ClientError(code: .diskFull, message: "the disk is full")) }
        if refused.contains(where: { $0.covers(command) }) {
            return .failed(ClientError(code: .failed, message: "told to fail"))
        }
        let stale = LedgerOutcome.failed(ClientError(code: ErrorCode.stale, message: ""))
        switch command {
        case .forget(let id, let request):
            let outcome = forget(id, request)
            refresh()
            return .forgotten(outcome, snapshot)
        case .requestTraining: trainingRequested = true
        case .saveEmbeddings(let digests, _):
            embedded.formUnion(Set(digests).intersection(samples.map(\.digest)))
        case .partition:
            guard missing(.embeddings).isEmpty else { return stale }
            assigned = Set(samples.filter { $0.split == .train }.map(\.prompt.id))
            deal()
        case .publish(let shard, let report, let bytes, let worker) where report.isStage:
            guard takeStage(shard, report, bytes, worker) else { return stale }
        case .publish(let shard, let report, let bytes, let worker):
            guard names[shard] == report.manifest else { return stale }
            let name = String(decoding: bytes, as: UTF8.self)
            guard dropped[name].map({ $0 == report.manifest }) ?? true else {
                return .failed(ClientError(code: ErrorCode.invalid, message: "dropped before"))
            }
            var adapter = LedgerSnapshot.Adapter(
                name: name, manifest: report.manifest, missingMargins: 0, trainer: worker)
            if let provenance = report.correction?.provenance {
                guard let pending = corrections[shard], pending.original.name == provenance.original else {
                    return stale
                }
                adapter.corrected = LedgerSnapshot.Corrected(
                    method: pending.method, corrections: provenance.corrections, since: Date(timeIntervalSince1970: 0))
            }
            corrections[shard] = nil
            adapters[shard] = adapter
            if report.isExact {
                stages[shard] = report.slices?.stages?.map { RecordedStage(report: $0, worker: worker) }
            }
            quarantined.remove(shard)
            settle(shard, exactly: adapter.corrected == nil)
        case .abandonCorrection(let shard, let manifest, _):
            guard names[shard] == manifest else { break }
            corrections[shard] = nil
        case .saveMargins(let name, let digests, _):
            guard hasAdapter(name) else { return stale }
            margins[name, default: []].formUnion(Set(digests).intersection(samples.map(\.digest)))
        case .tuneAttention:
            tunedFor = tuningSubject
            choseRows = simulatedHash("tau " + tunedFor).isMultiple(of: 2)
        case .purge: purgePending = false
        case .dropDamaged: break
        case .withdrawStage(let shard, let name):
            guard adapters[shard]?.name == name, adapters[shard]?.stage != nil else { break }
            adapters[shard] = nil
            quarantined.insert(shard)
        case .settleCopies(let settlement): settle(settlement)
        case .forgetCopy(let word, let settlement):
            words.append(word)
            if settlement.removesWorker { fleet[settlement.worker] = nil }
            settle(settlement)
        case .noteWorkers(let records, let gone):
            for record in records { fleet[record.worker] = record }
            for worker in gone { fleet[worker] = nil }
        case .setDuty(let word, let record):
            words.append(word)
            fleet[record.worker] = record
        case .quarantine(let dispute):
            guard adapters[dispute.shard]?.name == dispute.published else { return stale }
            adapters[dispute.shard] = nil
            quarantined.insert(dispute.shard)
            (tunedFor, choseRows) = ("", false)
            for position in records.indices where !records[position].record.isFinished {
                if records[position].record.outcome.waitingFor.contains(dispute.shard) {
                    records[position].record.waiting.insert(dispute.shard)
                }
            }
        case .finishForget(let id, let checks):
            guard let position = records.firstIndex(where: { $0.id == id }),
                records[position].record.waiting.isEmpty
            else { return stale }
            records[position].record.isFinished = true
            records[position].record.checks = checks
            refresh()
            return .finished(snapshot)
        }
        refresh()
        return .committed(snapshot)
    }

    mutating func recordCopy(_ copy: HandedCopy) {
        if !copies.contains(copy) { copies.insert(copy) }
    }

    private mutating func settle(_ settlement: CopySettlement) {
        let named = Dictionary(
            settlement.shards.map { ($0.shard, Set($0.kept)) }, uniquingKeysWith: { $0.union($1) })
        copies = copies.filter { copy in
            guard copy.worker == settlement.worker else { return true }
            return named[copy.shard].map { $0.contains(copy.manifest) } ?? !settlement.isEverything
        }
        for shard in settlement.shards {
            for manifest in shard.kept
            where !copies.contains(where: { copy in
                copy.worker == settlement.worker && copy.shard == shard.shard && copy.manifest == manifest
            }) {
                copies.insert(
                    HandedCopy(
                        worker: settlement.worker, name: settlement.name, shard: shard.shard, manifest: manifest))
            }
        }
    }

    private mutating func settle(_ shard: Int, exactly: Bool = true) {
        for position in records.indices where exactly || !records[position].record.isExact {
            records[position].record.waiting.remove(shard)
        }
    }

    private mutating func forget(_ id: String, _ request: ClientRequest.ForgetRequest) -> ForgetOutcome {
        if let known = record(id) { return known.outcome }
        let before = names
        let users = Set(request.users.compactMap { Int($0) })
        let pairs = Set(
            request.interactions.compactMap { target -> Interaction? in
                guard let user = Int(target.user), let item = Int(target.item) else { return nil }
                return Interaction(user: user, item: item)
            })
        let gone = retained.filter { users.contains($0.user) || pairs.contains($0) }
        forgotten.formUnion(gone)
        retained.removeAll { users.contains($0.user) || pairs.contains($0) }
        keys.forget(gone, retained: Set(retained.map(\.user)))
        if !gone.isEmpty {
            (tunedFor, choseRows) = ("", false)
            purgePending = true
        }
        rebuild()
        var touched: [Int] = []
        var waiting: Set<Int> = []
        for shard in 0..<shardCount where names[shard] != before[shard] {
            touched.append(shard)
            stages[shard] = nil
            let correction = (request.bridge ?? request.method).flatMap(ApproximateMethod.init(rawValue:))
            if correction == nil { corrections[shard] = nil }
            if let old = adapters.removeValue(forKey: shard) {
                dropped[old.name] = old.manifest
                margins[old.name] = nil
                quarantined.insert(shard)
                if let correction, old.manifest == before[shard] { corrections[shard] = (correction, old) }
            }
            if manifests[shard].entries.isEmpty {
                quarantined.remove(shard)
                corrections[shard] = nil
                settle(shard)
            } else if quarantined.contains(shard) {
                waiting.insert(shard)
            }
        }
        let outcome = ForgetOutcome(
            request: id, received: Date(timeIntervalSince1970: 0), counts: ForgetCounts(), shards: touched,
            waitingFor: waiting.sorted(), droppedAdapters: [], alreadyForgotten: 0)
        let isExact = request.method == nil || request.method == "apa"
        records.append((id, Record(request: request, outcome: outcome, waiting: waiting, isExact: isExact)))
        return outcome
    }
}

/// What training gives: a name that depends on the specification and on exactly the prompts trained on.
func simulatedAdapter(_ specification: TrainingSpecification, manifest: String) -> String {
    "adapter-\(specification.seed)-\(manifest)"
}
