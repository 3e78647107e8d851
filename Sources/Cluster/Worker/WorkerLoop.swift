import Foundation
import Logging
import Messages
import Unlearning
import ZeroMQ

/// The socket loop of a worker process. Lives on one thread.
final class WorkerLoop {
    let configuration: WorkerConfiguration
    let directory: DataDirectory
    private let temporaryFolder: String
    let memory: GenerationMemory
    let logger: Logger
    private let requests: EndRequests
    private let health: WorkerHealth
    let link: Link
    let reports: Mailbox<WorkerReport>
    let clock = ContinuousClock()
    private let start: ContinuousClock.Instant
    var connection: ConnectionState
    /// Asked to end: until then the worker goes on with what it computes.
    var leavesAt: Double?
    /// The coordinator has nothing left for this worker.
    var mayLeave = false
    private var hasBegun = false
    var attempts = 0
    /// Of why no connection comes about; none: one did since.
    private var warnings: Set<String> = []
    /// The number of the address at which a coordinator took this worker last; nil: none did, or it does not any more.
    private var takenAt: Int?
    var threadsRunning = 0
    var notes = ClearedNotes()
    /// The cluster that the shards on the disk are of.
    var cluster: String?
    /// When others' leftovers are looked for again, or the search for the coordinator ends.
    private var nextLook = 0.0

    init(
        configuration: WorkerConfiguration, directory: DataDirectory, temporaryFolder: String, logger: Logger,
        requests: EndRequests, health: WorkerHealth
    ) throws(ZeroMQError) {
        self.configuration = configuration
        self.directory = directory
        self.temporaryFolder = temporaryFolder
        cluster = WorkerFiles.cluster(in: directory.path)
        memory = GenerationMemory(directory: "\(directory.path)/\(WorkerFiles.clusters)")
        self.logger = logger
        (self.requests, self.health) = (requests, health)
        connection = ConnectionState(addresses: configuration.coordinators.count)
        reports = try Mailbox()
        let (clock, start) = (clock, ContinuousClock.now)
        self.start = start
        link = try Link(options: { Self.options(configuration, to: $0) }, now: { (clock.now - start) / .seconds(1) })
    }

    var now: Double { (clock.now - start) / .seconds(1) }

    /// Returns after a stop request.
    func run(makeExecutor: @escaping @Sendable () throws -> any TaskExecutor) throws {
        health.begin()
        // Long enough for a goodbye on its way.
        defer { link.quit(within: .seconds(2)) }
        let post: @Sendable (WorkerReport) -> Void = { [reports] in reports.post($0) }
        let compute = try ComputeThread(makeExecutor: makeExecutor, report: post)
        threadsRunning += 1
        defer {
            compute.quit()
            waitForThreads()
        }
        guard let executor = try awaitExecutor() else { return }
        let storage = try StorageThread(
            directory: directory.path,
            abandoned: AbandonedDirectories(
                beside: directory, endpoint: configuration.coordinator, temporaryFolder: temporaryFolder,
                age: configuration.abandonedAfter),
            executor: executor, logger: logger, report: post)
        threadsRunning += 1
        defer { storage.quit() }
        guard let copies = try awaitStore() else { return }
        logger.info(
            "worker \(directory.worker) is ready: \(executor.precision.rawValue), \(copies.count) shards kept")
        var state = WorkerLogic(executor: executor, copies: copies)
        if configuration.disposal == .deletedAtOnce { nextLook = now + Self.longestSearch }
        while true {
            if let heard = link.lastHeard { connection.received(at: heard) }
            for action in connection.tick(at: now) {
                try perform(action, executor: executor, &state, compute, storage)
            }
            health.note(isConnected: connection.isConnected)
            let ready = try poll()
            if ready.stop || isTimeToLeave(isAsked: ready.leave) { return leave(state, storage) }
            if ready.link { try receive(executor, &state, compute, storage) }
            if mayLeave { return leave(state, storage) }
            if configuration.disposal == .deletedAtOnce {
                if connection.isConnected { return leave(state, storage) }
                if now >= nextLook {
                    leave(state, storage)
                    throw WorkerError.deletedUntold
                }
            } else if now >= nextLook {
                nextLook = now + configuration.abandonedAfter / .seconds(1) / 4
                storage.clearAbandoned(at: now)
            }
            for report in reports.drain() {
                guard let event = event(report) else { continue }
                try perform(state.handle(event), &state, compute, storage)
            }
            try sayCleared()
        }
    }

    // MARK: - Start and end

    /// nil after a stop request.
    private func awaitExecutor() throws -> ExecutorDescription? {
        while true {
            let ready = try poll()
            for report in reports.drain() {
                switch report {
                case .executorReady(let result): return try result.get()
                case .ended: threadsRunning -= 1
                default: break
                }
            }
            if ready.stop { return nil }
        }
    }

    private func awaitStore() throws -> [ShardCopy]? {
        while true {
            let ready = try poll()
            for report in reports.drain() {
                switch report {
                case .storeReady(let result): return try result.get()
                case .ended: threadsRunning -= 1
                default: break
                }
            }
            if ready.stop { return nil }
        }
    }

    /// The threads end at the next step; a computation that takes longer is not waited for.
    private func waitForThreads() {
        let deadline = clock.now + .seconds(2)
        while threadsRunning > 0, clock.now < deadline {
            for case .ended in reports.take(timeout: deadline - clock.now) { threadsRunning -= 1 }
        }
    }

    // MARK: - Events

    private func poll() throws(ZeroMQError) -> (link: Bool, stop: Bool, leave: Bool) {
        let sources: [Poller.Source] = [
            .descriptor(requests.stop.descriptor), .descriptor(reports.descriptor), .descriptor(link.descriptor),
            .descriptor(requests.leave.descriptor),
        ]
        let next = min(nextLook, leavesAt ?? .infinity)
        // One millisecond more: a wait that is rounded down would spin.
        let wait =
            hasBegun
            ? Duration.seconds(max(0, min(connection.wait(at: now), next - now))) + .milliseconds(1) : nil
        let ready = try Poller(sources).wait(timeout: wait)
        if ready[3] { requests.leave.reset() }
        // Before there is any work to finish both end the worker.
        return (ready[2], ready[0] || (ready[3] && !hasBegun), ready[3])
    }

    private func event(_ report: WorkerReport) -> WorkerLogic.Event? {
        switch report {
        case .storage(let result): return .storage(result)
        case .progress(let job, let progress): return .progress(job, progress)
        case .stage(let job, let stage): return .stage(job, stage)
        case .answers(let job): return .answers(job)
        case .finished(let job, let outcome):
            logEnd(of: job, outcome)
            return .finished(job, outcome)
        case .ended:
            threadsRunning -= 1
            return nil
        case .cleared(let found):
            notes.add(found)
            return nil
        case .executorReady, .storeReady, .deletedShards: return nil
        }
    }

    // MARK: - Actions

    private func perform(
        _ action: ConnectionState.Action, executor: ExecutorDescription, _ state: inout WorkerLogic,
        _ compute: ComputeThread, _ storage: StorageThread
    ) throws {
        switch action {
        case .connect(let address):
            if attempts == 3 {
                let tried = configuration.coordinators.joined(separator: ", ")
                warn("no answer from a coordinator at \(tried); \(cause)")
            }
            attempts += 1
            hasBegun = true
            link.connect(to: configuration.coordinators[address])
            try send(.hello(hello(executor, state)))
        case .lost:
            logger.warning("lost the coordinator; trying to reach it again")
            try disconnected(&state, compute, storage)
        }
    }

    func disconnected(_ state: inout WorkerLogic, _ compute: ComputeThread, _ storage: StorageThread) throws {
        notes.disconnected()
        try perform(state.handle(.disconnected), &state, compute, storage)
    }

    func perform(
        _ actions: [WorkerLogic.Action], _ state: inout WorkerLogic, _ compute: ComputeThread,
        _ storage: StorageThread
    ) throws {
        for action in actions {
            switch action {
            case .send(let message): try send(message)
            case .storage(let command): storage.run(command)
            case .start(let job):
                logBeginning(of: job)
                compute.run(job)
            case .cancel(let job): compute.cancel(job)
            case .forgetKeys: storage.forgetKeys()
            case .log(let line): logger.info("\(line)")
            }
        }
    }

    /// The address that is tried, or answers.
    var endpoint: String { configuration.coordinators[connection.address] }

    /// Why nothing comes from the coordinator, as far as it is known.
    var cause: String {
        link.attempt.cause(
            endpoint: endpoint, keys: configuration.curve.map { ($0.own.publicKey, $0.coordinator) })
    }

    /// The same is not said again and again.
    func warn(_ text: String) {
        if warnings.count >= 64 { warnings = [] }
        guard warnings.insert(text).inserted else { return }
        logger.warning("\(text)")
    }

    func noteWelcome() {
        (attempts, warnings, takenAt) = (0, [], connection.address)
    }

    /// Whether the coordinator that answers is the one that took this worker last; no longer.
    func losesPlace() -> Bool {
        defer { if takenAt == connection.address { takenAt = nil } }
        return takenAt == connection.address
    }

    /// Messages of a connection that is gone are dropped: the next hello says how things are.
    func send(_ message: WorkerMessage) throws {
        do throws(WireError) {
            link.send(try Parcel(message))
        } catch {
            logger.error("cannot send: \(error)")
            guard let task = message.answeredTask ?? message.askingTask else { return }
            try send(.failed(task: task, code: .tooLarge, message: "\(error)"))
        }
    }

    private static func options(_ configuration: WorkerConfiguration, to endpoint: String) -> SocketOptions {
        var options = SocketOptions()
        options.maximumFrameSize = Int64(WireLimits.frame)
        // Long enough for a goodbye on its way.
        options.linger = .milliseconds(300)
        options.reconnectIntervalMaximum = .seconds(1)
        let curve = configuration.curve ?? .local(endpoint)
        options.curve = curve.map { .client($0.own, serverKey: $0.coordinator) }
        return options
    }

    func hello(
        _ executor: ExecutorDescription, _ state: WorkerLogic
    ) -> WorkerMessage.Hello {
        var hello = WorkerMessage.Hello(
            worker: directory.worker, secret: directory.secret,
            name: "\(ProcessInfo.processInfo.hostName):\(ProcessInfo.processInfo.processIdentifier)",
            protocolVersion: Int(WireLimits.version), base: executor.base, precision: executor.precision,
            arithmetic: executor.arithmetic, threads: executor.threads, copies: state.currentCopies,
            known: memory.all(), work: state.heldTasks)
        hello.label = configuration.name
        hello.release = Release.version
        hello.uptimeSeconds = now
        hello.isEphemeral = directory.isRemovedAtEnd
        hello.knowsLeave = true
        hello.averagings = WeightAveraging.allCases.map(\.rawValue)
        hello.methods = ComparisonMethod.allCases.map(\.rawValue)
        hello.comparison = ComparisonPlan.revision
        return hello
    }
}
