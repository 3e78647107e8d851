import Coordination
import Crypto
import Files
import Ledger
import Messages
import ZeroMQ

/// What comes over the socket: told apart, bounded and handed on.
extension CoordinatorLoop {
    /// Portions of messages that are read before a tick.
    static let roundsBeforeTick = 16
    /// Of one portion: messages, and bytes after which no further one is read.
    private static let messagesOfPortion = 256
    private static let bytesOfPortion = 16 << 20
    /// Bytes of messages without an end from one worker's connection.
    static let unfinishedBytesOfWorker = WireLimits.request + 2 * WireLimits.frame

    /// A worker whose large message is on its way over a slow link is not silent.
    func noteBytes() {
        let quiet = coordinator.quietPeers(at: now)
        var bytes: [PeerID: UInt64] = [:]
        for peer in quiet {
            let received = socket.connections?.received(from: peer.bytes) ?? 0
            bytes[peer] = received
            if let before = quietBytes[peer], received > before { handle(.alive(peer: peer)) }
        }
        quietBytes = bytes
    }

    /// A burst is taken in portions, so that ticks and results are not starved.
    ///
    /// - Returns: whether more may be there.
    func receive() throws -> Bool {
        var bytes = 0
        for _ in 0..<Self.messagesOfPortion {
            let message: Socket.Message?
            do throws(ZeroMQError) {
                message = try socket.receiveAuthenticated(
                    maximumFrames: WireLimits.frames + 1, maximumBytes: WireLimits.message)
            } catch {
                // Its connection is closed, and the log gets its line, by the guard.
                guard error == .messageTooLarge || error == .unwelcome else { throw error }
                continue
            }
            guard let message else { return false }
            guard let arrival = Arrival(message) else { continue }
            receive(arrival)
            bytes += arrival.bytes
            if bytes > Self.bytesOfPortion { break }
        }
        return true
    }

    private func receive(_ arrival: Arrival) {
        note(arrival.version, of: arrival.peer)
        guard links.has(arrival.peer), PortionMessage.isOne(arrival.frames) else { return receiveWhole(arrival) }
        if let whole = take(portion: arrival) { receiveWhole(whole) }
        // What is whole counts until it is decoded: not before it is counted is it known who may go on.
        letGoOn()
        handOut()
    }

    private func receiveWhole(_ arrival: Arrival) {
        guard let id = arrival.requestID else { return receiveOfWorker(arrival) }
        switch large.take(bytes: arrival.bytes, from: arrival.peer) {
        case .onSocketThread: receive(arrival, arrival.decoded)
        case .onOwnThread: process.decoding.post(arrival)
        case .refused:
            guard let frames = try? ClientReply(LargeRequests.refusal).frames(echoing: id) else { return }
            give(arrival.peer, frames, isReply: true)
        }
    }

    private func receiveOfWorker(_ arrival: Arrival) {
        switch workerMessages.take(bytes: arrival.bytes, inPortions: arrival.isInPortions, from: arrival.peer) {
        case .onSocketThread: receive(arrival, process.check.decoded(arrival))
        case .onOwnThread:
            process.checking.post(arrival)
            // It is life, whenever its turn comes.
            handle(.alive(peer: arrival.peer))
        case .tooMuch: cutOff(arrival.peer, because: .unfinished)
        }
    }

    /// What a worker said, and was decoded elsewhere.
    func receiveChecked(_ arrival: Arrival, _ message: Result<PeerMessage, any Error>) {
        workerMessages.decoded(bytes: arrival.bytes, inPortions: arrival.isInPortions, from: arrival.peer)
        letGoOn()
        switch message {
        case .success(.worker(.hello)):
            // What its worker may have said since comes over another connection, and may be here already.
            guard socket.connections?.isOpen(arrival.peer.bytes) ?? true else { return }
        case .success(.worker):
            // Its worker greets from another connection by now, and says it again there; that it comes late is no second
            // worker's sign.
            guard !coordinator.isLeft(arrival.peer) else { return }
        default: break
        }
        receive(arrival, message)
    }

    /// What was decoded elsewhere.
    func receiveDecoded(_ arrival: Arrival, _ message: Result<PeerMessage, any Error>) {
        var (kept, isForget) = (ClientTicket?.none, false)
        // Of others the coordinator's value says how many there may be.
        if case .success(.request(let id, let request)) = message {
            isForget = if case .forget(let forget) = request { !forget.dryRun } else { false }
            if request.isJoinable || isForget { kept = ticket(id, request, of: arrival) }
        }
        large.decoded(bytes: arrival.bytes, from: arrival.peer, keptFor: kept)
        receive(arrival, message)
        // Unless the ledger was given it: then it was refused, or is one that waits with another of the same name, and what it
        // says is kept nowhere.
        if isForget, let kept { large.finished(kept) }
    }

    func ticket(_ id: String, _ request: ClientRequest, of arrival: Arrival) -> ClientTicket {
        ClientTicket(peer: arrival.peer, request: id, by: name(of: arrival), asked: request.auditName)
    }

    private func receive(_ arrival: Arrival, _ message: Result<PeerMessage, any Error>) {
        let peer = arrival.peer
        do {
            let message = try message.get()
            guard ending != nil || admits(message, of: arrival) else { return }
            switch message {
            case .worker(.hello) where ending?.error.code == .superseded:
                let message = ending?.error.message ?? ""
                send(peer, CoordinatorMessage.refused(code: .superseded, message: message))
            case .worker(.hello(let hello)): greet(hello, of: arrival)
            case .worker(let message): handle(.worker(peer: peer, message))
            case .request(let id, let request):
                let ticket = ticket(id, request, of: arrival)
                if let ending { return replyAtOnce(ticket, ClientReply(ending.error)) }
                guard budget.admits(request, ticket) else {
                    large.finished(ticket)
                    return deliver(ClientReply(ReplyBudget.refusal), to: ticket)
                }
                if let objection = request.objection(in: arrival.version ?? WireLimits.version) {
                    return answer(ticket, ClientReply(objection))
                }
                receive(request, ticket: ticket)
            }
        } catch WireError.unsupportedVersion(let version) {
            refuse(version, arrival)
            handle(.garbage(peer: peer))
        } catch {
            if peerLog.admits("messages that cannot be read") {
                logger.warning("dropped a message", metadata: ["peer": "\(peer)", "reason": "\(error)"])
            }
            if let id = arrival.requestID { refuse(id, from: peer, by: name(of: arrival), "\(error)") }
            handle(.garbage(peer: peer))
        }
    }

    /// In the peer's own version, so that it can read why: the outer frames are the same in all so far.
    private func refuse(_ version: UInt8, _ arrival: Arrival) {
        let message = ProtocolVersions.refusal(of: Int(version))
        guard let id = PeerMessage.requestID(of: ProtocolVersions.frames(arrival.frames, in: WireLimits.version)) else {
            return send(arrival.peer, CoordinatorMessage.refused(code: .wrongProtocol, message: message))
        }
        let reply = ClientReply(ClientError(code: .wrongProtocol, message: message))
        if let frames = try? reply.frames(echoing: id) { give(arrival.peer, frames, isReply: true) }
    }

    private func greet(_ hello: WorkerMessage.Hello, of arrival: Arrival) {
        let peer = arrival.peer
        // The key that stands in for keys is everybody's who is on this machine.
        let key = keys == nil ? nil : arrival.key
        let before = coordinator.connection(of: hello.worker)
        let objection = admission.objection(to: peer, from: before, key: key, address: arrival.address) {
            coordinator.hasWorker(at: $0)
        }
        if let objection {
            if peerLog.admits("workers") {
                logger.info(
                    "refused worker \(hello.name.clipped) at \(arrival.address ?? "this machine"): \(objection.code)",
                    metadata: ["worker": "\(hello.worker.clipped)"])
            }
            return send(peer, CoordinatorMessage.refused(code: objection.code, message: objection.message))
        }
        // What follows from the greeting may be long.
        links.admit(peer)
        var hello = hello
        hello.address = arrival.address
        handle(.worker(peer: peer, .hello(hello)))
        guard coordinator.isHere(hello.worker, at: peer) else {
            if !coordinator.hasWorker(at: peer) { links.remove(peer) }
            return
        }
        // It is sent everything anew that it still lacks.
        if let before, before != peer { waitingTasks.remove(before) }
        bind(hello.worker, to: arrival.key)
        // No more than anybody at once, since what is long comes in portions; but not among the strangers.
        socket.connections?.allow(unfinishedBytes: Self.unfinishedBytesOfWorker, of: peer.bytes)
    }

    /// Answers what cannot even be read, under the id that it came with.
    private func refuse(_ id: [UInt8], from peer: PeerID, by name: String, _ reason: String) {
        let inbox = process.inbox
        let error = ClientError(code: .invalidRequest, message: reason)
        onLedger { service in
            service.note(Access(by: name, asked: "unreadable", request: "", refusal: error.code.rawValue))
            guard let frames = try? ClientReply(error).frames(echoing: id) else { return }
            inbox.post(.refusal(peer, frames))
        }
    }
}
