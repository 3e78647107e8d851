import Messages
import Serving

/// A coordinator and gateways, their clocks and what lies between them, by a seed: messages are lost, late, doubled and
/// overtake each other; processes are paused and killed; clocks run at different rates.
///
/// The coordinator knows people; what is asked about a person rests on the person and on the shard's adapter. A forget takes the
/// person and replaces the adapter. No answer may go out after the acknowledgement that rests on what it took.
struct LeaseSimulation {
    /// What a gateway or a coordinator might do wrong.
    enum Carelessness {
        /// It looks at no lease before it answers.
        case answersWithoutLease
        /// It does not let go of what was revoked.
        case keepsWhatWasRevoked
        /// It acknowledges without waiting for anybody.
        case acknowledgesAtOnce
        /// It starts as though nobody could have a lease of before.
        case forgetsEarlierRun
    }

    struct Outcome {
        var answers = 0
        var acknowledged = 0
        /// What went wrong; empty: nothing.
        var faults: [String] = []
    }

    static let shards = 2
    static let people = 8
    static let gateways = 3
    static let end: Int64 = 20_000_000
    /// Nothing is lost, paused or killed from then on, in microseconds.
    static let quiet: Int64 = 12_000_000

    private let rules = LeaseRules()
    private let carelessness: Carelessness?
    var random: SimulatedChance
    var queue = EventQueue()
    var now: Int64 = 0
    private var outcome = Outcome()

    // MARK: the coordinator
    private var book: LeaseBook
    private var run = 0
    private var isUp = true
    private var coordinatorClock: SimulatedClock
    /// Of each shard, how many adapters it had before.
    private var adapters = [Int](repeating: 0, count: shards)
    private var forgotten: [(inputs: ForgottenInputs, at: Int64, acknowledged: Int64?)] = []
    private var waiting: [(forget: Int, version: UInt64)] = []

    // MARK: gateways
    private var gateways: [SimulatedGateway]

    init(seed: UInt64, carelessness: Carelessness? = nil) {
        random = SimulatedChance(seed: seed)
        self.carelessness = carelessness
        coordinatorClock = SimulatedClock(&random)
        book = LeaseBook(run: "0", mayInherit: false, at: coordinatorClock.milliseconds(at: 0))
        gateways = []
        for index in 0..<Self.gateways {
            gateways.append(SimulatedGateway(peer: PeerID([UInt8(index)]), clock: SimulatedClock(&random)))
            queue.add(.tick(gateway: index, life: 0), at: random.below(200_000))
        }
        queue.add(.coordinatorTick(run: 0), at: random.below(200_000))
        for _ in 0..<(1 + random.below(5)) { queue.add(.forget, at: random.below(Self.quiet)) }
        for _ in 0..<random.below(4) { queue.add(.pause(gateway: pick()), at: random.below(Self.quiet)) }
        for _ in 0..<random.below(3) { queue.add(.kill(gateway: pick()), at: random.below(Self.quiet)) }
        for _ in 0..<random.below(3) { queue.add(.crash, at: random.below(Self.quiet)) }
    }

    private mutating func pick() -> Int { Int(random.below(Int64(Self.gateways))) }

    mutating func play() -> Outcome {
        while let (time, event) = queue.next(), time <= Self.end {
            now = time
            handle(event)
            if !outcome.faults.isEmpty { return outcome }
        }
        if let late = forgotten.firstIndex(where: { $0.acknowledged == nil }) {
            outcome.faults.append("forget \(late) of \(forgotten[late].at) was never acknowledged")
        }
        outcome.acknowledged = forgotten.count { $0.acknowledged != nil }
        return outcome
    }

    private mutating func handle(_ event: SimulatedEvent) {
        if let gateway = event.gateway, now < gateways[gateway].pausedUntil {
            // In the order in which it came.
            return queue.add(event, at: gateways[gateway].pausedUntil)
        }
        switch event {
        case .coordinatorTick(let tickRun):
            guard isUp, tickRun == run else { return }
            acknowledge()
            queue.add(.coordinatorTick(run: run), at: now + 200_000)
        case .forget: forget()
        case .crash:
            isUp = false
            waiting = []
            queue.add(.restart, at: now + random.below(1_500_000))
        case .restart: restart()
        case .pause(let gateway): gateways[gateway].pausedUntil = now + random.below(6_000_000)
        case .kill(let gateway): kill(gateway)
        case .toCoordinator(let gateway, let life, let message): receive(message, of: gateway, life)
        case .toGateway(let gateway, let life, let message):
            guard life == gateways[gateway].life else { return }
            receive(message, gateway)
        case .tick(let gateway, let life):
            guard life == gateways[gateway].life else { return }
            queue.add(.tick(gateway: gateway, life: life), at: now + 200_000)
            perform(gateways[gateway].holder.tick(at: local(gateway)), gateway)
            if random.chance(0.5) { ask(gateway) }
        case .computed(let gateway, let life, let question):
            guard life == gateways[gateway].life else { return }
            if gateways[gateway].computing.removeValue(forKey: question.number) != nil { answer(question, gateway) }
        }
    }

    // MARK: the coordinator's side

    private var coordinatorTime: Int64 { coordinatorClock.milliseconds(at: now) }

    private mutating func forget() {
        guard isUp else { return queue.add(.forget, at: now + 300_000) }
        let gone = Set(forgotten.flatMap(\.inputs.people))
        guard let person = (0..<Int64(Self.people)).filter({ !gone.contains($0) }).randomElement(using: &random) else {
            return
        }
        let shard = Int(person) % Self.shards
        let inputs = ForgottenInputs(
            people: [person], items: random.chance(0.2) ? ["item \(person)"] : [], adapters: [adapter(shard)],
            changesReferences: random.chance(0.3), changesLikes: random.chance(0.3) ? true : nil)
        adapters[shard] += 1
        forgotten.append((inputs, now, nil))
        let (revocation, peers) = book.revoke(inputs, at: coordinatorTime)
        for (index, gateway) in gateways.enumerated() where peers.contains(gateway.peer) {
            send(.toGateway(gateway: index, life: gateway.life, .revocation(revocation)))
        }
        waiting.append((forgotten.count - 1, book.version))
        acknowledge()
    }

    private mutating func acknowledge() {
        let (settled, isClear) = (book.settled(at: coordinatorTime), book.inheritsNothing(at: coordinatorTime))
        for (forget, version) in waiting
        where carelessness == .acknowledgesAtOnce || (isClear && version <= settled) {
            forgotten[forget].acknowledged = now
        }
        waiting.removeAll { forgotten[$0.forget].acknowledged != nil }
    }

    private mutating func restart() {
        run += 1
        isUp = true
        let mayInherit = carelessness != .forgetsEarlierRun
        book = LeaseBook(run: "\(run)", mayInherit: mayInherit, at: coordinatorTime)
        queue.add(.coordinatorTick(run: run), at: now)
        // Whoever was not answered asks again.
        for index in forgotten.indices where forgotten[index].acknowledged == nil {
            waiting.append((index, book.version))
        }
    }

    private mutating func receive(_ message: SimulatedEvent.ToCoordinator, of index: Int, _ life: Int) {
        guard isUp else { return }
        // A process that was killed has another connection, and its answers go nowhere.
        let gateway = gateways[index]
        let peer = SimulatedGateway.peer(index, life)
        switch message {
        case .lease(let request):
            switch book.take(request, from: peer, at: coordinatorTime) {
            case .success(let grant):
                if life == gateway.life { send(.toGateway(gateway: index, life: life, .grant(grant))) }
            case .failure(.overtaken): break
            case .failure:
                if life == gateway.life { send(.toGateway(gateway: index, life: life, .refusal(request.number))) }
            }
            acknowledge()
        case .question(let number):
            guard life == gateway.life else { return }
            let gone = Set(forgotten.flatMap(\.inputs.people))
            let person = random.below(Int64(Self.people))
            guard !gone.contains(person) else { return }
            let basis = AnswerBasis(
                person: person, items: ["item \(random.below(Int64(Self.people)))"],
                adapters: [adapter(Int(person) % Self.shards)], looksAtReferences: random.chance(0.5),
                looksAtLikes: random.chance(0.3), prompts: 1)
            send(
                .toGateway(
                    gateway: index, life: life,
                    .material(.init(number: number, collected: now, basis: basis, run: "\(run)", version: book.version))
                ))
        }
    }

    private func adapter(_ shard: Int) -> String { "adapter \(shard) \(adapters[shard])" }

    // MARK: a gateway's side

    private func local(_ gateway: Int) -> Int64 { gateways[gateway].clock.milliseconds(at: now) }

    private mutating func receive(_ message: SimulatedEvent.ToGateway, _ index: Int) {
        switch message {
        case .grant(let grant): perform(gateways[index].holder.granted(grant, at: local(index)), index)
        case .refusal(let number): perform(gateways[index].holder.refused(number, at: local(index)), index)
        case .revocation(let revocation):
            perform(gateways[index].holder.revoked(revocation, at: local(index)), index)
        case .material(let question):
            guard gateways[index].asked.remove(question.number) != nil,
                gateways[index].holder.isCurrent(run: question.run, version: question.version)
            else { return }
            gateways[index].computing[question.number] = question
            queue.add(
                .computed(gateway: index, life: gateways[index].life, question), at: now + random.below(1_500_000))
        }
    }

    private mutating func ask(_ index: Int) {
        gateways[index].lastQuestion += 1
        let number = gateways[index].lastQuestion
        gateways[index].asked.insert(number)
        send(.toCoordinator(gateway: index, life: gateways[index].life, .question(number)))
    }

    private mutating func perform(_ actions: [LeaseHolder.Action], _ index: Int) {
        for action in actions {
            switch action {
            case .send(let request):
                send(.toCoordinator(gateway: index, life: gateways[index].life, .lease(request)))
            case .letGo:
                if carelessness == .keepsWhatWasRevoked { continue }
                gateways[index].asked = []
                gateways[index].computing = [:]
                gateways[index].unsent = []
            case .obey(let inputs):
                if carelessness == .keepsWhatWasRevoked { continue }
                gateways[index].computing = gateways[index].computing.filter { !$0.value.basis.restsOn(inputs) }
                gateways[index].unsent.removeAll { $0.basis.restsOn(inputs) }
            case .goOn:
                let unsent = gateways[index].unsent
                gateways[index].unsent = []
                for question in unsent { answer(question, index) }
            }
        }
    }

    /// The last look at the lease, and the answer.
    private mutating func answer(_ question: SimulatedQuestion, _ index: Int) {
        guard carelessness == .answersWithoutLease || gateways[index].holder.mayAnswer(at: local(index)) else {
            gateways[index].unsent.append(question)
            return
        }
        outcome.answers += 1
        for (number, forget) in forgotten.enumerated() {
            guard let acknowledged = forget.acknowledged, acknowledged < now, question.collected < forget.at,
                question.basis.restsOn(forget.inputs)
            else { continue }
            outcome.faults.append(
                "gateway \(index) answered at \(now) from what forget \(number) took, acknowledged at \(acknowledged)")
        }
    }

    private mutating func kill(_ index: Int) {
        let life = gateways[index].life + 1
        gateways[index] = SimulatedGateway(
            peer: SimulatedGateway.peer(index, life), clock: gateways[index].clock, life: life)
        queue.add(.tick(gateway: index, life: life), at: now + random.below(500_000))
    }

    // MARK: what lies between

    private mutating func send(_ event: SimulatedEvent) {
        let isQuiet = now >= Self.quiet
        if !isQuiet, random.chance(0.08) { return }
        queue.add(event, at: now + delay(isQuiet))
        if !isQuiet, random.chance(0.08) { queue.add(event, at: now + delay(isQuiet)) }
    }

    private mutating func delay(_ isQuiet: Bool) -> Int64 {
        if isQuiet || random.chance(0.6) { return 200 + random.below(2000) }
        return random.chance(0.8) ? random.below(400_000) : random.below(5_000_000)
    }
}
