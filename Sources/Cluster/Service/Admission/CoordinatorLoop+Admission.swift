import Coordination
import Foundation
import Ledger
import Messages
import ZeroMQ

/// Keys and their roles, on the socket's thread.
extension CoordinatorLoop {
    /// The name in force of the key that the message came with.
    func name(of arrival: Arrival) -> String {
        arrival.key.flatMap { keys?.list.grant(of: $0)?.name } ?? arrival.name
    }

    /// Whether the sender may say this. Who may not is told so.
    func admits(_ message: PeerMessage, of arrival: Arrival) -> Bool {
        guard let objection = keys?.objection(to: message, from: arrival.key) else { return true }
        let isListed = arrival.key.flatMap { keys?.list.grant(of: $0) } != nil
        guard isListed || tellsOnceMore(arrival.peer) else {
            if case .request(let id, let request) = message { finished(ticket(id, request, of: arrival)) }
            return false
        }
        let name = name(of: arrival)
        var access = Access(by: name, asked: ClientRequest.workName, request: "", refusal: objection.code.rawValue)
        switch message {
        case .worker:
            // It may have been a worker until now, over this connection.
            cutOff(worker: arrival.peer, because: objection.code)
            send(arrival.peer, CoordinatorMessage.refused(code: objection.code, message: objection.message))
        case .request(let id, let request):
            let ticket = ticket(id, request, of: arrival)
            access = ticket.access(refusal: objection)
            replyAtOnce(ticket, ClientReply(objection))
        }
        process.store.post(.write(LedgerWrite(command: nil, access: access) { _, _ in }))
        if peerLog.admits("refused requests", once: "\(name) \(access.asked)") {
            logger.warning(
                "refused: \(objection.message.printable)",
                metadata: ["key": "\(arrival.key ?? "none")", "address": "\(arrival.address ?? "")"])
        }
        return false
    }

    /// Who was told that the key is no longer on the list, and says more, loses the connection; another one is not let in.
    private func tellsOnceMore(_ peer: PeerID) -> Bool {
        if turnedOut.count >= 1024 { turnedOut = turnedOut.filter { socket.connections?.isOpen($0.bytes) ?? false } }
        if turnedOut.insert(peer).inserted { return true }
        cutOff(worker: peer, because: .keyRefused)
        socket.connections?.close(peer.bytes, because: .revoked)
        return false
    }

    // MARK: workers

    /// The worker was taken in: the first that uses a key keeps it.
    func bind(_ worker: String, to key: String?) {
        guard let name = keys?.tookIn(worker: worker, key: key) else { return }
        newBindings.append((name, worker))
        recordBindings()
    }

    /// Writes down what is not yet; what cannot be written is tried again with the next, and now and then.
    func recordBindings() {
        guard !newBindings.isEmpty, let bindings = keys?.bindings else { return }
        let (inbox, new) = (process.inbox, newBindings)
        newBindings = []
        onLedger { service in
            let result = service.result { try service.ledger.record(workerKeys: bindings, new: new, at: Date()) }
            if case .failure(let error) = result { inbox.post(.bindingsUnrecorded(new, error)) }
        }
    }

    func bindingsUnrecorded(_ bindings: [(name: String, worker: String)], _ error: ClientError) {
        logger.error("cannot write down which worker a key is bound to: \(error.message)")
        newBindings = bindings + newBindings
    }

    private func cutOff(worker peer: PeerID, because code: ErrorCode) {
        guard coordinator.hasWorker(at: peer) else { return }
        links.remove(peer)
        waitingTasks.remove(peer)
        let reason = code == .keyRefused ? "its key is not on the list any more" : "its key may not be this worker"
        handle(.unreachable(peer: peer, because: reason))
    }

    // MARK: another list

    /// What was read at SIGHUP. What cannot be used changes nothing.
    func take(_ read: Result<AllowList, any Error>) {
        let list: AllowList
        switch read {
        case .success(let new): list = new
        case .failure(let error):
            return logger.error("the keys that may connect stay as they were: \(error)")
        }
        guard let changes = keys?.replace(list) else { return }
        process.admit(list)
        turnedOut = []
        logger.notice(
            "read again which keys may connect",
            metadata: [
                "keys": "\(list.grants.count)", "new": "\(changes.new)", "changed": "\(changes.changed)",
                "gone": "\(changes.gone)",
            ])
        let here = admission.keys.compactMap { peer, key in
            coordinator.worker(at: peer).map { (peer: peer, worker: (id: $0.id, claim: $0.claim, key: key)) }
        }
        for (known, verdict) in zip(here, keys?.review(here.map(\.worker)) ?? []) {
            switch verdict {
            case .success(let name): if let name { newBindings.append((name, known.worker.id)) }
            case .failure(let objection):
                let title = coordinator.title(at: known.peer) ?? known.worker.id
                logger.notice(
                    "refused worker \(title): \(objection.message.printable)",
                    metadata: ["worker": "\(known.worker.id)"])
                send(known.peer, CoordinatorMessage.refused(code: objection.code, message: objection.message))
                cutOff(worker: known.peer, because: objection.code)
            }
        }
        recordBindings()
    }
}
