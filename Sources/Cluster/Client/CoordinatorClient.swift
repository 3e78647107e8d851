import Foundation
import Messages
import ZeroMQ

/// Asks a coordinator and waits for its answers. Belongs to one thread.
///
/// Every request carries a random id. While the coordinator says that it works on it, the client waits. When nothing comes for
/// a while the same request is sent again, on a fresh connection and under the same id, to the next address where there are
/// several: the coordinator answers it with what is under way or was stored, and does nothing twice.
public final class CoordinatorClient {
    /// A successful reply.
    public struct Reply: Sendable {
        /// One JSON object, snake case.
        public var body: Data
        public var payloads: [[UInt8]]
    }

    /// The address that is asked.
    public var endpoint: String { link.addresses.present }
    private let link: CoordinatorSocket
    /// Whether anything ever came from there.
    private var isKnown = false
    /// Whether nobody answered over this connection. libzmq gives one up for good that came upon other keys or another protocol, and
    /// takes no message for it any more: whoever is there by now is asked over another one, which is made when there is something
    /// to ask, since one that is made at once meets the same.
    private var isSpent = false
    /// How far the last connection has come.
    private var reached = ConnectionAttempt.none
    /// Called once where nothing takes a connection for a while, with words for a person.
    public var whenAbsent: (String) -> Void = { _ in }
    /// Why one of several addresses was passed over, since something was last heard from the right one.
    private var passedOver: ClientError?

    /// - `memory`: where the newest coordinator of each cluster is remembered; nil: nowhere, and any is believed.
    /// - Throws: `ClientError` (`invalid-request`) for an endpoint or keys that cannot be used.
    public convenience init(endpoint: String, curve: ClientCurve? = nil, memory: GenerationMemory? = nil) throws {
        try self.init(endpoints: [endpoint], curve: curve, memory: memory)
    }

    /// - `endpoints`: tried in turn.
    public init(endpoints: [String], curve: ClientCurve? = nil, memory: GenerationMemory? = nil) throws {
        link = try CoordinatorSocket(endpoints: endpoints, curve: curve, memory: memory)
    }

    /// Sends a request and waits for its reply.
    ///
    /// - `id`: the request's name; repeating one returns the stored reply. nil: a new random one.
    /// - `patience`: how long the coordinator may be silent; where nothing ever took a connection no longer than 15 seconds.
    /// - `whenWorking`: called about once a second while the coordinator works on it; throws to give up.
    /// - `isWanted`: asked several times a second; once it says no, the coordinator is left, which drops what only this
    ///   connection asked for. nil: it stays wanted.
    /// - Throws: the coordinator's `ClientError`, or one with code `unreachable`, `key-refused`, `superseded` or `cancelled`.
    @discardableResult
    public func call(
        _ request: ClientRequest, id: String? = nil, patience: Duration = .seconds(15),
        whenWorking: (WorkingNotice) throws -> Void = { _ in }, isWanted: (() -> Bool)? = nil
    ) throws -> Reply {
        let id = id ?? UUID().uuidString.lowercased()
        if let objection = ClientName.objection(to: id, of: "a request") {
            throw ClientError(code: .invalidRequest, message: objection)
        }
        var answer: Result<Reply, ClientError>?
        try exchange(
            [try Question(id: id, request)], patience: patience, isWanted: isWanted,
            whenWorking: { try whenWorking($1) }, whenAnswered: { answer = $1 })
        guard let answer else { throw silence }
        return try answer.get()
    }

    /// Sends several requests, so that the coordinator can work on them together, and waits for all replies.
    ///
    /// - `whenAnswered`: called with the position of a request and what became of it, as soon as that is known.
    /// - `isWanted`: as `call` has it.
    /// - Throws: `ClientError` with code `unreachable`, `key-refused`, `superseded` or `cancelled`.
    public func callAll(
        _ requests: [ClientRequest], patience: Duration = .seconds(15),
        whenWorking: (Int, WorkingNotice) -> Void = { _, _ in },
        whenAnswered: (Int, Result<Reply, ClientError>) -> Void, isWanted: (() -> Bool)? = nil
    ) throws {
        for start in stride(from: 0, to: requests.count, by: Self.together) {
            let portion = requests[start..<min(start + Self.together, requests.count)]
            let questions = try portion.map { try Question(id: UUID().uuidString.lowercased(), $0) }
            try exchange(
                questions, patience: patience, isWanted: isWanted, whenWorking: { whenWorking(start + $0, $1) },
                whenAnswered: { whenAnswered(start + $0, $1) })
        }
    }

    /// Requests that wait at once: half of those that a coordinator takes of one connection.
    private static let together = 32

    private struct Question {
        var id: String
        var frames: [[UInt8]]

        init(id: String, _ request: ClientRequest) throws(WireError) {
            self.id = id
            frames = try request.frames(id: id)
        }
    }

    private var silence: ClientError {
        if let passedOver { return passedOver }
        let keys = link.curve.map { ($0.keys.publicKey, $0.serverKey) }
        let cause = link.addresses.unresolved?.reason ?? reached.cause(endpoint: endpoint, keys: keys)
        return ClientError(
            code: .unreachable, message: "no answer from a coordinator at \(link.addresses.text); \(cause)")
    }

    /// A name that was never known is a slip of the pen; one that is gone for a while may come again with its coordinator.
    private func requireName() throws {
        guard !isKnown, let unresolved = link.addresses.unresolved, unresolved.isCertain else { return }
        throw ClientError(code: .unreachable, message: "no coordinator at \(link.addresses.text): \(unresolved.reason)")
    }

    private func exchange(
        _ questions: [Question], patience: Duration, isWanted: (() -> Bool)?,
        whenWorking: (Int, WorkingNotice) throws -> Void,
        whenAnswered: (Int, Result<Reply, ClientError>) -> Void
    ) throws {
        do {
            try ask(
                questions, patience: patience, isWanted: isWanted, whenWorking: whenWorking, whenAnswered: whenAnswered)
        } catch let error as ClientError where error.code == .unreachable {
            isSpent = true
            throw error
        }
    }

    private func ask(
        _ questions: [Question], patience: Duration, isWanted: (() -> Bool)?,
        whenWorking: (Int, WorkingNotice) throws -> Void,
        whenAnswered: (Int, Result<Reply, ClientError>) -> Void
    ) throws {
        try requireName()
        if isSpent {
            try link.turn()
            isSpent = false
        }
        let clock = ContinuousClock()
        var open = Array(questions.indices)
        let begin = clock.now
        var deadline = begin + patience
        var absence = isKnown ? nil : Absence(begin: begin)
        // One lost message should not cost the whole patience, one slow answer should not be asked for many times.
        var attempt = firstAttempt
        var missed = 0
        var passes = 0
        while true {
            var isPassedOver = false
            /// It is there, and is not the one.
            var isWrong = false
            var retry = min(absence?.end(before: deadline) ?? deadline, clock.now + attempt)
            for question in open where clock.now < retry { try send(questions[question].frames, until: retry, clock) }
            let poller = Poller([link.source] + [link.attempts].compactMap(\.self))
            waiting: while clock.now < retry {
                if let isWanted, !isWanted() {
                    // The old connection is closed: the coordinator notices when it says that it works on it.
                    try link.reconnect()
                    throw ClientError(code: .cancelled, message: "nobody waits for the answer any more")
                }
                let silence = (absence?.nextWord(before: retry) ?? retry) - clock.now
                let pause = isWanted == nil ? silence : min(silence, Self.glance)
                let ready = try poller.wait(timeout: pause)
                let isOutdated = try self.isOutdated()
                if reached != .none { absence = nil }
                if absence?.mustSpeak(at: clock.now) == true {
                    whenAbsent("nothing takes a connection at \(link.addresses.text) yet; going on trying")
                }
                if isOutdated {
                    // With the keys of a coordinator that is only just coming up it is the right one.
                    (isPassedOver, isWrong) = (true, reached == .refused)
                    if !isWrong { link.addresses.heard() }
                    break
                }
                guard ready[0] else { continue }
                while let frames = try link.receive() {
                    (isKnown, absence) = (true, nil)
                    let (id, message) = try ClientMessage.decode(frames: frames)
                    // Late answers to earlier requests of this connection are left.
                    guard let position = open.firstIndex(where: { questions[$0].id == id }) else { continue }
                    // Before anything else: who is passed over again and again must not keep anybody waiting for ever.
                    if case .reply(let reply) = message, let other = superseding(reply) {
                        guard link.addresses.count > 1 else { throw other }
                        (passedOver, isPassedOver, isWrong) = (other, true, true)
                        link.addresses.passOver()
                        break waiting
                    }
                    (deadline, attempt, missed) = (clock.now + patience, firstAttempt, 0)
                    retry = min(deadline, clock.now + attempt)
                    switch message {
                    case .revoked: break
                    case .working(let notice): try whenWorking(open[position], notice)
                    case .reply(let reply):
                        passedOver = nil
                        let question = open.remove(at: position)
                        switch reply.outcome {
                        case .success(let json):
                            whenAnswered(question, .success(Reply(body: Data(json), payloads: reply.payloads)))
                        case .failure(let error): whenAnswered(question, .failure(error))
                        }
                        if open.isEmpty { return }
                    }
                }
            }
            guard clock.now < absence?.end(before: deadline) ?? deadline else { throw silence }
            try link.turn()
            // Once more soon, and not more patiently for it.
            if isPassedOver {
                if isWrong, let passedOver {
                    passes += 1
                    // Every one is there and is the wrong one: as with a single address.
                    if passes >= link.addresses.count { throw passedOver }
                }
                if passedOver != nil { Thread.sleep(forTimeInterval: 0.2) }
                continue
            }
            passes = 0
            missed += 1
            if missed.isMultiple(of: link.addresses.count) { attempt *= 2 }
        }
    }

    /// - Returns: whether the coordinator that is there has another key by now, or came after the connection was begun: with
    ///   that the next one will come about. Also of several addresses whether this one refused the key.
    /// - Throws: `ClientError` (`key-refused`): this connection comes to nothing, and so would the next.
    private func isOutdated() throws -> Bool {
        reached = link.attempt
        if reached == .refused {
            let refusal = link.refused
            guard link.addresses.count == 1 else {
                passedOver = refusal
                link.addresses.passOver()
                return true
            }
            try link.reconnect()
            throw refusal
        }
        return reached == .failed && link.expectsAnother
    }

    /// Of one that never answered less, where there are others.
    private var firstAttempt: Duration {
        link.addresses.count > 1 && !link.addresses.isHeard ? .seconds(2) : .seconds(5)
    }

    /// How often it is asked whether the answer is wanted.
    private static let glance = Duration.milliseconds(50)

    /// What does not go out until then is sent over the next connection.
    private func send(
        _ frames: [[UInt8]], until retry: ContinuousClock.Instant, _ clock: ContinuousClock
    ) throws {
        while true {
            do {
                return try link.send(frames)
            } catch ZeroMQError.wouldBlock {
                // Given up by libzmq: none will be taken any more, and another socket is to be had at once.
                guard clock.now < retry, link.attempt != .failed else { return }
                Thread.sleep(forTimeInterval: 0.05)
            }
        }
    }

    private func superseding(_ reply: ClientReply) -> ClientError? {
        do {
            try link.check(reply)
            return nil
        } catch {
            return error as? ClientError
        }
    }
}
