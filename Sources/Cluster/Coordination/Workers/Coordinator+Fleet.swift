import Messages

/// Workers of which the ledger has something else than is known by now.
struct FleetNotes: Sendable {
    private var touched: Set<String> = []
    /// Those that are not listed any more.
    private var gone: Set<String> = []
    /// Whether those were noted that were expected at the start and did not come.
    var hasNotedUnseen = false

    var isEmpty: Bool { touched.isEmpty && gone.isEmpty }

    mutating func note(_ worker: String) {
        touched.insert(worker)
        gone.remove(worker)
    }

    mutating func drop(_ worker: String) {
        touched.remove(worker)
        gone.insert(worker)
    }

    mutating func take() -> (touched: [String], gone: [String]) {
        defer { (self.touched, self.gone) = ([], []) }
        return (touched.sorted(), gone.sorted())
    }
}

/// The list of workers outlives the coordinator: those that are away stay on it until they are removed.
extension Coordinator {
    /// Writes what changed, all together, one write at a time.
    mutating func noteFleet() {
        guard !fleet.isEmpty, !writes.has(.fleet) else { return }
        let (touched, gone) = fleet.take()
        var records: [WorkerRecord] = []
        for worker in touched.compactMap({ roster[$0] }) where worker.record != worker.recorded {
            records.append(worker.record)
            roster.update(worker.id) { ($0.recorded, $0.isListed) = ($0.record, true) }
        }
        guard !records.isEmpty || !gone.isEmpty else { return }
        write(.noteWorkers(records, gone: gone))
    }

    /// Those of before the start that have not come: since when they are away is to be known after another start, too.
    mutating func noteUnseen() {
        guard !fleet.hasNotedUnseen, now >= startedUntil else { return }
        fleet.hasNotedUnseen = true
        for worker in roster.workers where !worker.isLive && worker.record != worker.recorded { fleet.note(worker.id) }
    }

    /// What is to be written in place of what failed: more may have become known since.
    func renewed(_ records: [WorkerRecord], gone: [String]) -> LedgerCommand {
        let known = records.compactMap { roster[$0.worker]?.record }
        let lost = records.map(\.worker).filter { roster[$0] == nil }
        return .noteWorkers(known, gone: (gone.filter { roster[$0] == nil } + lost).sorted())
    }

    /// The worker is not known any more: the ledger is told the last that was known of its copies.
    mutating func unlist(_ worker: String) {
        settleAtLast(worker)
        if roster[worker]?.isListed == true { fleet.drop(worker) }
        roster[worker] = nil
    }

    // MARK: names

    /// What the worker is called: as it wants to be; else as it was, or its host with the smallest number that is free.
    func name(for hello: WorkerMessage.Hello, known: String) -> String {
        if let label = hello.label { return label }
        let host = WorkerName.host(of: hello.name.clipped)
        if WorkerName.isNumbered(known, host: host) { return known }
        let others = roster.workers.lazy.filter { $0.id != hello.worker && $0.name.hasPrefix(host) }
        return WorkerName.numbered(host: host, taken: Set(others.map(\.name)))
    }

    /// The worker of that id, or the only one of that name.
    func find(_ wanted: String) -> Result<KnownWorker, ClientError> {
        if let worker = roster[wanted] { return .success(worker) }
        let named = workers(called: wanted)
        guard let worker = named.first, named.count == 1 else {
            return .failure(.noSuchWorker(wanted, among: named.map(\.id)))
        }
        return .success(worker)
    }

    /// Sorted by id.
    func workers(called name: String) -> [KnownWorker] {
        roster.workers.filter { $0.name == name || $0.process == name }
    }
}

extension KnownWorker {
    mutating func introduce(_ hello: WorkerMessage.Hello, as name: String, at now: CoordinatorInstant) {
        self.name = name
        process = hello.name.clipped.printable
        claim = hello.claim.clipped
        threads = hello.threads
        address = hello.address
        release = hello.release?.clipped.printable
        protocolVersion = hello.protocolVersion
        started = hello.uptimeSeconds.map { now.advanced(bySeconds: -$0) }
        isEphemeral = hello.isEphemeral == true
        knowsLeave = hello.knowsLeave == true
        isLeaving = false
        toldToLeave = nil
        away = nil
    }
}
