/// What an operator wants of a worker, until they want something else.
public enum WorkerDuty: String, Codable, Sendable {
    case work
    /// It gets no new work and keeps what it holds.
    case pause
    /// It finishes what it does, hands everything over, deletes what it holds and leaves.
    case drain
}

/// An operator's word about one worker.
public struct WorkerOrder: Codable, Hashable, Sendable {
    public enum Verb: String, Codable, CaseIterable, Sendable {
        case drain, pause, resume
        /// One that is away is declared gone, with its disk, and is not listed any more.
        case remove
    }

    /// Id, or name if only one worker has it.
    public var worker: String
    public var verb: Verb

    public init(worker: String, verb: Verb) {
        self.worker = worker
        self.verb = verb
    }
}

/// What the ledger remembers of a worker, so that those that are away stay known.
public struct WorkerRecord: Codable, Hashable, Sendable {
    public var worker: String
    public var name: String
    /// Host name and process id.
    public var process: String
    public var address: String?
    public var release: String?
    public var threads: Int
    public var isEphemeral: Bool
    public var duty: WorkerDuty
    /// Why it is away; nil: it was here.
    public var absence: String?

    public init(
        worker: String, name: String, process: String, address: String? = nil, release: String? = nil,
        threads: Int = 0, isEphemeral: Bool = false, duty: WorkerDuty = .work, absence: String? = nil
    ) {
        self.worker = worker
        self.name = name
        self.process = process
        self.address = address
        self.release = release
        self.threads = threads
        self.isEphemeral = isEphemeral
        self.duty = duty
        self.absence = absence
    }
}

/// A worker of before this start of the coordinator.
public struct RememberedWorker: Hashable, Sendable {
    public var record: WorkerRecord
    /// Since it was noted that it went; nil: it was here.
    public var awaySeconds: Double?

    public init(record: WorkerRecord, awaySeconds: Double? = nil) {
        self.record = record
        self.awaySeconds = awaySeconds
    }
}
