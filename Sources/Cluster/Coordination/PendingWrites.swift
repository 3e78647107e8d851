import Messages

/// Writes on their way to the ledger, and writes to try again: each found by what it is about.
struct PendingWrites: Sendable {
    struct Entry: Sendable {
        enum Phase: Sendable {
            /// The service has it.
            case underWay(lastError: ClientError?)
            case waiting(until: CoordinatorInstant, ClientError)
        }

        var id: LedgerCommandID
        var command: LedgerCommand
        var attempts: Int
        var phase: Phase
        /// It would have a stage answer that its worker has taken back since: it is not tried again.
        var isTakenBack = false

        /// Why it failed last.
        var error: ClientError? {
            switch phase {
            case .underWay(let error): error
            case .waiting(_, let error): error
            }
        }

        var isUnderWay: Bool {
            if case .underWay = phase { true } else { false }
        }

        /// Whether the ledger refused it for a reason of its own, not because the data had changed.
        var isFailing: Bool { error.map { $0.code != .stale } ?? false }
    }

    private var entries: [LedgerCommandID: Entry] = [:]
    private var subjects: [LedgerCommand.Subject: [LedgerCommandID]] = [:]
    /// Those that failed and are tried again, in the order in which they failed last.
    private var retried: [LedgerCommandID] = []
    private var next: LedgerCommandID = 1
    private(set) var publications = 0
    /// Stages that were taken back after they were committed, while no snapshot shows that they answer.
    private var doubtful: [StageOfShard] = []
    /// What writes that began, ended or failed were about. Whoever reads it empties it.
    var touched: [LedgerCommand.Subject] = []

    /// Writes that failed for a reason of the ledger's own, and are tried again: what depends on one of them waits for it,
    /// and nothing else does.
    var failing: [Entry] {
        retried.compactMap { entries[$0] }.filter(\.isFailing)
    }

    /// Whether one about this is on its way or to be tried again.
    func has(_ subject: LedgerCommand.Subject) -> Bool { subjects[subject] != nil }

    func entries(about subject: LedgerCommand.Subject) -> [Entry] {
        subjects[subject]?.compactMap { entries[$0] } ?? []
    }

    func isFailing(_ subject: LedgerCommand.Subject) -> Bool {
        !retried.isEmpty && entries(about: subject).contains(where: \.isFailing)
    }

    /// Why nothing is begun now that ends in a result of this kind; nil: it may be.
    ///
    /// Results that cannot be written are kept in memory. They are bounded: once the disk is full, or
    /// `CoordinatorLimits.unwrittenResults` of a kind have failed, no more of the kind are begun, so at most those of tasks
    /// under way are added.
    func obstacle(to kind: WorkerResult) -> ClientError? {
        guard !retried.isEmpty else { return nil }
        let errors = failing.filter { $0.command.result == kind }.compactMap(\.error)
        return errors.first { $0.code == .diskFull }
            ?? (errors.count >= CoordinatorLimits.unwrittenResults ? errors.first : nil)
    }

    func isHeld(_ kind: WorkerResult) -> Bool { obstacle(to: kind) != nil }

    mutating func begin(_ command: LedgerCommand) -> LedgerCommandID {
        defer { next += 1 }
        insert(Entry(id: next, command: command, attempts: 1, phase: .underWay(lastError: nil)))
        return next
    }

    /// Takes out the entry of a command that ended.
    mutating func end(_ id: LedgerCommandID) -> Entry? {
        guard let entry = entries[id], entry.isUnderWay else { return nil }
        drop(id)
        return entry
    }

    /// - Returns: when it is to be tried again.
    mutating func keepForRetry(
        _ entry: Entry, error: ClientError, at now: CoordinatorInstant, notBefore: CoordinatorInstant
    ) -> CoordinatorInstant {
        let range = CoordinatorLimits.ledgerRetrySeconds
        let pause = min(range.upperBound, range.lowerBound * Double(1 << min(entry.attempts - 1, 10)))
        var entry = entry
        let time = max(notBefore, now.advanced(bySeconds: pause))
        entry.phase = .waiting(until: time, error)
        insert(entry)
        retried.append(entry.id)
        return time
    }

    /// Entries whose time has come; they count as begun again.
    mutating func takeDue(at now: CoordinatorInstant) -> [Entry] {
        var due: [Entry] = []
        for id in retried {
            guard var entry = entries[id], case .waiting(let time, let error) = entry.phase, time <= now else {
                continue
            }
            entry.phase = .underWay(lastError: error)
            entry.attempts += 1
            entries[id] = entry
            touched.append(entry.command.subject)
            due.append(entry)
        }
        return due
    }

    mutating func drop(_ id: LedgerCommandID) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        let subject = entry.command.subject
        subjects[subject]?.removeAll { $0 == id }
        if subjects[subject]?.isEmpty == true { subjects[subject] = nil }
        if !retried.isEmpty { retried.removeAll { $0 == id } }
        if case .publish = entry.command { publications -= 1 }
        touched.append(subject)
    }

    /// - Parameter command: about the same.
    mutating func replace(_ id: LedgerCommandID, by command: LedgerCommand) { entries[id]?.command = command }

    private mutating func insert(_ entry: Entry) {
        entries[entry.id] = entry
        let subject = entry.command.subject
        subjects[subject, default: []].append(entry.id)
        if case .publish = entry.command { publications += 1 }
        touched.append(subject)
    }

    /// What the ledger is asked to forget under the request's id.
    func forgetting(_ request: String) -> ClientRequest.ForgetRequest? {
        entries(about: .forget(request)).lazy.compactMap { entry in
            if case .forget(_, let wanted) = entry.command { wanted } else { nil }
        }.first
    }

    func isPublishing(shard: Int, manifest: String) -> Bool {
        publisher(of: shard, manifest: manifest) != nil
    }

    /// The worker whose adapter is on its way into the ledger.
    func publisher(of shard: Int, manifest: String) -> String? {
        entries(about: .publication(shard: shard)).lazy.compactMap { entry in
            guard case .publish(_, let report, _, let worker) = entry.command, report.manifest == manifest,
                !entry.isTakenBack
            else { return nil }
            return worker
        }.first
    }

    /// Content name of the stage that is on its way into the ledger to answer for the shard.
    func stage(publishedFor shard: Int) -> String? {
        entries(about: .publication(shard: shard)).lazy.compactMap { entry in
            guard !entry.isTakenBack, case .publish(_, let report, _, _) = entry.command, report.isStage else {
                return nil
            }
            return report.adapter
        }.first
    }

    /// The shard for which the worker's stage of this content name is on its way into the ledger.
    func shard(publishing stage: String, by worker: String) -> Int? {
        guard publications > 0 else { return nil }
        return entries.values.lazy.compactMap { entry in
            guard case .publish(let shard, let report, _, worker) = entry.command, report.isStage, !entry.isTakenBack
            else { return nil }
            return report.adapter == stage ? shard : nil
        }.min()
    }

    /// The stage is not to answer after all: what would have it do so is not tried again.
    mutating func takeBack(_ stage: String, of shard: Int) {
        for entry in entries(about: .publication(shard: shard)) {
            guard case .publish(_, let report, _, _) = entry.command, report.isStage, report.adapter == stage else {
                continue
            }
            if entry.isUnderWay {
                entries[entry.id]?.isTakenBack = true
            } else {
                if entry.error?.code == .unread { doubt(entry) }
                drop(entry.id)
            }
        }
    }

    /// Whether the stage may answer for the shard in the ledger though it was taken back, and no snapshot shows it.
    func mayServe(_ stage: String, for shard: Int) -> Bool {
        doubtful.contains(StageOfShard(shard: shard, stage: stage))
            || entries(about: .publication(shard: shard)).contains { entry in
                guard entry.isTakenBack, case .publish(_, let report, _, _) = entry.command else { return false }
                return report.adapter == stage
            }
    }

    /// The publication of a stage that was taken back is committed, and the ledger could not be read after that.
    mutating func doubt(_ entry: Entry) {
        guard case .publish(let shard, let report, _, _) = entry.command else { return }
        doubtful.append(StageOfShard(shard: shard, stage: report.adapter))
    }

    /// A snapshot of after those commits has come.
    mutating func endDoubts() { doubtful = [] }

    private struct StageOfShard: Hashable, Sendable {
        var shard: Int
        var stage: String
    }

    func isWithdrawing(_ stage: String, of shard: Int) -> Bool {
        let command = LedgerCommand.withdrawStage(shard: shard, adapter: stage)
        return entries(about: command.subject).contains { $0.command == command }
    }

    func isGivingUpCorrection(of shard: Int, manifest: String) -> Bool {
        entries(about: .correction(shard: shard)).contains { entry in
            if case .abandonCorrection(_, manifest, _) = entry.command { true } else { false }
        }
    }
}

/// What workers compute and the ledger keeps, by kind.
enum WorkerResult: CaseIterable, Sendable {
    case adapters, embeddings, margins
}

extension MissingValues {
    var result: WorkerResult {
        switch self {
        case .embeddings: .embeddings
        case .margins: .margins
        }
    }

    /// What writes that keep these rows are about.
    var subject: LedgerCommand.Subject {
        switch self {
        case .embeddings: .embeddings
        case .margins(let adapter): .rows(adapter: adapter)
        }
    }
}

extension LedgerCommand {
    /// What a write is about: others that depend on it look for it under this name.
    enum Subject: Hashable, Sendable {
        case forget(String)
        case training(String)
        case embeddings
        case partition
        case publication(shard: Int)
        case correction(shard: Int)
        case rows(adapter: String)
        case tuning
        case purge
        case file(adapter: String)
        case end(String)
        case copies(worker: String)
        case declaration(String)
        case dispute(shard: Int)
        case duty(String)
        case fleet
    }

    var subject: Subject {
        switch self {
        case .forget(let request, _): .forget(request)
        case .requestTraining(let request): .training(request)
        case .saveEmbeddings: .embeddings
        case .partition: .partition
        case .publish(let shard, _, _, _), .withdrawStage(let shard, _): .publication(shard: shard)
        case .abandonCorrection(let shard, _, _): .correction(shard: shard)
        case .saveMargins(let adapter, _, _): .rows(adapter: adapter)
        case .tuneAttention: .tuning
        case .purge: .purge
        case .dropDamaged(let adapter): .file(adapter: adapter)
        case .finishForget(let request, _): .end(request)
        case .settleCopies(let settlement): .copies(worker: settlement.worker)
        case .forgetCopy(let word, _): .declaration(word.request)
        case .quarantine(let dispute): .dispute(shard: dispute.shard)
        case .noteWorkers: .fleet
        case .setDuty(let word, _): .duty(word.request)
        }
    }

    /// nil: it keeps no result of a worker.
    var result: WorkerResult? {
        switch self {
        case .publish: .adapters
        case .saveEmbeddings: .embeddings
        case .saveMargins: .margins
        case .forget, .requestTraining, .partition, .abandonCorrection, .tuneAttention, .purge, .dropDamaged,
            .withdrawStage, .finishForget, .settleCopies, .forgetCopy, .quarantine, .noteWorkers, .setDuty:
            nil
        }
    }
}
