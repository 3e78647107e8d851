import Messages

/// Workers come, go, and are heard of.
extension Coordinator {
    mutating func receive(_ message: WorkerMessage, from peer: PeerID) {
        if case .hello(let hello) = message {
            return receive(hello, from: peer)
        }
        guard let worker = roster.worker(at: peer) ?? returned(at: peer) else {
            // A connection of before a restart or a loss: it gets no answer, and so will say hello again.
            if let replaced = roster.worker(replacedAt: peer) {
                roster.update(replaced) { $0.contested += 1 }
            }
            return
        }
        roster.heard(worker.id, at: now)
        var news = TaskHeadway.News.says
        switch message {
        case .hello, .heartbeat: break
        default: news = noteNews(of: worker.id, in: message)
        }
        defer { confirmReceipt(of: message, to: peer) }
        switch message {
        case .hello, .heartbeat: break
        // What it was sent is not made again because it asks again.
        case .need where news == .repeats, .lacks where news == .repeats: break
        case .need(let task, let digests): provide(digests, for: task, to: worker)
        case .lacks(let task, let adapters): provide(adapters: adapters, for: task, to: worker)
        case .progress(let progress): note(progress, of: worker)
        case .trained(let task, let report, let adapter): trained(task, report, adapter: adapter, by: worker)
        case .staged(let task, let report, let adapter): staged(task, report, adapter: adapter, by: worker)
        case .withdrawn(let task, let stage): withdrawn(task, stage: stage, by: worker)
        case .wants(let shard, let manifest, let stages):
            wanted(stages, ofShard: shard, manifest: manifest, by: worker)
        case .handed(let task, let stage): handed(task, stage, by: worker)
        case .scored(let task, let tokens, let seconds, let margins):
            scored(task, tokens: tokens, seconds: seconds, margins: margins, by: worker)
        case .compared(let task, let report): compared(task, report, by: worker)
        case .embedded(let task, _, _, let values): embedded(task, values: values, by: worker)
        case .prepared(let task, let shard, let adapter, _):
            prepared(task, shard: shard, adapter: adapter, by: worker)
        case .released(let shard): released(shard, by: worker)
        case .holds(let copy): confirm(copy, of: worker)
        case .failed(let task, let code, let message):
            failed(
                task, ClientError(code: ErrorCode(rawValue: code.rawValue.clipped), message: message.clipped),
                by: worker)
        case .cleared(let other, let secret): cleared(other, secret: secret, by: worker)
        case .leaving: leaving(worker)
        case .goodbye(let deleted):
            leave(worker, deleted: deleted)
            settleAtOnce(worker.id)
            // One that ends for another reason goes on being drained when it comes back.
            let isDrained = worker.duty == .drain && roster[worker.id]?.copies.isEmpty ?? true
            if isDrained { roster.update(worker.id) { $0.duty = .work } }
            let reason = (isDrained ? "drained, " : "") + KnownWorker.goodbye
            lose(worker.id, because: reason, isExpected: false)
        }
    }

    /// A worker keeps a result until it knows that it has come.
    private mutating func confirmReceipt(of message: WorkerMessage, to peer: PeerID) {
        guard let task = message.answeredTask, roster.worker(at: peer) != nil else { return }
        send(.taken(task: task), to: peer)
        // Its worker must not begin anew with what it has answered.
        if exchanges.takeRepeated(task) { send(.cancel(task: task), to: peer) }
    }

    // MARK: hello

    private mutating func receive(_ hello: WorkerMessage.Hello, from peer: PeerID) {
        if let other = superseding(hello) { return giveWay(to: other, peer: peer) }
        if let error = objection(to: hello, from: peer) {
            let address = hello.address.map { " at \($0)" } ?? ""
            log("refused worker \((hello.label ?? hello.name).clipped)\(address): \(error.code)", worker: hello.worker)
            return send(.refused(code: error.code, message: error.message), to: peer)
        }
        var worker =
            roster[hello.worker]
            ?? KnownWorker(
                id: hello.worker, name: "", threads: 0, peer: nil, lastHeard: now, lastSent: now)
        if worker.isLive {
            // A reconnection that is faster than the loss was noticed.
            if worker.peer != peer {
                let isQuiet = worker.lastTakeover.map { now.seconds(since: $0) > CoordinatorLimits.takeoverSeconds }
                if isQuiet ?? true { worker.contested = 0 }
                worker.replaced = worker.peer
                worker.lastTakeover = now
            }
        }
        if let other = roster.worker(at: peer), other.id != worker.id {
            lose(other.id, because: "its connection now belongs to another worker", isExpected: false)
        }
        // Nor is it any more that of one that was lost there.
        forgetKept(peer)
        let isSameProcess = worker.process == hello.name.clipped.printable
        if isSameProcess { worker.heard(at: now) } else { worker.longestGap = 0 }
        worker.secret = WorkerIdentity.digest(of: hello.secret)
        // It may have left, and have been started again, before that was noticed.
        if worker.duty == .drain, isEmpty(worker) { worker.settleDrain(since: worker.toldToLeave) }
        worker.introduce(hello, as: name(for: hello, known: worker.name), at: now)
        worker.goOnDraining(isSameProcess: isSameProcess)
        if roster[hello.worker] == nil { resumePause(of: &worker, hello) }
        worker.comparedMethods = hello.comparedMethods(where: settings.configuration.training)
        worker.peer = peer
        worker.lastHeard = now
        worker.adapters = []
        worker.removeAllCopies()
        for copy in hello.copies where worker.copies.count < CoordinatorLimits.copies {
            worker.confirm(copy)
            exchanges.reopen(copy.shard)
        }
        let before = roster[hello.worker]
        // Who connects again and again must not hold up a drain for ever.
        let away = before?.away.map { now.seconds(since: $0.since) } ?? 0
        for copy in before?.copies ?? [] {
            guard let held = copy.heldBack?.again(at: now, after: away) else { continue }
            worker.holdBack(held, copyOf: copy.shard)
            for time in held.ends { alarms.add(.shard(copy.shard), at: time) }
        }
        // Data that was on its way when the connection broke may reach the disk after the hello was written.
        for copy in before?.copies ?? [] where !copy.isConfirmed {
            worker.mayHold(shard: copy.shard, manifests: copy.manifests)
        }
        if arithmetic == nil { arithmetic = hello.arithmetic }
        roster[hello.worker] = worker
        let goesOn = takeBack(hello.work, by: worker.id)
        worker = roster[hello.worker] ?? worker
        settleAll(of: worker, before: before)
        fleet.note(worker.id)
        membershipChanged = now
        suspectCopies(of: worker)
        let tasks = goesOn.isEmpty ? "" : ", and goes on with \(goesOn.count) tasks"
        log("worker \(worker.title) is here\(tasks)", worker: worker.id)
        let welcome = CoordinatorMessage.Welcome(
            cluster: settings.cluster, heartbeatSeconds: settings.heartbeatSeconds, liveness: settings.liveness,
            generation: settings.generation, work: goesOn, name: worker.name)
        send(.welcome(welcome), to: peer)
    }

    private func objection(to hello: WorkerMessage.Hello, from peer: PeerID) -> ClientError? {
        let wanted = settings.configuration.training
        if !CoordinatorLimits.acceptedVersions.contains(hello.protocolVersion) {
            return ClientError(
                code: .protocolVersion, message: ProtocolVersions.refusal(of: hello.protocolVersion))
        }
        if hello.worker.isEmpty || hello.worker != hello.worker.printable
            || hello.worker.utf8.count > CoordinatorLimits.text
            || hello.copies.count > CoordinatorLimits.copies
        {
            return ClientError(code: .invalidHello, message: "the worker's greeting makes no sense")
        }
        if let objection = hello.label.flatMap(WorkerName.objection) {
            return ClientError(code: .invalidHello, message: objection)
        }
        if !owns(hello) {
            return ClientError(
                code: .foreignID,
                message:
                    "the id \(hello.worker) belongs to another worker, whose data directory has its secret: start this "
                    + "one with a data directory of its own")
        }
        if hello.base != wanted.base {
            return ClientError(
                code: .baseModel,
                message: "this cluster trains over the base model \(wanted.base), the worker has "
                    + "\(hello.base.clipped): start it with the same model files")
        }
        if !hello.knows(wanted) {
            return ClientError(
                code: .protocolVersion,
                message: "this cluster trains in a way (slices, averages) of which the worker's release knows nothing: "
                    + "it would make other adapters; run the same release of lethe on both")
        }
        if hello.precision != wanted.precision {
            return ClientError(
                code: .precision,
                message: "this cluster trains in \(wanted.precision.rawValue), the worker in "
                    + "\(hello.precision.rawValue): adapters would differ")
        }
        if let arithmetic, hello.arithmetic != arithmetic {
            return ClientError(
                code: .arithmetic,
                message: "this machine's arithmetic gives other bytes than this cluster's (another kind of CPU or "
                    + "another version of oneDNN): its adapters could not be verified")
        }
        guard let known = roster[hello.worker] else {
            let full = roster.liveCount >= CoordinatorLimits.workers
            return full ? ClientError(code: .full, message: "the cluster has as many workers as it can") : nil
        }
        if known.isLive, known.peer != peer, known.contested >= CoordinatorLimits.contestedMessages {
            return ClientError(
                code: .duplicateWorker,
                message: "two workers run with the id \(known.id): each needs a data directory of its own")
        }
        return nil
    }

    /// Ids can be read by everybody who may ask for the status: greeting with one takes more than that.
    private func owns(_ hello: WorkerMessage.Hello) -> Bool {
        if WorkerIdentity.isMade(fromSecret: hello.worker) {
            return hello.worker == WorkerIdentity.id(secret: hello.secret)
        }
        guard let known = roster[hello.worker]?.secret else { return true }
        return known == WorkerIdentity.digest(of: hello.secret)
    }

    /// Of all that are known.
    package var workerCount: Int { roster.workers.count }

    /// Where the worker is, or was and may be heard again.
    package func connection(of worker: String) -> PeerID? { roster[worker].flatMap { $0.peer ?? $0.absence.peer } }

    /// Whether a worker is there, or was lost there by silence and may be heard again.
    package func hasWorker(at peer: PeerID) -> Bool {
        roster.worker(at: peer) != nil || roster.keptWorker(at: peer) != nil
    }

    /// Whether a worker was there that has greeted from another connection since.
    package func isLeft(_ peer: PeerID) -> Bool { !hasWorker(at: peer) && roster.worker(replacedAt: peer) != nil }

    /// Whether the worker is here, and at this connection.
    package func isHere(_ worker: String, at peer: PeerID) -> Bool { roster[worker]?.peer == peer }

    /// What people are told of the worker there: name and address.
    package func title(at peer: PeerID) -> String? { roster.worker(at: peer)?.title }

    /// Connections of workers that are here, and of those that were lost by silence and may be heard again.
    package var workerConnections: Set<PeerID> { Set(roster.workers.compactMap { $0.peer ?? $0.absence.peer }) }

    /// Those on which workers were lost by silence and may be heard again.
    package var keptConnections: [PeerID] { roster.workers.compactMap(\.absence.peer) }

    /// The worker that is there, or was lost there by silence and may be heard again.
    ///
    /// - Returns: `claim` is what the worker calls itself; a name that was made for it here says nothing of it.
    package func worker(at peer: PeerID) -> (id: String, claim: String)? {
        (roster.worker(at: peer) ?? roster.keptWorker(at: peer)).map { ($0.id, $0.claim) }
    }

    // MARK: sending

    mutating func send(_ message: CoordinatorMessage, to peer: PeerID) {
        sent(to: peer)
        actions.append(.send(peer, message))
    }

    mutating func dispatch(_ task: Dispatch, to peer: PeerID) {
        sent(to: peer)
        actions.append(.dispatch(peer, task))
    }

    private mutating func sent(to peer: PeerID) {
        roster.sent(to: peer, at: now)
    }
}
