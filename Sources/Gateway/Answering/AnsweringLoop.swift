import Client
import Files
import Foundation
import LanguageModels
import Logging
import Messages
import Serving
import Unlearning
import ZeroMQ

/// What happens on the thread that keeps a gateway's connection: a thin shell around `LeasedQuestions`.
final class AnsweringLoop {
    private static let tick = Duration.milliseconds(100)
    /// Without a word for so long, in milliseconds, the connection is made anew: the coordinator may be at another address.
    private static let silence: Int64 = 10_000

    private let link: ServingLink
    private let model: AnsweringModel
    private let loaded: LoadedModel
    private let inbox: Mailbox<OwnAnswers.Input>
    private let lease: LeaseTime
    private let logger: Logger
    /// nil: the coordinator has not said yet what is computed with.
    private var questions: LeasedQuestions?
    private var engine: SerialThread<QueryEngine, EngineWork>?
    private var serving: ServingModel?
    private var permits = OpenPermits()
    private var waiters: [QuestionID: OwnAnswers.Waiter] = [:]
    /// Asked before there was an engine.
    private var early: [(id: QuestionID, request: ClientRequest.QueryRequest)] = []
    private var lastHeard = LeaseTime.now
    private var lastAsked: Int64?
    private var hadLease = false
    private var isStopping = false
    var whenCounted: (QuestionCounts) -> Void = { _ in }

    init(
        link: ServingLink, model: AnsweringModel, loaded: LoadedModel, inbox: Mailbox<OwnAnswers.Input>,
        lease: LeaseTime, logger: Logger
    ) {
        self.link = link
        self.model = model
        self.loaded = loaded
        self.inbox = inbox
        self.lease = lease
        self.logger = logger
    }

    /// - Throws: `ClientError` where this gateway can never answer for the cluster.
    func run() throws {
        defer {
            for (_, waiter) in waiters { waiter(.failure(Problem.draining)) }
            engine?.stop()
        }
        var nextTick = ContinuousClock.now
        while !isStopping {
            if ContinuousClock.now >= nextTick {
                try onTick()
                nextTick = ContinuousClock.now + Self.tick
            }
            let poller = Poller([link.source, .descriptor(inbox.descriptor)])
            let ready = try poller.wait(timeout: max(.zero, nextTick - ContinuousClock.now))
            if ready[0] { try receive() }
            if ready[1] { for input in inbox.drain() { try take(input) } }
        }
    }

    private func onTick() throws {
        let now = LeaseTime.now
        if now - lastHeard > Self.silence {
            lastHeard = now
            if let refusal = link.refusal { logger.warning("\(refusal.message)") }
            try link.reconnect()
        }
        guard questions != nil else {
            guard serving == nil, lastAsked.map({ now - $0 >= 1000 }) ?? true else { return }
            lastAsked = now
            return try link.send(.model, id: "model")
        }
        try change { $0.tick(at: now) }
        if let questions { whenCounted(questions.counts) }
        let hasLease = lease.holds
        if hasLease != hadLease {
            hadLease = hasLease
            logger.info(hasLease ? "this gateway may answer" : "this gateway may not answer: it has no lease")
        }
    }

    // MARK: in

    private func take(_ input: OwnAnswers.Input) throws {
        if isStopping {
            if case .ask(_, _, let waiter) = input { waiter(.failure(Problem.draining)) }
            return
        }
        switch input {
        case .ask(let id, let request, let waiter):
            waiters[id] = waiter
            guard questions != nil else { return early.append((id, request)) }
            try change { $0.ask(id, request, by: .key(id.by), at: LeaseTime.now) }
        case .abandon(let id):
            waiters[id] = nil
            early.removeAll { $0.id == id }
            try change { $0.abandon(id, at: LeaseTime.now) }
        case .engine(let news): try change { $0.take(news, at: LeaseTime.now) }
        case .made(let result): try begin(try result.get())
        case .stop:
            isStopping = true
            lease.set(.min)
            permits.revoke(nil)
            try link.send(.endLease, id: "end")
        }
    }

    /// What came is taken in together: what is confirmed is confirmed once.
    private func receive() throws {
        while let message = try next() {
            lastHeard = LeaseTime.now
            switch message {
            case .revoked(let revocation): try change { $0.revoked(revocation, at: LeaseTime.now) }
            case .reply(let id, let result): try take(reply: id, result)
            }
        }
    }

    /// What is no message is left, as one that was lost.
    private func next() throws -> ServingLink.Message? {
        do {
            return try link.receive()
        } catch let error as WireError {
            logger.warning("dropped a message of the coordinator: \(error)")
            return nil
        }
    }

    private func take(reply id: String, _ result: Result<ClientReply, ClientError>) throws {
        let (kind, rest) =
            id.firstIndex(of: " ").map {
                (String(id[..<$0]), String(id[id.index(after: $0)...]))
            } ?? (id, "")
        let now = LeaseTime.now
        switch kind {
        case "model": try take(model: result)
        case "lease":
            switch decoded(LeaseGrant.self, result) {
            case .success(let grant): try change { $0.granted(grant, at: now) }
            case .failure(let error):
                guard let number = UInt64(rest) else { return }
                if error.code == .notAllowed { throw error }
                logger.info("no lease: \(error.message)")
                // Whatever else it is, the lease that is there runs out by itself.
                if error.code == .stale { try change { $0.refused(number, at: now) } }
            }
        case "question":
            guard let number = UInt64(rest) else { return }
            let material = decoded(DatedMaterial.self, result)
            try change { $0.collected(number, material, at: now) }
        case "adapter": try change { $0.fetched(adapter: rest, Self.adapter(rest, result), at: now) }
        case "attention": try change { $0.fetched(attention: rest, Self.table(rest, result), at: now) }
        default: return
        }
    }

    private func decoded<Value: Decodable>(
        _ type: Value.Type, _ result: Result<ClientReply, ClientError>
    ) -> Result<Value, ClientError> {
        result.flatMap { reply in Self.read { try reply.value(type) } }
    }

    /// Whatever came is what its name says, or nothing.
    private static func adapter(
        _ name: String, _ result: Result<ClientReply, ClientError>
    ) -> Result<[UInt8], ClientError> {
        result.flatMap { reply in
            guard let bytes = reply.payloads.first, sha256(bytes) == name else {
                return .failure(ClientError(code: .stale, message: "adapter \(name) was damaged on the way"))
            }
            return .success(bytes)
        }
    }

    private static func table(
        _ digest: String, _ result: Result<ClientReply, ClientError>
    ) -> Result<AttentionTable, ClientError> {
        result.flatMap { reply in
            guard AttentionTableBytes.digest(reply.payloads) == digest else {
                return .failure(ClientError(code: .stale, message: "reference rows were damaged on the way"))
            }
            return read { try AttentionTableBytes.table(reply.payloads) }
        }
    }

    private static func read<Value>(_ body: () throws -> Value) -> Result<Value, ClientError> {
        do {
            return .success(try body())
        } catch {
            return .failure(ClientError(code: .failed, message: "the coordinator's reply cannot be read: \(error)"))
        }
    }

    // MARK: the engine

    /// - Throws: `ClientError`: what is here is not what the cluster computes with.
    private func take(model result: Result<ClientReply, ClientError>) throws {
        guard serving == nil else { return }
        switch decoded(ServingModel.self, result) {
        case .failure(let error) where error.code == .notAllowed || error.code == .invalidRequest: throw error
        case .failure(let error): logger.info("the coordinator does not say what is computed with: \(error.message)")
        case .success(let wanted):
            guard wanted.base == loaded.checkpoint.digest else {
                throw ClientError(
                    code: .baseModel,
                    message: "\(model.path) is another base model than the cluster's (\(wanted.base.prefix(12)))")
            }
            guard (1...loaded.checkpoint.configuration.hidden).contains(wanted.lora.rank) else {
                throw ClientError(code: .invalid, message: "adapters of rank \(wanted.lora.rank) are none")
            }
            serving = wanted
            make(wanted)
        }
    }

    /// Beside this thread: it takes seconds.
    private func make(_ wanted: ServingModel) {
        let (model, loaded, inbox) = (model, loaded, inbox)
        Thread.detachNewThread {
            inbox.post(.made(Result { try OwnEngine.make(wanted, model, loaded, inbox) }))
        }
    }

    private func begin(_ made: SerialThread<QueryEngine, EngineWork>) throws {
        guard let serving else { return }
        engine = made
        var limits = QuestionQueue.Limits()
        // Less than a coordinator lets one connection ask at once.
        limits.open = 48
        questions = LeasedQuestions(
            layout: AdapterLayout(model: loaded.checkpoint.configuration, configuration: serving.lora), limits: limits)
        let waiting = early
        early = []
        for (id, request) in waiting { try change { $0.ask(id, request, by: .key(id.by), at: LeaseTime.now) } }
        try onTick()
    }

    // MARK: out

    private func change(_ body: (inout LeasedQuestions) -> [LeasedQuestions.Action]) throws {
        guard var value = questions else { return }
        let actions = body(&value)
        questions = value
        // Before anything is said: an answer that goes out now must be covered.
        lease.set(value.until)
        for action in actions { try perform(action) }
    }

    private func perform(_ action: LeasedQuestions.Action) throws {
        switch action {
        case .lease(let request): try link.send(.lease(request), id: "lease \(request.number)")
        case .collect(let number, let request): try link.send(.question(request), id: "question \(number)")
        case .fetchAdapter(let name): try link.send(.adapter(name: name), id: "adapter \(name)")
        case .fetchAttention(let digest): try link.send(.attention(digest: digest), id: "attention \(digest)")
        case .engine(let work): engine?.post(work)
        case .obey(let inputs): permits.revoke(inputs)
        case .letGo: permits.revoke(nil)
        case .answer(let id, .success(let reply), let basis?):
            guard let waiter = waiters.removeValue(forKey: id) else { return }
            let permit = AnswerPermit(basis, lease)
            permits.add(permit)
            waiter(Result { (try ReplyCoding.encode(reply), permit) })
        case .answer(let id, .success, nil): waiters[id] = nil
        case .answer(let id, .failure(let error), _): waiters.removeValue(forKey: id)?(.failure(error))
        }
    }
}

/// The decoder and its thread.
enum OwnEngine {
    /// - Throws: `ClientError` (`arithmetic`) on a machine that computes other bits than the cluster; `LanguageModelError`.
    static func make(
        _ wanted: ServingModel, _ model: AnsweringModel, _ loaded: LoadedModel, _ inbox: Mailbox<OwnAnswers.Input>
    ) throws -> SerialThread<QueryEngine, EngineWork> {
        try SerialThread(name: "query") {
            let weights = try DecoderWeights(
                checkpoint: loaded.checkpoint, precision: Precision(wanted.precision),
                answerTokens: loaded.answerTokens, cacheDirectory: model.weightCache)
            let decoder = try Decoder(weights: weights, threads: model.threads)
            let arithmetic = try ArithmeticFingerprint.compute(precision: wanted.precision, model: decoder)
            guard wanted.arithmetic.map({ $0 == arithmetic }) ?? true else {
                throw ClientError(
                    code: .arithmetic,
                    message: "this machine computes other bits than the cluster: its answers would not be the cluster's"
                )
            }
            return QueryEngine(tokenizer: loaded.tokenizer, decoder: decoder)
        } perform: { engine, works in
            engine.perform(works) { inbox.post(.engine($0)) } ? .now : .none
        }
    }
}
