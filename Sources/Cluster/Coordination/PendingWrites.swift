import Messages

/// Writes on their way to the ledger, and writes to try again.
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

    private(set) var entries: [Entry] = []
    private var next: LedgerCommandID = 1

    /// Writes that failed for a reason of the ledger's own, and are tried again: what depends on one of them waits for it,
    /// and nothing else does.
    var failing: [Entry] {
        entries.filter { $0.isFailing }
    }

    func isFailing(where condition: (LedgerCommand) -> Bool) -> Bool {
        entries.contains { $0.isFailing && condition($0.command) }
    }

    /// Why nothing is begun now that ends in a result of this kind; nil: it may be.
    ///
    /// Results that cannot be written are kept in memory. They are bounded: once the disk is full, or
    /// `CoordinatorLimits.unwrittenResults` of a kind have failed, no more of the kind are begun, so at most those of tasks
    /// under way are added.
    func obstacle(to kind: WorkerResult) -> ClientError? {
        let errors = entries.filter { $0.isFailing && $0.command.result == kind }.compactMap(\.error)
        return errors.first { $0.code == .diskFull }
            ?? (errors.count >= CoordinatorLimits.unwrittenResults ? errors.first : nil)
    }

    func isHeld(_ kind: WorkerResult) -> Bool { obstacle(to: kind) != nil }

    mutating func begin(_ command: LedgerCommand) -> LedgerCommandID {
        defer { next += 1 }
        entries.append(Entry(id: next, command: command, attempts: 1, phase: .underWay(lastError: nil)))
        return next
    }

    /// Takes out the entry of a command that ended.
    mutating func end(_ id: LedgerCommandID) -> Entry? {
        guard let position = entries.firstIndex(where: { $0.id == id && $0.isUnderWay }) else { return nil }
        return entries.remove(at: position)
    }

    mutating func keepForRetry(_ entry: Entry, error: ClientError, at now: CoordinatorInstant) {
        let range = CoordinatorLimits.ledgerRetrySeconds
        let pause = min(range.upperBound, range.lowerBound * Double(1 << min(entry.attempts - 1, 10)))
        var entry = entry
        entry.phase = .waiting(until: now.advanced(bySeconds: pause), error)
        entries.append(entry)
    }

    /// Entries whose time has come; they count as begun again.
    mutating func takeDue(at now: CoordinatorInstant) -> [Entry] {
        var due: [Entry] = []
        for position in entries.indices {
            guard case .waiting(let time, let error) = entries[position].phase, time <= now else { continue }
            entries[position].phase = .underWay(lastError: error)
            entries[position].attempts += 1
            due.append(entries[position])
        }
        return due
    }

    mutating func drop(_ id: LedgerCommandID) {
        entries.removeAll { $0.id == id }
    }

    mutating func replace(_ id: LedgerCommandID, by command: LedgerCommand) {
        for position in entries.indices where entries[position].id == id { entries[position].command = command }
    }

    func contains(where condition: (LedgerCommand) -> Bool) -> Bool {
        entries.contains { condition($0.command) }
    }

    func isPublishing(shard: Int, manifest: String) -> Bool {
        publisher(of: shard, manifest: manifest) != nil
    }

    /// The worker whose adapter is on its way into the ledger.
    func publisher(of shard: Int, manifest: String) -> String? {
        entries.lazy.compactMap { entry in
            guard case .publish(shard, let report, _, let worker) = entry.command, report.manifest == manifest else {
                return nil
            }
            return worker
        }.first
    }

    func isWriting(_ values: MissingValues) -> Bool {
        contains { $0.saves(values) }
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
}

extension LedgerCommand {
    /// nil: it keeps no result of a worker.
    var result: WorkerResult? {
        switch self {
        case .publish: .adapters
        case .saveEmbeddings: .embeddings
        case .saveMargins: .margins
        case .forget, .requestTraining, .partition, .abandonCorrection, .tuneAttention, .purge, .dropDamaged,
            .finishForget, .settleCopies, .forgetCopy, .quarantine:
            nil
        }
    }

    /// Whether it keeps these rows.
    func saves(_ values: MissingValues) -> Bool {
        switch (self, values) {
        case (.saveEmbeddings, .embeddings): true
        case (.saveMargins(let name, _, _), .margins(let adapter)): name == adapter
        default: false
        }
    }
}
