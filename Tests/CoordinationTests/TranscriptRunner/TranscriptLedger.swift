import ClusterTestSupport
import Coordination
import Foundation
import Messages
import Unlearning

/// The ledger behind a transcript: people who have training prompts in a shard and one validation and one test prompt each.
///
/// Manifests and adapters are named after what is in them, so that a reader sees who was seen: `m0` is what shard 0 had
/// first, `m0-ann` the same without ann, `m0+eve` with eve besides; training on `m0-ann` gives the adapter `a0-ann`.
struct TranscriptLedger {
    struct Person {
        var name: String
        var shard: Int
        var prompts: Int
        /// Whether the partition has given the training prompts their shard.
        var isAssigned: Bool

        var digests: [String] { (1...prompts).map { "\(name)-\($0)" } }
        var validation: String { "\(name)-v" }
        var test: String { "\(name)-t" }
    }

    /// A forget request.
    struct Record {
        struct Copy {
            var copy: HandedCopy
            /// "open", or how it is known to be gone.
            var state = "open"
        }

        var id: String
        var users: [String]
        var outcome: ForgetOutcome
        var waiting: Set<Int>
        var retrained: [Int]
        var method: ForgetMethod
        var bridge: ApproximateMethod?
        var copies: [Copy]
        var isFinished = false

        /// Only a trained adapter ends its waiting.
        var isExact: Bool { method == .apa }
    }

    let shardCount: Int
    /// Training prompts get their shard only from `partition`, once all have embeddings.
    let partitionWaits: Bool
    var people: [Person] = []
    /// Who a shard had at first, by shard: its manifest has the plain name.
    var founders: [Int: [String]] = [:]
    /// Who is in a manifest, and how many training prompts it has.
    var contents: [String: (people: [String], prompts: Int)] = [:]
    var adapters: [Int: LedgerSnapshot.Adapter] = [:]
    var quarantined: Set<Int> = []
    var corrections: [Int: (method: ApproximateMethod, original: LedgerSnapshot.Adapter)] = [:]
    var fallbacks: [Int: CorrectionFallback] = [:]
    var damage: [Int: DamagedAdapter] = [:]
    var damagedFiles: Set<String> = []
    var embedded: Set<String> = []
    /// Digests of validation prompts, by adapter.
    var margins: [String: Set<String>] = [:]
    var tunedFor: [String] = []
    /// Whether the attention in force looks at rows: where there is a choice the tuning chooses so.
    var weighsByRows = false
    var trainingRequested = false
    var records: [Record] = []
    /// What workers' disks may hold, sorted.
    private(set) var copies: [HandedCopy] = []
    var isDiskFull = false
    /// What is on record of workers, by id.
    var fleet: [String: WorkerRecord] = [:]
    /// What operators said of them, as it was carried out.
    var words: [SettledWord] = []

    var workers: [RememberedWorker] {
        fleet.values.sorted { $0.worker < $1.worker }.map {
            RememberedWorker(record: $0, awaySeconds: $0.absence == nil ? nil : 60)
        }
    }
    /// What the last command did that no snapshot shows.
    var notes: [String] = []

    init(shards: Int, partitionWaits: Bool) {
        shardCount = shards
        self.partitionWaits = partitionWaits
    }

    // MARK: the data

    func members(of shard: Int) -> [Person] {
        people.filter { $0.shard == shard && $0.isAssigned }
    }

    func manifest(of shard: Int) -> String {
        let present = members(of: shard).map(\.name)
        let first = founders[shard] ?? []
        return "m\(shard)" + first.filter { !present.contains($0) }.map { "-\($0)" }.joined()
            + present.filter { !first.contains($0) }.map { "+\($0)" }.joined()
    }

    /// To be called whenever people came, were assigned or went.
    mutating func noteManifests() {
        for shard in 0..<shardCount {
            let members = members(of: shard)
            if founders[shard] == nil, !members.isEmpty { founders[shard] = members.map(\.name) }
            contents[manifest(of: shard)] = (members.map(\.name), members.map(\.prompts).reduce(0, +))
        }
    }

    mutating func add(_ newcomers: [(name: String, prompts: Int)], to shard: Int) {
        people += newcomers.map {
            Person(name: $0.name, shard: shard, prompts: $0.prompts, isAssigned: !partitionWaits)
        }
        noteManifests()
    }

    /// Everything is trained, weighed and tuned.
    mutating func train() {
        for index in people.indices { people[index].isAssigned = true }
        noteManifests()
        embedded = Set(people.flatMap { $0.digests + [$0.validation] })
        trainingRequested = true
        for shard in 0..<shardCount where !members(of: shard).isEmpty {
            let manifest = manifest(of: shard)
            let name = Self.adapter(of: manifest)
            adapters[shard] = LedgerSnapshot.Adapter(name: name, manifest: manifest, missingMargins: 0)
            margins[name] = Set(people.map(\.validation))
        }
        tune()
    }

    mutating func tune() {
        tunedFor = tuningSubject
        weighsByRows = adapters.count > 1
    }

    /// It was tuned on data or adapters that are gone.
    mutating func forgetTuning() {
        (tunedFor, weighsByRows) = ([], false)
    }

    /// What training on a manifest gives.
    static func adapter(of manifest: String) -> String { "a" + manifest.dropFirst() }

    func missing(_ rows: MissingValues) -> [String] {
        switch rows {
        case .embeddings:
            people.flatMap { person in
                (partitionWaits && !person.isAssigned ? person.digests : []) + [person.validation]
            }.filter { !embedded.contains($0) }
        case .margins(let adapter):
            people.map(\.validation).filter { margins[adapter]?.contains($0) != true }
        }
    }

    var tuningSubject: [String] {
        (0..<shardCount).map { adapters[$0]?.name ?? "-" } + people.map(\.validation)
    }

    // MARK: what the coordinator is told

    var snapshot: LedgerSnapshot {
        let training = people.map(\.prompts).reduce(0, +)
        let unassigned = people.filter { !$0.isAssigned }.map(\.prompts).reduce(0, +)
        return LedgerSnapshot(
            shards: (0..<shardCount).map(shardSnapshot), hasData: !people.isEmpty,
            isPartitioned: training > 0 && unassigned == 0, unassignedPrompts: unassigned,
            missingEmbeddings: missing(.embeddings).count, trainingPrompts: training,
            validationPrompts: people.count, testPrompts: people.count,
            validationDigest: people.map(\.validation).joined(separator: " "), isTuned: tunedFor == tuningSubject,
            pendingForgets: records.filter { !$0.isFinished }.map { record in
                LedgerSnapshot.PendingForget(
                    id: record.id, received: .distantPast, waitingFor: record.waiting.sorted(),
                    retrained: record.retrained.filter { !members(of: $0).isEmpty }, method: record.method,
                    bridge: record.bridge)
            }, trainingRequested: trainingRequested, weighsByRows: weighsByRows)
    }

    private func shardSnapshot(_ shard: Int) -> LedgerSnapshot.Shard {
        var adapter = adapters[shard]
        if let name = adapter?.name { adapter?.missingMargins = missing(.margins(adapter: name)).count }
        return LedgerSnapshot.Shard(
            index: shard, manifest: manifest(of: shard), prompts: members(of: shard).map(\.prompts).reduce(0, +),
            adapter: adapter, quarantinedSince: quarantined.contains(shard) ? .distantPast : nil,
            correction: corrections[shard]?.method,
            awaitsExact: records.contains { $0.isExact && $0.waiting.contains(shard) }, fallback: fallbacks[shard],
            damage: damage[shard])
    }

    // MARK: copies

    mutating func record(_ copy: HandedCopy) {
        guard !copies.contains(copy) else { return }
        copies.append(copy)
        copies.sort { ($0.worker, $0.shard, $0.manifest) < ($1.worker, $1.shard, $1.manifest) }
    }

    mutating func removeCopies(_ gone: [HandedCopy]) {
        copies.removeAll(where: gone.contains)
    }
}
