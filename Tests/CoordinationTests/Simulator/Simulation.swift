import ClusterTestSupport
import Coordination
import Foundation
import LanguageModels
import Messages
import Recommendation
import Unlearning

/// What is simulated, all of it drawn from the seed.
struct SimulationPlan {
    var seed: UInt64
    var workers: Int
    var shards: Int
    /// Interactions of each user.
    var users: [Int: Int]
    var partitionNeedsEmbeddings: Bool
    /// Faults and requests happen before this time.
    var chaosMilliseconds: Int64
    /// Share of messages between coordinator and workers that are lost, doubled, or late.
    var lossy: Double
    var crashes: Int
    var forgets: Int
    var reads: Int
    /// Workers that an operator drains or pauses, or that are asked to end.
    var orders = 0
    /// Whether IFRU is prepared ahead of requests.
    var prepares: Bool
    /// Whether one of three or more workers trains to other bytes than the others; then every forget is double-checked.
    var hasFalseWorker: Bool
    /// How long trainings and comparisons take; those that take long tell how far they are.
    var trainingMilliseconds: ClosedRange<Int64> = 1000...9000
    /// How long embedding or scoring a chunk takes.
    var chunkMilliseconds: ClosedRange<Int64> = 50...500
    /// Every worker is cut off for as long, this time after time; nil: none is.
    var shortLosses: (every: Int64, lasting: Int64)?
    /// The coordinator's loop stands still for as long, this time after time.
    var pauses: (every: Int64, lasting: Int64)?
    /// Besides the others, requests to forget one user each, all this time apart; nil: none.
    var forgetEveryMilliseconds: Int64?
    /// From when on to the end of the chaos the ledger refuses what.
    var refused: (from: Int64, Set<ModelLedger.Refusal>)?

    init(seed: UInt64) {
        var random = SimulationRandom(seed: seed)
        self.seed = seed
        workers = 1 + random.below(6)
        shards = 1 + random.below(6)
        users = Dictionary(uniqueKeysWithValues: (0..<(4 + random.below(8))).map { ($0, 4 + random.below(5)) })
        partitionNeedsEmbeddings = random.chance(0.5)
        chaosMilliseconds = random.between(20_000, 60_000)
        lossy = random.chance(0.3) ? 0 : Double(random.below(100)) / 1000
        crashes = random.below(8)
        forgets = 1 + random.below(5)
        reads = random.below(3)
        prepares = random.chance(0.3)
        hasFalseWorker = workers > 2 && random.chance(0.3)
    }

    /// With orders, which everything else is drawn without.
    static func withOrders(seed: UInt64) -> SimulationPlan {
        var random = SimulationRandom(seed: seed ^ 0xD7A1)
        var plan = SimulationPlan(seed: seed)
        plan.orders = random.chance(0.5) ? random.below(8) : 0
        return plan
    }
}

/// Drives the real coordinator with model workers and a model ledger under a seeded schedule, and checks the invariants
/// after every event.
struct Simulation {
    struct Host {
        var worker: ModelWorker
        var isUp = false
        /// Counts its starts: timers and jobs of an earlier one are void.
        var incarnation = 0
        var peer: PeerID?
        var isWelcome = false
        /// It was asked to end.
        var isTerminating = false
        var lastReceived: Int64 = 0
        var isolatedUntil: Int64 = 0
    }

    struct Client {
        var request: String
        var body: ClientRequest
        var isAcknowledged = false
        var isEnded = false
        var reply: CoordinatorReply?
        var acknowledgedAt: Int64?
        var endedAt: Int64?
    }

    let plan: SimulationPlan
    let specification = {
        // A training has more steps than its worker tells of.
        var specification = TrainingSpecification(base: "base", precision: .f32, seed: 7, epochs: 1000)
        specification.slices = ModelStage.slices
        return specification
    }()
    private(set) var ledger: ModelLedger
    private(set) var coordinator: Coordinator?
    private(set) var hosts: [Host]
    private(set) var clients: [Client] = []
    var violations: [String] = []
    private(set) var now: Int64 = 0
    private(set) var eventsHandled = 0
    /// What the coordinator logged of workers that it took for lost.
    private(set) var losses = 0
    /// Workers that the coordinator told to leave.
    private(set) var sentAway = 0
    /// Trainings and comparisons that workers began, in all.
    private(set) var longJobs = 0
    private var pausedUntil: Int64 = 0
    var random: SimulationRandom
    private var queue = SimulationQueue()
    private var life = 0
    private var connections = 0
    /// Interactions whose forgetting a client was told of.
    private(set) var acknowledged: Set<ModelLedger.Interaction> = []
    var seen = SeenState()
    private var isCalm = false
    /// At the end of the chaos.
    private(set) var statusBeforeCalm: StatusReport?

    init(_ plan: SimulationPlan, without forgotten: Set<ModelLedger.Interaction> = []) {
        self.plan = plan
        random = SimulationRandom(seed: plan.seed ^ 0x5EED)
        ledger = ModelLedger(
            users: plan.users, shards: plan.shards, partitionNeedsEmbeddings: plan.partitionNeedsEmbeddings,
            without: forgotten)
        hosts = (0..<plan.workers).map { Host(worker: ModelWorker(id: "worker-\($0)")) }
        if plan.hasFalseWorker { hosts[0].worker.isFalse = true }
    }

    // MARK: running

    /// Runs through the chaos and then, under a fair schedule, until everything is at rest.
    mutating func run(patienceMilliseconds: Int64 = 600_000) {
        planAll()
        let end = plan.chaosMilliseconds + patienceMilliseconds
        while let (time, event) = queue.next(), violations.isEmpty {
            now = time
            if !isCalm, now >= plan.chaosMilliseconds { calm() }
            handle(event)
            eventsHandled += 1
            check()
            if isCalm, isAtRest { return }
            if now > end {
                violations.append("not at rest: \(unrest)")
            }
        }
    }

    private mutating func planAll() {
        queue.plan(.startCoordinator, at: 0)
        for index in hosts.indices { queue.plan(.startWorker(index), at: random.between(0, 3000)) }
        let chaos = plan.chaosMilliseconds
        add(.train, at: random.between(0, 5000))
        for _ in 0..<plan.forgets { add(randomForget(), at: random.between(2000, chaos - 5000)) }
        if let (time, refused) = plan.refused { queue.plan(.refuse(refused), at: time) }
        if let span = plan.forgetEveryMilliseconds {
            for (index, user) in plan.users.keys.sorted().enumerated() where index < plan.users.count - plan.shards {
                let time = 20_000 + Int64(index) * span
                if time < chaos {
                    add(.forget(ClientRequest.ForgetRequest(users: ["\(user)"], interactions: [])), at: time)
                }
            }
        }
        for _ in 0..<plan.reads {
            let body: ClientRequest =
                random.chance(0.25)
                ? .compare(.quick)
                : random.chance(0.5)
                    ? .verify(ClientRequest.VerifyRequest(request: nil))
                    : .evaluate(
                        ClientRequest.EvaluateRequest(
                            split: .test, compare: random.chance(0.5),
                            attention: random.chance(0.5) ? .init(tau: 1, neighbours: 2) : nil))
            add(body, at: random.between(5000, chaos - 2000))
        }
        for _ in 0..<plan.crashes {
            let time = random.between(1000, chaos - 1000)
            switch random.below(6) {
            case 0:
                queue.plan(.crashCoordinator, at: time)
                queue.plan(.startCoordinator, at: time + random.between(100, 8000))
            case 1:
                queue.plan(.diskFull(true), at: time)
                queue.plan(.diskFull(false), at: time + random.between(500, 10_000))
            case 5:
                let refused = ModelLedger.Refusal.allCases.filter { _ in random.chance(0.3) }
                queue.plan(.refuse(Set(refused)), at: time)
                queue.plan(.refuse([]), at: time + random.between(1000, 30_000))
            case 2:
                queue.plan(.partition(random.below(plan.workers), until: time + random.between(500, 15_000)), at: time)
            default:
                let worker = random.below(plan.workers)
                queue.plan(.crashWorker(worker), at: time)
                queue.plan(.startWorker(worker), at: time + random.between(100, 20_000))
            }
        }
        planCuts()
        planOrders()
        planStageReads()
        // So that the queue is never empty at the end of the chaos.
        queue.plan(.diskFull(false), at: chaos)
    }

    /// From a source of its own, so that everything else happens as without them.
    private mutating func planOrders() {
        var random = SimulationRandom(seed: plan.seed ^ 0x0DE5)
        for _ in 0..<plan.orders {
            let time = random.between(2000, plan.chaosMilliseconds - 2000)
            let worker = random.below(plan.workers)
            guard random.chance(0.7) else {
                queue.plan(.terminateWorker(worker, until: time + random.between(500, 8000)), at: time)
                continue
            }
            // Disks are not destroyed here, so nobody says so.
            let verb = random.element(of: [WorkerOrder.Verb.drain, .drain, .pause, .resume]) ?? .drain
            add(.order(WorkerOrder(worker: "worker-\(worker)", verb: verb)), at: time)
        }
    }

    /// Verifications of single slices, from a source of their own.
    private mutating func planStageReads() {
        var random = SimulationRandom(seed: plan.seed ^ 0x57A6)
        guard plan.reads > 0 else { return }
        let wanted = ClientRequest.VerifyRequest(request: nil, stages: .drawn(2, seed: plan.seed))
        add(.verify(wanted), at: random.between(5000, plan.chaosMilliseconds - 2000))
    }

    private mutating func planCuts() {
        if let (every, span) = plan.shortLosses {
            for time in stride(from: every, to: plan.chaosMilliseconds - span, by: Int64.Stride(every)) {
                for index in hosts.indices { queue.plan(.partition(index, until: time + span), at: time) }
            }
        }
        if let (every, span) = plan.pauses {
            for time in stride(from: every, to: plan.chaosMilliseconds - span, by: Int64.Stride(every)) {
                queue.plan(.pause(until: time + span), at: time)
            }
        }
    }

    private mutating func add(_ body: ClientRequest, at time: Int64) {
        clients.append(Client(request: "request-\(clients.count)", body: body))
        queue.plan(.clientSends(clients.count - 1), at: time)
    }

    private mutating func randomForget() -> ClientRequest {
        let users = plan.users.keys.sorted()
        let user = random.element(of: users) ?? 0
        let (method, bridge) = randomMethod()
        if random.chance(0.5) {
            return .forget(
                ClientRequest.ForgetRequest(users: ["\(user)"], interactions: [], method: method, bridge: bridge))
        }
        let item = random.below(plan.users[user] ?? 1)
        return .forget(
            ClientRequest.ForgetRequest(
                users: [], interactions: [.init(user: "\(user)", item: "\(item)", timestamp: nil)], method: method,
                bridge: bridge))
    }

    private mutating func randomMethod() -> (method: String?, bridge: String?) {
        switch random.below(6) {
        case 0: ("ifru", nil)
        case 1: ("e2urec", nil)
        case 2: ("apa", "ifru")
        case 3: (nil, "e2urec")
        default: (nil, nil)
        }
    }

    /// The end of all faults: everybody is up and reachable, and says anew what he has.
    private mutating func calm() {
        isCalm = true
        statusBeforeCalm = coordinator?.status(at: CoordinatorInstant(milliseconds: now))
        ledger.isDiskFull = false
        ledger.refused = []
        if coordinator == nil { startCoordinator() }
        // Of what was not heard in time nobody is told any more, and everybody works again.
        for position in clients.indices {
            if case .order = clients[position].body { clients[position].isEnded = true }
        }
        for index in hosts.indices where plan.orders > 0 {
            add(.order(WorkerOrder(worker: "worker-\(index)", verb: .resume)), at: now + 1000)
        }
        for index in hosts.indices {
            hosts[index].isolatedUntil = 0
            if hosts[index].isUp { connect(index) } else { startWorker(index) }
        }
    }

    // MARK: events

    private mutating func handle(_ event: SimulationEvent) {
        if now < pausedUntil, event.isForCoordinator {
            // The loop reads what came before it looks at the clock.
            let isTick = if case .tick = event { true } else { false }
            return queue.plan(event, at: pausedUntil + (isTick ? 1 : 0))
        }
        switch event {
        case .pause(let until): pausedUntil = until
        case .tick(let life):
            guard life == self.life, coordinator != nil else { return }
            feed(.tick)
            queue.plan(.tick(life: life), at: now + 250)
        case .shell(let event, let life): if life == self.life { feed(event) }
        case .ledger(let id, let command, let life):
            guard life == self.life, coordinator != nil else { return }
            let outcome = ledger.perform(command)
            if dies(after: id, command) {
                // Committed; the keys that the request gave up are still there.
                coordinator = nil
                self.life += 1
                queue.plan(.startCoordinator, at: now + 1000)
                return
            }
            ledger.overwriteKeys()
            // Between the commit and the news of it the coordinator may die.
            queue.plan(.shell(.ledger(id, outcome), life: life), at: now + 10)
            if case .failed(let error) = outcome, error.code == ErrorCode.stale {
                queue.plan(.shell(.ledgerChanged(ledger.snapshot), life: life), at: now + 10)
            }
        case .behindLedger(let action, let life): if life == self.life { performBehindLedger(action) }
        case .toCoordinator(let peer, let message): feed(.worker(peer: peer, message))
        case .toWorker(let index, let peer, let message):
            guard hosts[index].isUp, hosts[index].peer == peer else { return }
            deliver(message, to: index)
        case .workerTimer(let index, let incarnation): workerTimer(index, incarnation)
        case .jobDone(let index, let incarnation, let job):
            guard hosts[index].isUp, hosts[index].incarnation == incarnation else { return }
            perform(hosts[index].worker.finished(job), of: index)
        case .startWorker(let index): startWorker(index)
        case .crashWorker(let index):
            guard hosts[index].isUp, !isCalm else { return }
            hosts[index].isUp = false
            hosts[index].peer = nil
            hosts[index].worker.crash()
        case .terminateWorker(let index, let until):
            guard hosts[index].isUp, !isCalm else { return }
            hosts[index].isTerminating = true
            if hosts[index].isWelcome { transmit(.leaving, from: index) }
            queue.plan(.endWorker(index, incarnation: hosts[index].incarnation), at: until)
        case .endWorker(let index, let incarnation):
            if hosts[index].incarnation == incarnation { endWorker(index) }
        case .startCoordinator: startCoordinator()
        case .crashCoordinator:
            guard !isCalm else { return }
            coordinator = nil
            life += 1
        case .partition(let index, let until): if !isCalm { hosts[index].isolatedUntil = until }
        case .diskFull(let isFull): ledger.isDiskFull = isFull && !isCalm
        case .refuse(let refused): ledger.refused = isCalm ? [] : refused
        case .clientSends(let client): clientSends(client)
        case .clientHears(let client, let reply): clientHears(client, reply)
        }
    }

    /// Whether the process is killed between the commit of a forget request and the destruction of its keys. By the number
    /// of the command, so that everything else happens as without it.
    private func dies(after id: LedgerCommandID, _ command: LedgerCommand) -> Bool {
        guard case .forget = command, !isCalm, plan.crashes > 0 else { return false }
        return simulatedHash("\(plan.seed) \(id) \(now)") % 4 == 0
    }

    private mutating func startCoordinator() {
        guard coordinator == nil else { return }
        ledger.overwriteKeys()
        life += 1
        let configuration = ClusterConfiguration(
            training: specification, embedding: EmbeddingSource(layer: 1, pooling: .last), shards: plan.shards,
            partition: plan.partitionNeedsEmbeddings ? .user : .userHash,
            corrections: CorrectionConfiguration(preparesInfluence: plan.prepares))
        let settings = CoordinatorSettings(
            cluster: "simulated", configuration: configuration, embeddingWidth: 2, chunk: 4, silenceSeconds: 30,
            firstTask: TaskID(now * 1000 + 1), doubleCheck: plan.hasFalseWorker ? .share(1) : .one)
        coordinator = Coordinator(
            settings: settings, snapshot: ledger.snapshot,
            copies: ledger.copies.sorted { ($0.worker, $0.shard, $0.manifest) < ($1.worker, $1.shard, $1.manifest) },
            workers: ledger.workers, words: ledger.words, at: CoordinatorInstant(milliseconds: now))
        queue.plan(.tick(life: life), at: now)
    }

    private mutating func feed(_ event: CoordinatorEvent) {
        guard let actions = coordinator?.handle(event, at: CoordinatorInstant(milliseconds: now)) else { return }
        if eventsHandled % 16 == 0, let coordinator { checkThoroughness(of: coordinator) }
        for action in actions { perform(action) }
    }

    /// Whoever looks at what changed does what somebody does who looks at everything.
    private mutating func checkThoroughness(of coordinator: Coordinator) {
        // Anybody may ask at any time.
        _ = coordinator.status(at: CoordinatorInstant(milliseconds: now))
        var (quick, thorough) = (coordinator, coordinator)
        let instant = CoordinatorInstant(milliseconds: now)
        let found = quick.look(atEverything: false, at: instant)
        let all = thorough.look(atEverything: true, at: instant)
        // Sentences cost more than the looks, and mostly there is nothing to do.
        if found.isEmpty, all.isEmpty { return }
        let (foundLines, allLines) = (found.map { "\($0)" }, all.map { "\($0)" })
        if foundLines != allLines { violations.append("overlooked: \(allLines) instead of \(foundLines)") }
    }

    // MARK: the shell

    private mutating func perform(_ action: CoordinatorAction) {
        func answer(_ event: CoordinatorEvent) {
            queue.plan(.shell(event, life: life), at: now + 5)
        }
        let stale = ClientError(code: ErrorCode.stale, message: "gone")
        switch action {
        case .send(let peer, let message):
            switch message {
            case .cancel, .release, .drop: queue.plan(.behindLedger(.send(peer, message), life: life), at: now + 20)
            default: transmit(message, to: peer)
            }
        case .dispatch: queue.plan(.behindLedger(action, life: life), at: now + 20)
        case .superseded: violations.append("superseded, although there is one coordinator")
        case .reply(let ticket, let reply):
            guard let client = clients.firstIndex(where: { $0.request == ticket.request }) else { return }
            noteAcknowledgement(reply, of: client)
            if !random.chance(isCalm ? 0 : plan.lossy) {
                queue.plan(.clientHears(client, reply), at: now + random.between(1, 50))
            }
        case .ledger(let id, let command): queue.plan(.ledger(id, command, life: life), at: now + 20)
        case .loadMissing(let rows, let limit):
            if case .margins(let name) = rows, !ledger.hasAdapter(name) {
                answer(.missing(rows, .failure(stale)))
            } else {
                answer(.missing(rows, .success(Array(ledger.missing(rows).prefix(limit)))))
            }
        case .loadSplit(let operation, let split, let parameters):
            let digests = ledger.samples.filter { $0.split == split }.map(\.digest)
            answer(
                .splitLoaded(
                    operation: operation,
                    .success(
                        LoadedSplit(
                            digests: digests, missingEmbeddings: digests, looksAtQuery: parameters != nil))))
        case .loadComparison(let operation, _):
            answer(
                .comparisonLoaded(
                    operation: operation, .success(LoadedComparison(cases: PlannedCase.samples(3), basis: ledger.basis))
                ))
        case .loadForgetShards(let operation, let request):
            answer(
                .forgetShards(
                    operation: operation,
                    ledger.record(request).map { .success($0.outcome.shards) } ?? .failure(stale)))
        case .loadStages(let operation):
            answer(.stages(operation: operation, .success(ledger.stages)))
        case .computeWeights(let operation, let request):
            let (prompts, adapters) = (request.digests.count, request.adapters.count)
            if request.embeddings.count != prompts * 2 { violations.append("embeddings of the split are incomplete") }
            let weights = [Float](repeating: 1 / Float(adapters), count: prompts * adapters)
            answer(.weights(operation: operation, generation: request.generation, request.scope, .success(weights)))
        case .buildEvaluation(let operation, let scores):
            for series in scores.series {
                if series.margins.count != scores.digests.count { violations.append("a series is incomplete") }
            }
            let current = scores.digests.allSatisfy { ledger.sample($0) != nil }
            answer(.evaluation(operation: operation, current ? .success([1]) : .failure(stale)))
        case .working: break
        case .findGone(let digests): queue.plan(.behindLedger(.findGone(digests), life: life), at: now + 20)
        case .log(let line): if line.message.hasPrefix("lost worker") { losses += 1 }
        }
    }

    /// What the shell hands to the ledger's thread, so that it comes behind the commands that were given before.
    private mutating func performBehindLedger(_ action: CoordinatorAction) {
        switch action {
        case .send(let peer, let message): transmit(message, to: peer)
        case .findGone(let digests):
            let gone = digests.filter { ledger.sample($0) == nil }
            queue.plan(.shell(.goneFound(.success(gone)), life: life), at: now + 5)
        case .dispatch(let peer, let dispatch):
            if let message = complete(dispatch) {
                transmit(message, to: peer)
            } else {
                let code = ledger.isDiskFull ? ErrorCode.diskFull : .stale
                let error = ClientError(code: code, message: "gone")
                queue.plan(.shell(.undelivered(peer: peer, task: dispatch.task, error), life: life), at: now + 5)
            }
        default: violations.append("an action that needs no ledger waits for it")
        }
    }

    /// The ledger writes down whose disk gets what, or nothing is sent.
    private mutating func record(_ holder: CopyHolder, _ shard: Int, _ manifest: String) -> Bool {
        guard !ledger.isDiskFull else { return false }
        ledger.recordCopy(HandedCopy(worker: holder.worker, name: holder.name, shard: shard, manifest: manifest))
        return true
    }

    /// The message with what the ledger adds; nil where that is gone.
    private mutating func complete(_ dispatch: Dispatch) -> CoordinatorMessage? {
        func prompts(_ digests: [String]) -> [TrainingPrompt]? {
            let found = digests.compactMap { ledger.sample($0)?.prompt }
            return found.count == digests.count ? found : nil
        }
        switch dispatch {
        case .assign(let task, let shard, let manifest, let specification, let adapter, let holder):
            guard ledger.names[shard] == manifest, record(holder, shard, manifest) else { return nil }
            return .assign(
                CoordinatorMessage.Assignment(
                    task: task, shard: shard, specification: specification, manifest: ledger.manifests[shard],
                    keys: ledger.shardKeys(shard), adapter: adapter))
        case .correct(let task, let shard, let manifest, let specification, let holder):
            guard ledger.names[shard] == manifest, let pending = ledger.corrections[shard],
                record(holder, shard, manifest)
            else { return nil }
            let provenance = pending.original.corrected.map {
                AdapterProvenance.approximate(
                    ApproximateProvenance(
                        method: $0.method, original: "", result: pending.original.name, forgotten: 1,
                        corrections: $0.corrections))
            }
            let correction = PendingCorrection(
                method: CorrectionConfiguration().method(pending.method), original: Array(pending.original.name.utf8),
                provenance: provenance ?? .trained, request: InfluenceRequest(direct: []))
            return .assign(
                CoordinatorMessage.Assignment(
                    task: task, shard: shard, specification: specification, manifest: ledger.manifests[shard],
                    keys: ledger.shardKeys(shard), adapter: nil, correction: correction))
        case .prepare(let task, let shard, let manifest, let adapter):
            guard ledger.hasAdapter(adapter) else { return nil }
            return .prepare(
                .init(
                    task: task, shard: shard, manifest: manifest,
                    keys: ledger.shardKeys(shard).withoutOwners, adapter: Array(adapter.utf8),
                    trial: InfluenceTrial(specification: Toy.specification())))
        case .prompts(let task, let shard, _, let digests):
            let own = Set(ledger.samples(of: shard).map(\.digest))
            guard digests.allSatisfy(own.contains) else { return nil }
            return prompts(digests).map { .prompts(task: task, prompts: $0) }
        case .replay(let task, let specification, let data):
            switch data {
            case .everything:
                return .replay(
                    task: task, specification: specification,
                    prompts: ledger.samples.filter { $0.split == .train }.map(\.prompt))
            case .shard(let shard, let manifest):
                guard ledger.names[shard] == manifest else { return nil }
                return .replay(
                    task: task, specification: specification, prompts: ledger.samples(of: shard).map(\.prompt))
            }
        case .replayStage(let task, let specification, let shard, let manifest, let slice, let before):
            guard ledger.names[shard] == manifest else { return nil }
            return .replayStage(
                .init(
                    task: task, specification: specification, slice: slice,
                    prompts: ledger.samples(of: shard).map(\.prompt), before: before))
        case .hand(let task, let shard, let manifest, let specification, let stage, let holder):
            guard ledger.names[shard] == manifest, record(holder, shard, manifest) else { return nil }
            return .hand(
                .init(
                    task: task, shard: shard, specification: specification, manifest: ledger.manifests[shard],
                    keys: ledger.shardKeys(shard), stage: stage))
        case .stage(_, let shard, let manifest, let stage):
            return ledger.names[shard] == manifest ? .stage(shard: shard, stage) : nil
        case .noStage(_, let shard): return .noStage(shard: shard)
        case .embed(let task, let source, _, let digests):
            return prompts(digests).map { .embed(task: task, source: source, prompts: $0) }
        case .compare(let task, _, let position, let basis):
            return basis == ledger.basis ? .compare(task: task, .sample(seed: UInt64(position))) : nil
        case .score(let task, let rule, let adapters, let weights, let digests):
            for case .published(let name) in adapters where !ledger.hasAdapter(name) { return nil }
            return prompts(digests).map {
                .score(
                    CoordinatorMessage.ScoreTask(
                        task: task, rule: rule, adapters: adapters.map(\.name), weights: weights, prompts: $0))
            }
        case .adapters(let task, let adapters):
            for case .published(let name) in adapters where !ledger.hasAdapter(name) { return nil }
            return .adapters(task: task, adapters.map { Array($0.name.utf8) })
        }
    }

    // MARK: the network

    private func isIsolated(_ index: Int) -> Bool { hosts[index].isolatedUntil > now }

    /// When copies of a message arrive: usually one, soon.
    private mutating func arrivals() -> [Int64] {
        guard !isCalm, plan.lossy > 0 else { return [now + 2] }
        if random.chance(plan.lossy) { return [] }
        var times = [now + random.between(1, 40)]
        if random.chance(plan.lossy) { times[0] += random.between(100, 3000) }
        if random.chance(plan.lossy) { times.append(times[0] + random.between(0, 1000)) }
        return times
    }

    private mutating func transmit(_ message: CoordinatorMessage, to peer: PeerID) {
        guard let index = hosts.firstIndex(where: { $0.peer == peer }) else {
            queue.plan(.shell(.unreachable(peer: peer), life: life), at: now + 1)
            return
        }
        guard !isIsolated(index) else { return }
        for time in arrivals() { queue.plan(.toWorker(index, peer, message), at: time) }
    }

    private mutating func transmit(_ message: WorkerMessage, from index: Int) {
        guard let peer = hosts[index].peer, !isIsolated(index) else { return }
        for time in arrivals() { queue.plan(.toCoordinator(peer, message), at: time) }
    }

    // MARK: workers

    private mutating func startWorker(_ index: Int) {
        guard !hosts[index].isUp else { return }
        hosts[index].isUp = true
        hosts[index].isTerminating = false
        hosts[index].incarnation += 1
        connect(index)
        queue.plan(.workerTimer(index, incarnation: hosts[index].incarnation), at: now + 1000)
    }

    /// The process says goodbye and ends; its host starts it again.
    private mutating func endWorker(_ index: Int) {
        guard hosts[index].isUp else { return }
        if hosts[index].isWelcome { transmit(.goodbye(deleted: []), from: index) }
        hosts[index].isUp = false
        hosts[index].peer = nil
        hosts[index].worker.crash()
        queue.plan(.startWorker(index), at: now + 3000)
    }

    private mutating func connect(_ index: Int) {
        connections += 1
        hosts[index].worker.disconnect()
        hosts[index].peer = PeerID(Array("peer-\(connections)".utf8))
        hosts[index].isWelcome = false
        hosts[index].lastReceived = now
        transmit(hosts[index].worker.hello(specification), from: index)
    }

    private mutating func workerTimer(_ index: Int, _ incarnation: Int) {
        guard hosts[index].isUp, hosts[index].incarnation == incarnation else { return }
        if now - hosts[index].lastReceived >= 3000 {
            connect(index)
        } else if hosts[index].isWelcome {
            transmit(.heartbeat, from: index)
            if plan.trainingMilliseconds.upperBound > 10_000 {
                perform(hosts[index].worker.tellOfProgress(), of: index)
            }
        }
        queue.plan(.workerTimer(index, incarnation: incarnation), at: now + 1000)
    }

    private mutating func deliver(_ message: CoordinatorMessage, to index: Int) {
        if case .refused(let code, _) = message { violations.append("a worker was refused: \(code)") }
        if case .welcome = message { hosts[index].isWelcome = true }
        hosts[index].lastReceived = now
        perform(hosts[index].worker.receive(message), of: index)
    }

    private mutating func perform(_ effects: [ModelWorker.Effect], of index: Int) {
        for effect in effects {
            switch effect {
            // Without a connection nothing is said; results wait.
            case .send(let message): if hosts[index].isWelcome { transmit(message, from: index) }
            case .leave:
                sentAway += 1
                // Only who is drained, or was asked to end, is sent away; who is drained has nothing left.
                if plan.lossy == 0, !hosts[index].isTerminating, !hosts[index].worker.disk.isEmpty {
                    violations.append("\(hosts[index].worker.id) was sent away with data on its disk")
                }
                endWorker(index)
            case .start(let job, let isTraining):
                if isTraining { longJobs += 1 }
                let usual = isTraining ? plan.trainingMilliseconds : plan.chunkMilliseconds
                let duration = random.between(usual.lowerBound, usual.upperBound)
                queue.plan(.jobDone(index, incarnation: hosts[index].incarnation, job: job), at: now + duration)
            }
        }
    }

    // MARK: clients

    private mutating func clientSends(_ index: Int) {
        let client = clients[index]
        guard !client.isEnded else { return }
        // A client that hears nothing asks again, by the same id.
        queue.plan(.clientSends(index), at: now + 3000)
        guard coordinator != nil else { return }
        let ticket = ClientTicket(peer: PeerID(Array("client".utf8)), request: client.request)
        feed(.client(ticket, client.isAcknowledged ? .operation(id: client.request) : client.body))
    }

    private mutating func clientHears(_ index: Int, _ reply: CoordinatorReply) {
        clients[index].reply = reply
        defer {
            if clients[index].isAcknowledged { clients[index].acknowledgedAt = clients[index].acknowledgedAt ?? now }
            if clients[index].isEnded { clients[index].endedAt = clients[index].endedAt ?? now }
        }
        switch reply {
        case .forgetAccepted(let state, _):
            clients[index].isAcknowledged = true
            clients[index].isEnded = state == .done
        case .operation(let report, _), .comparedCases(let report, _):
            clients[index].isAcknowledged = true
            clients[index].isEnded = report.state == .done || (report.state == .failed && report.kind != "forget")
        case .failure(let error):
            switch error.code {
            case .diskFull, .busy: break
            // Everything may have been forgotten, or not be there yet.
            default: clients[index].isEnded = true
            }
        case .unknownOperation(let id):
            // The coordinator restarted. The ledger knows a forget request for ever; the rest is asked anew.
            if let record = ledger.record(id) {
                clients[index].isEnded = record.isFinished
            } else {
                clients[index].isAcknowledged = false
            }
        case .ordered: clients[index].isEnded = true
        case .status, .forgottenCopy: break
        }
    }

    private mutating func noteAcknowledgement(_ reply: CoordinatorReply, of client: Int) {
        guard case .forgetAccepted = reply, case .forget(let request) = clients[client].body else { return }
        guard ledger.record(clients[client].request) != nil else {
            violations.append("\(clients[client].request) was acknowledged and is not in the ledger")
            return
        }
        for (user, count) in plan.users.sorted(by: { $0.key < $1.key }) {
            for item in 0..<count
            where request.users.contains("\(user)")
                || request.interactions.contains(where: { $0.user == "\(user)" && $0.item == "\(item)" })
            {
                acknowledged.insert(ModelLedger.Interaction(user: user, item: item))
            }
        }
    }
}

extension ModelLedger {
    /// Names the prompts there are.
    var basis: String {
        ShardManifest(entries: samples.map { ShardManifest.Entry(id: $0.prompt.id, digest: $0.digest) }).digest
    }
}
