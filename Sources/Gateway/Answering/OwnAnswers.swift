import Client
import Foundation
import LanguageModels
import Logging
import Messages
import Serving
import ZeroMQ

/// Answers questions in the gateway's own process, while the coordinator lets it.
///
/// One thread keeps the connection and decides (`AnsweringLoop`), one computes. Whoever asks waits in a task.
final class OwnAnswers: Sendable {
    enum Input: Sendable {
        case ask(QuestionID, ClientRequest.QueryRequest, Waiter)
        case abandon(QuestionID)
        case engine(QueryEngine.News)
        case made(Result<SerialThread<QueryEngine, EngineWork>, any Error>)
        case stop
    }

    /// An answer as it goes out, if its permit is good.
    typealias Answer = (json: Data, permit: AnswerPermit)
    typealias Waiter = @Sendable (Result<Answer, any Error>) -> Void

    private let inbox: Mailbox<Input>
    private let counts = Locked(QuestionCounts())
    private let lease = LeaseTime()
    /// Why it cannot answer at all.
    private let failure = Locked<(any Error)?>(nil)
    private let whenFailed: @Sendable (any Error) -> Void
    private let finished = AsyncStream<Void>.makeStream()

    /// - Parameters:
    ///   - connect: called on the thread that keeps the connection.
    ///   - whenFailed: called when the gateway can never answer: another model, another arithmetic.
    /// - Throws: `LanguageModelError` for a model that cannot be used, `ZeroMQError`.
    init(
        model: AnsweringModel, logger: Logger, connect: @escaping @Sendable () throws -> ServingLink,
        whenFailed: @escaping @Sendable (any Error) -> Void
    ) throws {
        self.whenFailed = whenFailed
        let loaded = try ModelLoader.load(path: model.path)
        for warning in loaded.warnings { logger.warning("\(warning)") }
        let inbox = try Mailbox<Input>()
        self.inbox = inbox
        let thread = Thread { [self, lease] in
            do {
                // With the loop its connection ends, which sends what was said last.
                try Self.serve(
                    AnsweringLoop(
                        link: try connect(), model: model, loaded: loaded, inbox: inbox, lease: lease, logger: logger)
                ) { [counts] new in counts.withLock { $0 = new } }
                end(Problem.draining)
            } catch {
                end(error)
                whenFailed(error)
            }
        }
        thread.name = "answering"
        thread.stackSize = 8 << 20
        thread.start()
    }

    private static func serve(
        _ loop: AnsweringLoop, whenCounted: @escaping (QuestionCounts) -> Void
    ) throws {
        loop.whenCounted = whenCounted
        try loop.run()
    }

    /// Whether answers may go out at this moment, and the questions.
    @Sendable func state() -> (hasLease: Bool, questions: QuestionCounts) { (lease.holds, counts.withLock { $0 }) }

    /// Rounds after which what was revoked again and again is refused.
    private static let rounds = 5

    /// Asks several questions; whoever cancels the task leaves them.
    ///
    /// An answer is looked at once more when it goes out, by its permit: until then it is on its way, and may be revoked.
    ///
    /// - `asker`: whose they are: nobody's many questions keep others waiting.
    /// - `body`: makes of the answers what goes out.
    /// - Returns: what goes out if none of the permits has an objection then.
    /// - Throws: `Problem` (the deadline passed), `CancellationError`, why the gateway cannot answer, or what `body` throws.
    func ask<Body>(
        _ requests: [ClientRequest.QueryRequest], by asker: String, deadline: Duration,
        body: (CoordinatorDoor.Answers) throws -> Body
    ) async throws -> (Body, permits: [AnswerPermit]) {
        let end = ContinuousClock.now + deadline
        var answers: [Result<Answer, ClientError>?] = Array(repeating: nil, count: requests.count)
        for round in 1... {
            let missing = answers.indices.filter { answers[$0] == nil }
            try await withThrowingTaskGroup(of: (Int, Result<Answer, ClientError>).self) { group in
                for index in missing {
                    group.addTask { [self] in (index, try await ask(requests[index], by: asker, until: end)) }
                }
                for try await (index, answer) in group { answers[index] = answer }
            }
            let made = try body(answers.compactMap { $0?.map(\.json) })
            // What was computed first may have been revoked while the others were computed.
            var (isCurrent, permits): (Bool, [AnswerPermit]) = (true, [])
            for index in answers.indices {
                guard case .success(let answer)? = answers[index] else { continue }
                guard answer.permit.objection != nil else {
                    permits.append(answer.permit)
                    continue
                }
                isCurrent = false
                let busy = ClientError(
                    code: .busy,
                    message: "what the answer rests on was taken away again and again while it was computed; ask again")
                answers[index] = round < Self.rounds ? nil : .failure(busy)
            }
            if isCurrent { return (made, permits) }
        }
        throw Problem.internalError
    }

    /// What the gateway asks a coordinator otherwise.
    func ask(_ asking: CoordinatorDoor.Asking) async throws -> CoordinatorDoor.Answers {
        let queries = try asking.requests.map { request in
            guard case .query(let query) = request else {
                throw ClientError(code: .invalidRequest, message: "this is no question")
            }
            return query
        }
        let (answers, permits) = try await ask(queries, by: asking.asker, deadline: asking.deadline) {
            try asking.prepared($0)
        }
        for permit in permits { asking.passage.require { permit.objection } }
        return answers
    }

    /// Nothing is answered any more; the coordinator is told.
    func stop() { inbox.post(.stop) }

    /// Returns when it was told: else a forget request would wait for a lease that nobody uses.
    func ended() async { for await _ in finished.stream {} }

    /// - Throws: what is no answer of the cluster.
    private func ask(
        _ request: ClientRequest.QueryRequest, by asker: String, until end: ContinuousClock.Instant
    ) async throws -> Result<Answer, ClientError> {
        if let failure = failure.withLock({ $0 }) { throw failure }
        let id = QuestionID(by: asker, request: UUID().uuidString)
        let waiting = SingleAnswer<Answer>()
        let timer = Task { [lease] in
            try await Task.sleep(until: end, clock: .continuous)
            waiting.end(.failure(lease.holds ? Problem.deadline : Problem.noLease))
        }
        defer { timer.cancel() }
        do {
            return .success(
                try await withTaskCancellationHandler {
                    try await withCheckedThrowingContinuation { continuation in
                        waiting.begin(continuation)
                        inbox.post(.ask(id, request) { waiting.end($0) })
                    }
                } onCancel: {
                    waiting.end(.failure(CancellationError()))
                })
        } catch let error as ClientError {
            return .failure(error)
        } catch {
            inbox.post(.abandon(id))
            throw error
        }
    }

    private func end(_ error: any Error) {
        failure.withLock { $0 = error }
        lease.set(.min)
        for case .ask(_, _, let waiter) in inbox.drain() { waiter(.failure(error)) }
        finished.continuation.finish()
    }
}
