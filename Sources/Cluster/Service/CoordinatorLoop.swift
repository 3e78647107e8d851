import Coordination
import Crypto
import Files
import Foundation
import LanguageModels
import Ledger
import Logging
import Messages
import Serving
import ZeroMQ

/// What happens on the coordinator's socket thread.
final class CoordinatorLoop {
    /// How long the value may go without a tick.
    static let tick = Duration.milliseconds(200)
    /// How long a coordinator that must not go on still tells whoever asks why: long enough for a client that asks again.
    static let farewell = Duration.seconds(6)
    /// How often something is read that forget requests were committed beside.
    static let readAttempts = 5
    /// How often counted requests are looked through for those that belong into the audit log now.
    static let countingInterval = Duration.seconds(60)

    let process: CoordinatorProcess
    let socket: Socket
    var coordinator: Coordinator
    /// Counts committed forget requests: what was read before one of them is read again.
    var generation = 0
    var questions = QuestionQueue()
    var inFlight = RequestsInFlight()
    var kept = KeptAnswers()
    var large = LargeRequests()
    var workerMessages = WorkerMessages()
    var leases: LeaseBook
    /// What tells of forgetting, and waits for gateways.
    var heldReplies = LeasedReplies<(ClientTicket, ClientReply)>()
    /// That there may be leases is on record.
    var leasesAreRecorded: Bool
    /// Adapters that gateways may answer with, as of the last tick.
    var leasedAdapters: Set<String> = []
    /// What status shows of the ledger; nil: not told yet.
    var facts: LedgerFacts?
    /// Whose request is being handled: writes that follow from it are its.
    var asking: ClientTicket?
    /// Whose requests the commits that are being handled belong to: their entries in the audit log are written.
    var noted: Set<ClientTicket> = []
    private let start = ContinuousClock.now
    private var stopping = false
    /// The logic does not know the ledger as it is.
    private var mustRead = false
    /// Why the coordinator must not go on.
    private var failure: (any Error)?
    /// Then: what is the answer to everything, until the process ends.
    var ending: (error: ClientError, until: ContinuousClock.Instant)?
    let budget: ReplyBudget
    var admission = WorkerAdmission()
    /// nil: nobody is asked for a key.
    var keys: KeyAdmission?
    /// Of workers that keys were bound to: not written down yet.
    var newBindings: [(name: String, worker: String)] = []
    /// Who was told that the key is not on the list any more.
    var turnedOut: Set<PeerID> = []
    var peerLog = PeerLog()
    var links = WorkerLinks()
    var waitingTasks = WaitingTasks()
    /// Of peers that speak another version of the protocol than this one.
    var versions: [PeerID: UInt8] = [:]
    /// Bytes that had come from workers that are quiet when they were last looked at.
    var quietBytes: [PeerID: UInt64] = [:]

    init(process: CoordinatorProcess, socket: Socket, initial: InitialState) {
        self.process = process
        self.socket = socket
        leases = LeaseBook(run: UUID().uuidString, mayInherit: initial.hasGrantedLeases, at: 0)
        leasesAreRecorded = initial.hasGrantedLeases
        budget = ReplyBudget(socket.connections)
        keys = process.options.security.map { KeyAdmission($0.allowed, bindings: initial.workerKeys) }
        coordinator = Coordinator(
            settings: process.settings, snapshot: initial.snapshot, copies: initial.copies, workers: initial.workers,
            words: initial.words, at: .init(milliseconds: 0))
    }

    var logger: Logger { process.logger }

    var now: CoordinatorInstant {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        return CoordinatorInstant(milliseconds: seconds * 1000 + attoseconds / 1_000_000_000_000_000)
    }

    /// - Throws: `LedgerError.replaced` when the data directory is not the one any more that was opened, `.superseded` when
    ///   another coordinator of the cluster came after this one; `ZeroMQError` when nobody gets in any more.
    func run() throws {
        let poller = Poller([.socket(socket), .descriptor(process.inbox.descriptor)])
        // What the ledger's thread had to say before anybody could ask.
        take(process.inbox.drain())
        var nextTick = ContinuousClock.now
        var nextCounting = nextTick + Self.countingInterval
        while !stopping {
            if let ending, ContinuousClock.now >= ending.until { break }
            if ContinuousClock.now >= nextTick {
                // Nobody is judged by what lies here unread.
                for _ in 0..<Self.roundsBeforeTick { if try !receive() { break } }
                noteBytes()
                lookAtLinks()
                handle(.tick)
                revokeReplacedAdapters()
                releaseHeld()
                sayWorking()
                if mustRead { readAgain() }
                if let line = peerLog.leftOut(at: .now) { logger.warning("\(line)") }
                nextTick = ContinuousClock.now + Self.tick
                if nextTick >= nextCounting {
                    recordBindings()
                    onLedger {
                        $0.noteCounted(isEnd: false)
                        $0.continueImports()
                    }
                    nextCounting = nextTick + Self.countingInterval
                }
            }
            let ready = try poller.wait(timeout: nextTick - ContinuousClock.now)
            if ready[0] { _ = try receive() }
            if ready[1] { take(process.inbox.drain()) }
        }
        if let failure { throw failure }
        for action in coordinator.settleEverything(at: now) { perform(action) }
    }

    /// Takes an event in and performs what follows from it.
    func handle(_ event: CoordinatorEvent) { handle([event]) }

    private func handle(_ events: [CoordinatorEvent]) {
        guard ending == nil else { return }
        for case .ledger(_, .forgotten) in events { generation += 1 }
        let arePeers = events.contains { if case .worker = $0 { true } else { false } }
        for action in coordinator.handle(events, at: now) {
            // Of what the coordinator does itself there is no more than it does.
            if arePeers, case .log(let line) = action, !line.repeatsActions,
                !peerLog.admits("workers", peers: coordinator.workerCount)
            {
                continue
            }
            perform(action)
        }
    }

    private func readAgain() {
        mustRead = false
        let inbox = process.inbox
        onLedger { inbox.post($0.changed()) }
    }

    /// Nothing is answered from this data any more, and nothing acknowledged, not even what was committed a moment ago.
    func giveWay(to other: SupersededCoordinator) {
        end(because: LedgerError.superseded(by: other.known.counter), telling: ClientError(other))
    }

    private func end(
        because error: any Error, telling clients: ClientError, within farewell: Duration = CoordinatorLoop.farewell
    ) {
        guard ending == nil else { return }
        logger.critical("\(clients.message)")
        ending = (clients, ContinuousClock.now + farewell)
        failure = error
    }

    /// Work for the ledger's thread. What it finds broken on the way is told to the value, or ends the process.
    func onLedger(_ body: @escaping @Sendable (LedgerService) -> Void) {
        let inbox = process.inbox
        process.store.run { service in
            body(service)
            Self.report(service, to: inbox)
        }
    }

    static func report(_ service: LedgerService, to inbox: Mailbox<CoordinatorProcess.Input>) {
        for adapter in service.takeDamaged() { inbox.post(.event(.adapterDamaged(adapter))) }
        if let error = service.ledger.displaced { inbox.post(.failed(error)) }
    }

    // MARK: in

    /// Commits that ended together are thought about together.
    private func take(_ inputs: [CoordinatorProcess.Input]) {
        var ended: [(event: CoordinatorEvent, ticket: ClientTicket?)] = []
        for input in inputs {
            if case .committed(let id, let outcome, let ticket, let forgotten) = input {
                if let forgotten { forgot(forgotten) }
                if !outcome.isAskedAgain { large.ended(id) }
                ended.append((.ledger(id, outcome), ticket))
            } else {
                takeCommitted(&ended)
                take(input)
            }
        }
        takeCommitted(&ended)
    }

    private func takeCommitted(_ ended: inout [(event: CoordinatorEvent, ticket: ClientTicket?)]) {
        guard !ended.isEmpty else { return }
        noted = Set(ended.compactMap(\.ticket))
        handle(ended.map(\.event))
        noted = []
        ended = []
    }

    private func take(_ input: CoordinatorProcess.Input) {
        switch input {
        case .event(let event): handle(event)
        case .committed: break
        case .facts(let new): facts = new
        case .decoded(let arrival, let message): receiveDecoded(arrival, message)
        case .checked(let arrival, let message): receiveChecked(arrival, message)
        case .send(let peer, let parcel): send(peer, parcel)
        case .refusal(let peer, let frames): give(peer, frames, isReply: true)
        case .dispatched(let peer, let question, let made):
            waitingTasks.ended(question)
            if let (dispatch, parcel) = made, coordinator.isUnderWay(dispatch) { send(peer, parcel) }
            handOut()
        case .built(let peer, let task, let made): built(peer, task, made)
        case .reply(let ticket, let reply): self.reply(ticket, reply)
        case .noted(let ticket, let reply): replyNoted(ticket, with: reply)
        case .collected(let number, let basis): collected(number, basis)
        case .material(let ticket, let result): material(ticket, result)
        case .leasesRecorded(let request, let ticket, let result): leasesRecorded(request, ticket, result)
        case .engine(let news): take(news)
        case .wasRead(let ticket, let request, let generation, let attempt, let reply):
            wasRead(ticket, request, generation: generation, attempt: attempt, reply)
        case .readAgain: mustRead = true
        case .keys(let read): take(read)
        case .bindingsUnrecorded(let bindings, let error): bindingsUnrecorded(bindings, error)
        case .connectionRefused(let refusal):
            if peerLog.admits("refused connections", once: refusal.key?.text ?? "none from \(refusal.address)") {
                // The key is public; a forged one costs its owner nothing.
                logger.warning(
                    "refused a connection",
                    metadata: ["key": "\(refusal.key?.text ?? "none")", "address": "\(refusal.address)"])
            }
            onLedger { service in
                service.note(Access(by: "a key not on the list", asked: "connect", request: "", refusal: "not-allowed"))
            }
        case .connectionClosed(let address, let reason):
            guard peerLog.admits("closed connections") else { return }
            logger.warning("closed a connection: \(reason)", metadata: ["address": "\(address)"])
        case .admissionFailed(let error):
            // Without it libzmq lets everybody in: there is no time to say farewell.
            end(
                because: error,
                telling: ClientError(code: .failed, message: "connections cannot be admitted: \(error)"),
                within: .zero)
        case .failed(let error):
            end(because: error, telling: ClientError(error))
        case .stop: stopping = true
        }
    }

    // MARK: out

    func send(_ peer: PeerID, _ message: CoordinatorMessage) {
        do {
            send(peer, try Parcel(message))
        } catch {
            logger.error("cannot send", metadata: ["peer": "\(peer)", "reason": "\(error)"])
        }
    }

    /// - `isReply`: the peer asked for it, as a client does; also a worker's connection may ask.
    ///
    /// - Returns: whether the socket took it.
    @discardableResult
    func give(_ peer: PeerID, _ frames: [[UInt8]], isReply: Bool = false) -> Bool {
        do {
            try socket.send([peer.bytes] + said(frames, to: peer), isReply: isReply)
            return true
        } catch {
            links.remove(peer)
            waitingTasks.remove(peer)
            // A full queue means a peer that reads nothing: it is as good as gone.
            if case ZeroMQError.wouldBlock = error { socket.connections?.close(peer.bytes, because: .unread) }
            if peerLog.admits("peers out of reach") {
                let title = coordinator.title(at: peer).map { "worker \($0)" } ?? "peer"
                logger.info("\(title) cannot be reached", metadata: ["peer": "\(peer)", "reason": "\(error)"])
            }
            handle(.unreachable(peer: peer))
            return false
        }
    }

    /// Answers a request, and whoever asked the same meanwhile.
    func reply(_ ticket: ClientTicket, _ reply: ClientReply) {
        if !isHeld(ticket, reply) { replyAtOnce(ticket, reply) }
    }

    func replyAtOnce(_ ticket: ClientTicket, _ reply: ClientReply) {
        let waiting = inFlight.end(ticket) ?? [ticket]
        // It counts also when its peer is gone and only others wait.
        finished(ticket)
        for waiting in waiting {
            guard waiting != ticket else {
                deliver(reply, to: waiting)
                continue
            }
            finished(waiting)
            deliver(budget.mayShare(reply, with: waiting) ? reply : ClientReply(ReplyBudget.refusal), to: waiting)
        }
    }

    /// A request needs no room any more.
    func finished(_ ticket: ClientTicket) {
        budget.finished(ticket)
        large.finished(ticket)
    }

    func deliver(_ reply: ClientReply, to ticket: ClientTicket) {
        var reply = ending.map { ClientReply($0.error) } ?? reply
        reply.origin = process.settings.generation.map {
            KnownGeneration(cluster: process.settings.cluster, generation: $0)
        }
        do {
            try socket.send(
                [ticket.peer.bytes] + said(reply.frames(id: ticket.request), to: ticket.peer), isReply: true)
        } catch {
            // The client is gone; it will ask again if it still wants to know.
            if case ZeroMQError.wouldBlock = error { socket.connections?.close(ticket.peer.bytes, because: .unread) }
            if peerLog.admits("replies") {
                logger.info("reply not delivered", metadata: ["request": "\(ticket.request)", "reason": "\(error)"])
            }
        }
    }
}
