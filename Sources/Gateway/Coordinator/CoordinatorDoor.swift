import Client
import Foundation
import Messages

/// What the gateway asks of a coordinator: the whole of it, so that tests can stand in its place.
public struct CoordinatorDoor: Sendable {
    /// What waits for what, of all that is no question.
    public enum Lane: Sendable {
        /// What a client has to wait for long, each with connections of its own.
        case imports, forgets
        /// What the gateway says of the cluster: probes ask for it.
        case view
        case others
    }

    public struct Asking: Sendable {
        /// Sent together, by one connection.
        public var requests: [ClientRequest]
        /// Of a single request: its name; repeating one gives the stored reply. nil: a random one.
        public var id: String?
        /// After which nobody waits any more.
        public var deadline: Duration
        /// How long the coordinator may be silent.
        public var patience: Duration
        /// Whose it is: where it is full, nobody's many requests keep others out. Empty: the gateway's own.
        public var asker = ""
        /// Of what is no question.
        public var lane = Lane.others
        /// Makes of the replies the one that goes out, before it is looked for the last time whether it may; nil: they are it.
        public var body: (@Sendable (Answers) throws -> Data)?
        /// Where whoever answers leaves what is to be looked at when the answer goes out.
        var passage = Passage()

        /// What goes out.
        func prepared(_ answers: Answers) throws -> Answers {
            guard let body else { return answers }
            return [.success(try body(answers))]
        }

        public init(
            _ requests: [ClientRequest], id: String? = nil, deadline: Duration, patience: Duration = .seconds(10)
        ) {
            self.requests = requests
            self.id = id
            self.deadline = deadline
            self.patience = patience
        }
    }

    /// The reply to each, as the coordinator wrote it.
    public typealias Answers = [Result<Data, ClientError>]

    /// Of questions; with a body that is the one reply. They have connections of their own, so that nobody's forget request waits behind them.
    ///
    /// Throws `Problem`, `ClientError` or, when its task is cancelled, `CancellationError`: the coordinator is left then.
    public var askQuestions: @Sendable (Asking) async throws -> Answers
    /// Everything else.
    public var askOther: @Sendable (Asking) async throws -> Answers
    /// Questions and other requests that wait for a connection.
    public var waiting: @Sendable () -> (questions: Int, others: Int)

    public init(
        askQuestions: @escaping @Sendable (Asking) async throws -> Answers,
        askOther: @escaping @Sendable (Asking) async throws -> Answers,
        waiting: @escaping @Sendable () -> (questions: Int, others: Int) = { (0, 0) }
    ) {
        self.askQuestions = askQuestions
        self.askOther = askOther
        self.waiting = waiting
    }

    /// One request that is no question.
    ///
    /// - `id`: its name; nil: a random one.
    /// - `asker`: whose it is; empty: the gateway's own.
    /// - `lane`: what it may keep waiting.
    /// - `deadline`: after which nobody waits any more.
    /// - `patience`: how long the coordinator may be silent.
    func ask(
        _ request: ClientRequest, id: String? = nil, by asker: String = "", on lane: Lane = .others,
        deadline: Duration = .seconds(30), patience: Duration = .seconds(10)
    ) async throws -> Data {
        var asking = Asking([request], id: id, deadline: deadline, patience: patience)
        (asking.asker, asking.lane) = (asker, lane)
        guard let answer = try await askOther(asking).first else {
            throw ClientError(code: .failed, message: "the coordinator gave no answer")
        }
        return try answer.get()
    }
}

/// One connection to a coordinator. Belongs to one thread.
protocol CoordinatorConnection {
    /// - Throws: `ClientError` where the coordinator was not reached, or nobody wants the answers any more.
    func exchange(_ asking: CoordinatorDoor.Asking, isWanted: @escaping () -> Bool) throws -> CoordinatorDoor.Answers
}

extension CoordinatorClient: CoordinatorConnection {
    /// No coordinator has answered.
    private static let silent: [ErrorCode] = [.unreachable, .keyRefused, .superseded, .cancelled]

    func exchange(_ asking: CoordinatorDoor.Asking, isWanted: @escaping () -> Bool) throws -> CoordinatorDoor.Answers {
        if let request = asking.requests.first, asking.requests.count == 1 {
            do {
                let reply = try call(request, id: asking.id, patience: asking.patience, isWanted: isWanted)
                return [.success(reply.body)]
            } catch let error as ClientError where !Self.silent.contains(error.code) {
                return [.failure(error)]
            }
        }
        var answers: [CoordinatorDoor.Answers.Element?] = Array(repeating: nil, count: asking.requests.count)
        try callAll(
            asking.requests, patience: asking.patience, whenAnswered: { answers[$0] = $1.map(\.body) },
            isWanted: isWanted)
        let missing = ClientError(code: .failed, message: "the coordinator gave no answer")
        return answers.map { $0 ?? .failure(missing) }
    }
}
