import Foundation
import Messages

/// Connections to the coordinator, each on a thread of its own, and a bounded queue before them.
///
/// The coordinator's client waits on its thread; whoever asks here waits in a task that can be cancelled. A question whose
/// asker is gone leaves the queue, or its connection is closed, so that the coordinator drops what only it asked for. Of several
/// who ask (`Asking.asker`) everybody's turn comes round, and where the queue is full nobody is refused because of what another sent.
final class ConnectionPool: @unchecked Sendable {
    typealias Asking = CoordinatorDoor.Asking
    typealias Answers = CoordinatorDoor.Answers

    private let condition = NSCondition()
    private var queue: [Job] = []
    /// Those that a connection works on.
    private var running: [Job] = []
    /// When a request of theirs was begun last, of those who have some here.
    private var lastTurns: [String: UInt64] = [:]
    private var turn: UInt64 = 0
    private var isStopped = false
    private let limit: Int
    private let connections: Int
    private let newestFirst: Bool

    /// - Parameters:
    ///   - waiting: requests that may wait for a connection.
    ///   - newestFirst: while more wait than there are connections, the last to come of one asker's goes first: in turn, each would
    ///     wait until it is about to give up, and be computed for nobody.
    ///   - connect: called on each thread, when it is first needed.
    init(
        connections: Int, waiting: Int, name: String, newestFirst: Bool = false,
        connect: @escaping @Sendable () throws -> any CoordinatorConnection
    ) {
        limit = waiting
        self.connections = connections
        self.newestFirst = newestFirst
        for number in 0..<connections {
            let thread = Thread { [weak self] in
                var connection: (any CoordinatorConnection)?
                while let job = self?.next() {
                    job.end(Self.result(of: job, &connection, connect))
                    self?.done(job)
                    if job.isUnanswerable { self?.failWaiting(like: job) }
                }
            }
            thread.name = "\(name)-\(number)"
            thread.start()
        }
    }

    /// Those that nobody has given up.
    var waiting: Int { condition.withLock { queue.count(where: \.isOpen) } }

    /// - Throws: `Problem`: the queue is full, or the deadline passed; `ClientError` of the connection; `CancellationError`.
    func ask(_ asking: Asking) async throws -> Answers {
        let job = Job(asking)
        let timer = Task {
            try await Task.sleep(for: asking.deadline)
            job.end(.failure(Problem.deadline))
        }
        defer { timer.cancel() }
        return try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                job.begin(continuation)
                if let (refused, problem) = enqueue(job) { refused.end(.failure(problem)) }
            }
        } onCancel: {
            job.end(.failure(CancellationError()))
        }
    }

    /// Nothing is taken any more; who waits, also for an answer that is on its way, is told.
    func stop() {
        let left = condition.withLock {
            isStopped = true
            defer { queue = [] }
            condition.broadcast()
            return queue + running
        }
        for job in left { job.end(.failure(Problem.draining)) }
    }

    /// - Returns: what is not to wait, and why: itself, or where the queue is full one of whoever has the most in it.
    private func enqueue(_ job: Job) -> (Job, Problem)? {
        condition.withLock {
            guard !isStopped else { return (job, .draining) }
            if queue.count >= limit { queue.removeAll { !$0.isOpen } }
            var refused: Job?
            if queue.count >= limit {
                guard let position = positionToGiveUp(for: job.asking.asker) else { return (job, .queueFull) }
                refused = queue.remove(at: position)
            }
            queue.append(job)
            condition.signal()
            return refused.map { ($0, .queueFull) }
        }
    }

    /// Of those who have the most, the request that has waited longest; nil: nobody has so many more than this one that it would be
    /// another's turn to be refused.
    private func positionToGiveUp(for asker: String) -> Int? {
        let waiting = Self.counted(queue)
        guard let most = waiting.values.max(), most >= (waiting[asker] ?? 0) + 2 else { return nil }
        return queue.firstIndex { waiting[$0.asking.asker] == most }
    }

    private static func counted(_ jobs: [Job]) -> [String: Int] {
        jobs.reduce(into: [:]) { $0[$1.asking.asker, default: 0] += 1 }
    }

    private func next() -> Job? {
        condition.lock()
        defer { condition.unlock() }
        while true {
            // Whoever has gone must not make it look overloaded.
            queue.removeAll { !$0.isOpen }
            if let position = nextPosition() {
                let job = queue.remove(at: position)
                turn += 1
                lastTurns[job.asking.asker] = turn
                running.append(job)
                return job
            }
            if isStopped { return nil }
            condition.wait()
        }
    }

    /// One of whoever has the fewest on connections and, of those, whose turn is longest ago.
    private func nextPosition() -> Int? {
        let working = Self.counted(running)
        let present = Set(queue.map(\.asking.asker))
        lastTurns = lastTurns.filter { working[$0.key] != nil || present.contains($0.key) }
        let isOverloaded = newestFirst && queue.count > connections
        var best: (rank: (working: Int, lastTurn: UInt64), position: Int)?
        for position in isOverloaded ? Array(queue.indices.reversed()) : Array(queue.indices) {
            let asker = queue[position].asking.asker
            let rank = (working: working[asker] ?? 0, lastTurn: lastTurns[asker] ?? 0)
            if best.map({ rank < $0.rank }) ?? true { best = (rank, position) }
        }
        return best?.position
    }

    private func done(_ job: Job) {
        condition.withLock { running.removeAll { $0 === job } }
    }

    /// Where nobody answers, those who wait would wait for the same, unless they have more patience.
    private func failWaiting(like failed: Job) {
        let left = condition.withLock {
            let left = queue.filter { $0.asking.patience <= failed.asking.patience }
            queue.removeAll { $0.asking.patience <= failed.asking.patience }
            return left
        }
        for job in left { job.end(failed.outcome ?? .failure(Problem.draining)) }
    }

    private static func result(
        of job: Job, _ connection: inout (any CoordinatorConnection)?,
        _ connect: () throws -> any CoordinatorConnection
    ) -> Result<Answers, any Error> {
        do {
            let connected = try connection ?? connect()
            connection = connected
            return .success(try connected.exchange(job.asking) { job.isOpen })
        } catch {
            return .failure(error)
        }
    }
}

/// One asking.
private final class Job: Sendable {
    let asking: CoordinatorDoor.Asking
    private let answer = SingleAnswer<CoordinatorDoor.Answers>()

    init(_ asking: CoordinatorDoor.Asking) { self.asking = asking }

    var outcome: Result<CoordinatorDoor.Answers, any Error>? { answer.outcome }
    var isOpen: Bool { outcome == nil }

    /// Whether no coordinator answered.
    var isUnanswerable: Bool {
        guard case .failure(let error as ClientError)? = outcome else { return false }
        return error.code == .unreachable
    }

    func begin(_ continuation: CheckedContinuation<CoordinatorDoor.Answers, any Error>) { answer.begin(continuation) }
    func end(_ result: Result<CoordinatorDoor.Answers, any Error>) { answer.end(result) }
}
