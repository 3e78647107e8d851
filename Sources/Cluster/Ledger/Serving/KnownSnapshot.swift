import GRDB
import Messages
import Recommendation
import Unlearning

/// A snapshot that is brought up to date by what changed.
struct KnownSnapshot {
    private(set) var snapshot: LedgerSnapshot
    /// `forget_requests.number` of the snapshot's pending requests.
    private var numbers: [Int64] = []
    /// Training prompts that have a shard.
    private var dealt = 0
    /// What the attention in force was chosen for; nil: nothing was chosen.
    private var tuning: TuningRecord?

    /// Everything, from the first row to the last.
    init(_ ledger: Ledger, _ db: Database) throws {
        snapshot = LedgerSnapshot(
            shards: [], hasData: false, isPartitioned: false, unassignedPrompts: 0, missingEmbeddings: 0,
            trainingPrompts: 0, validationPrompts: 0, testPrompts: 0, validationDigest: "", isTuned: false,
            pendingForgets: [], trainingRequested: false)
        try readRest(ledger, db)
        snapshot.shards = ChunkedList(try ShardReading.all(db, references: snapshot.referencePrompts))
        dealt = snapshot.shards.reduce(0) { $0 + $1.prompts }
        for (number, request) in try PendingReading.all(db) {
            numbers.append(number)
            snapshot.pendingForgets.append(request)
        }
        derive(ledger)
    }

    mutating func update(_ changes: SnapshotChanges, _ ledger: Ledger, _ db: Database) throws {
        if changes.isRestChanged {
            let before = snapshot.referencePrompts
            try readRest(ledger, db)
            if snapshot.referencePrompts != before { addToMissing(snapshot.referencePrompts - before) }
        }
        for shard in changes.shards { try readShard(shard, db) }
        for request in changes.requests { try readRequest(request, db) }
        derive(ledger)
    }

    private mutating func readRest(_ ledger: Ledger, _ db: Database) throws {
        var counts = SplitCounts()
        var likes = 0
        for row in try Row.fetchAll(db, sql: "SELECT split, prompts, likes FROM splits") {
            let split: Split = try row.choice("split", in: "splits")
            counts[split] = try row.count("prompts", in: "splits")
            if split == .train { likes = try row.count("likes", in: "splits") }
        }
        (snapshot.trainingPrompts, snapshot.validationPrompts, snapshot.testPrompts) = (
            counts.train, counts.validation, counts.test
        )
        (snapshot.referencePrompts, snapshot.validationDigest) = try ledger.references(db)
        snapshot.hasData = try Bool.fetchOne(db, sql: "SELECT EXISTS (SELECT 1 FROM people)") ?? false
        snapshot.missingEmbeddings = max(0, try Int.fetchOne(db, sql: "SELECT wanting FROM totals") ?? 0)
        snapshot.trainingRequested = try Meta.trainingRequested.value(Bool.self, db) ?? false
        snapshot.purgePending = try Meta.purgePending.value(Bool.self, db) ?? false
        snapshot.isImporting = try !ledger.importsBeingTaken(db).isEmpty
        snapshot.labels = try ledger.recordedPrompts(db).map {
            LedgerSnapshot.Labels(likes: likes, likeAbove: $0.likeAbove)
        }
        tuning = try TuningRecord(db)
    }

    /// As many more prompts want a margin from every adapter.
    private mutating func addToMissing(_ count: Int) {
        for index in snapshot.shards.indices { snapshot.shards[index].adapter?.missingMargins += count }
    }

    private mutating func readShard(_ number: Int, _ db: Database) throws {
        let shard = try ShardReading.one(number, db, references: snapshot.referencePrompts)
        guard let shard, snapshot.shards.indices.contains(number), snapshot.shards[number].index == number else {
            // Shards neither come nor go; whatever this is, it is what a restart would read.
            snapshot.shards = ChunkedList(try ShardReading.all(db, references: snapshot.referencePrompts))
            dealt = snapshot.shards.reduce(0) { $0 + $1.prompts }
            return
        }
        dealt += shard.prompts - snapshot.shards[number].prompts
        snapshot.shards[number] = shard
    }

    private mutating func readRequest(_ number: Int64, _ db: Database) throws {
        var (low, high) = (0, numbers.count)
        while low < high {
            let middle = (low + high) / 2
            if numbers[middle] < number { low = middle + 1 } else { high = middle }
        }
        let isKnown = low < numbers.count && numbers[low] == number
        switch (try PendingReading.one(number, db), isKnown) {
        case (let request?, true): snapshot.pendingForgets[low] = request
        case (let request?, false):
            numbers.insert(number, at: low)
            snapshot.pendingForgets.insert(request, at: low)
        case (nil, true):
            numbers.remove(at: low)
            snapshot.pendingForgets.remove(at: low)
        case (nil, false): break
        }
    }

    /// What follows from the rest of it.
    private mutating func derive(_ ledger: Ledger) {
        let all = snapshot.trainingPrompts
        snapshot.isPartitioned = all > 0 && dealt == all
        snapshot.unassignedPrompts = all - dealt
        snapshot.weighsByRows = tuning.map { $0.tau != 0 } ?? false
        snapshot.isTuned =
            tuning.map {
                $0.rule == ledger.configuration.rule.rawValue
                    && $0.basis
                        == Ledger.basis(
                            references: snapshot.validationDigest,
                            adapters: snapshot.shards.compactMap { shard in shard.adapter.map { (shard.index, $0.name) }
                            })
            } ?? false
    }
}

/// The row of the attention in force.
struct TuningRecord {
    var tau: Double
    var rule: String
    /// `Ledger.basis`.
    var basis: String

    /// nil: there is none.
    init?(_ db: Database) throws {
        guard let row = try Row.fetchOne(db, sql: "SELECT tau, rule, basis FROM tuning") else { return nil }
        (tau, rule, basis) = (
            try row.value("tau", in: "tuning"), try row.value("rule", in: "tuning"),
            try row.value("basis", in: "tuning")
        )
    }
}
