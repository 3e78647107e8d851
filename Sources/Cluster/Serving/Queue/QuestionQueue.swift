import Messages

/// Questions from when they come until they are answered. A value: it computes nothing, has no clock, and says what is to
/// be done.
///
/// A question is computed once, however often it is asked under one id. It begins again only when a forget request took away
/// what it rests on: the adapters, the user's data, an item, or the reference prompts that its weights come from.
package struct QuestionQueue {
    /// Names one computation of a question: what comes of an earlier one is not looked at.
    package typealias ComputationID = UInt64

    package struct Limits: Sendable {
        /// Questions that wait to be begun, of all who ask.
        package var waiting = 1024
        /// Questions that are collected and computed together.
        package var open = 64
        /// Of them those about few items, in prompts of all together, and those about many: the more are computed side by side
        /// the later each is done, and whoever gives up before that has had it computed for nothing.
        package var promptsOfSmall = PassPlan.prompts
        package var large = 2
        /// Computations of one question.
        package var attempts = 5

        package init() {}
    }

    package enum Action: Sendable {
        /// Collect what it needs and compute it.
        case begin(ComputationID, ClientRequest.QueryRequest)
        case drop(ComputationID)
        /// With what the answer rests on; nil: it is an error.
        case answer(QuestionID, Result<QueryReply, ClientError>, AnswerBasis?)
    }

    enum Stage {
        case waiting
        case open(ComputationID, AnswerBasis?, WorkingNotice)
    }

    struct Question {
        var request: ClientRequest.QueryRequest
        var asker: Asker
        var attempts = 0
        var stage = Stage.waiting

        /// Whether one pass has a share for all of it.
        var isSmall: Bool { !request.items.isEmpty && request.items.count <= PassPlan.share }
    }

    private let limits: Limits
    private var questions: [QuestionID: Question] = [:]
    private var waiting: [QuestionID] = []
    /// In the order in which they were begun.
    private var open: [(number: ComputationID, id: QuestionID)] = []
    private var shares = AskerShares()
    private var lastNumber: ComputationID = 0
    package private(set) var answered = 0
    private var promptTokens = 0

    package init(_ limits: Limits = Limits()) {
        self.limits = limits
    }

    package var counts: QuestionCounts {
        QuestionCounts(
            waiting: waiting.count, computing: open.count, answered: answered, promptTokens: promptTokens)
    }

    // MARK: who asks

    /// Where the queue is full, whoever has few questions in it takes the place of one of whoever has the most: a flood is
    /// refused, and nobody else is because of it.
    package mutating func ask(
        _ id: QuestionID, _ request: ClientRequest.QueryRequest, by asker: Asker
    ) -> [Action] {
        guard questions[id] == nil else { return [] }
        var actions: [Action] = []
        if waiting.count >= limits.waiting {
            let busy = ClientError(
                code: .busy, message: "\(waiting.count) questions wait already; ask again later")
            guard let position = positionToGiveUp(for: asker) else { return [.answer(id, .failure(busy), nil)] }
            let other = waiting.remove(at: position)
            leave(other)
            actions.append(.answer(other, .failure(busy), nil))
        }
        questions[id] = Question(request: request, asker: asker)
        waiting.append(id)
        shares.asks(asker)
        return actions + beginNext()
    }

    /// Of those who have the most, the question that has waited longest: it is the last to be begun where more wait than are
    /// computed. What is to begin again stays.
    private func positionToGiveUp(for asker: Asker) -> Int? {
        let most = shares.mostWaiting
        guard most >= shares.waiting(of: asker) + 2 else { return nil }
        return waiting.firstIndex { id in
            guard let question = questions[id], question.attempts == 0 else { return false }
            return shares.waiting(of: question.asker) == most
        }
    }

    /// Who asks for it.
    package func asker(of number: ComputationID) -> Asker? {
        open.first { $0.number == number }.flatMap { questions[$0.id]?.asker }
    }

    package func request(of number: ComputationID) -> ClientRequest.QueryRequest? {
        open.first { $0.number == number }.flatMap { questions[$0.id]?.request }
    }

    /// Nobody waits for the answer any more.
    package mutating func abandon(_ id: QuestionID) -> [Action] {
        guard let question = leave(id) else { return [] }
        waiting.removeAll { $0 == id }
        guard case .open(let number, _, _) = question.stage else { return [] }
        open.removeAll { $0.number == number }
        return [.drop(number)] + beginNext()
    }

    /// What whoever waits for it may be told.
    package func notice(_ id: QuestionID) -> WorkingNotice {
        switch questions[id]?.stage {
        case .open(_, _, let notice): notice
        case .waiting: WorkingNotice(ahead: open.count + waiting.count - 1)
        case nil: WorkingNotice()
        }
    }

    // MARK: what comes of it

    /// What it needs was read from the ledger: from now on a forget may concern it.
    ///
    /// - Returns: whether it is still to be computed.
    @discardableResult
    package mutating func collected(_ number: ComputationID, _ basis: AnswerBasis) -> Bool {
        change(number) { $0 = .open(number, basis, WorkingNotice(of: basis.prompts)) }
        return open.contains { $0.number == number }
    }

    package mutating func computed(_ number: ComputationID, done: Int, of prompts: Int) {
        change(number) { stage in
            guard case .open(_, let basis, _) = stage else { return }
            stage = .open(number, basis, WorkingNotice(done: done, of: prompts))
        }
    }

    /// Of prompts that were computed, whoever asked.
    package mutating func read(tokens: Int) {
        promptTokens = promptTokens.addingSaturated(tokens)
    }

    /// - `active`: content names of the adapters that may answer now.
    package mutating func answered(
        _ number: ComputationID, _ result: Result<QueryReply, ClientError>, active: Set<String>
    ) -> [Action] {
        guard let id = open.first(where: { $0.number == number })?.id else { return [] }
        switch result {
        case .success(let reply) where !reply.adapters.allSatisfy({ active.contains($0.name) }):
            return beginAgain([number], dropping: false)
        // Without the damaged adapter the others can answer: it is taken away before the next attempt.
        case .failure(let error) where error.code == .adapterDamaged || error.code == .stale:
            return beginAgain([number], dropping: false)
        default: return end(id, result) + beginNext()
        }
    }

    package mutating func forgot(_ forgotten: ForgottenInputs) -> [Action] {
        let concerned = open.map(\.number).filter { number in
            guard let id = open.first(where: { $0.number == number })?.id,
                // What is not collected yet is read from what is left.
                case .open(_, let basis?, _) = questions[id]?.stage
            else { return false }
            return basis.restsOn(forgotten)
        }
        return concerned.isEmpty ? [] : beginAgain(concerned, dropping: true)
    }

    /// Nothing of what was collected is known to hold any more.
    package mutating func beginAllAgain() -> [Action] {
        beginAgain(open.map(\.number), dropping: true)
    }

    // MARK: inside

    private mutating func change(_ number: ComputationID, _ body: (inout Stage) -> Void) {
        guard let id = open.first(where: { $0.number == number })?.id, var question = questions[id] else { return }
        body(&question.stage)
        questions[id] = question
    }

    @discardableResult
    private mutating func leave(_ id: QuestionID) -> Question? {
        guard let question = questions.removeValue(forKey: id) else { return nil }
        let isComputing = if case .open = question.stage { true } else { false }
        shares.leaves(question.asker, isComputing: isComputing)
        return question
    }

    private mutating func end(_ id: QuestionID, _ result: Result<QueryReply, ClientError>) -> [Action] {
        var basis: AnswerBasis?
        if case .success = result, case .open(_, let known, _) = leave(id)?.stage { basis = known } else { leave(id) }
        open.removeAll { $0.id == id }
        answered += 1
        return [.answer(id, result, basis)]
    }

    private mutating func beginAgain(_ numbers: [ComputationID], dropping: Bool) -> [Action] {
        var actions: [Action] = dropping ? numbers.map { .drop($0) } : []
        for number in numbers.reversed() {
            guard let id = open.first(where: { $0.number == number })?.id else { continue }
            if (questions[id]?.attempts ?? 0) >= limits.attempts {
                let message = "what the answer rests on was taken away again and again while it was computed; ask again"
                actions += end(id, .failure(ClientError(code: .busy, message: message)))
                continue
            }
            open.removeAll { $0.number == number }
            questions[id]?.stage = .waiting
            if let asker = questions[id]?.asker { shares.waitsAgain(asker) }
            // In front: it has waited already.
            waiting.insert(id, at: 0)
        }
        return actions + beginNext()
    }

    private mutating func beginNext() -> [Action] {
        var actions: [Action] = []
        while open.count < limits.open, let position = nextPosition {
            let id = waiting.remove(at: position)
            guard var question = questions[id] else { continue }
            lastNumber += 1
            question.attempts += 1
            question.stage = .open(lastNumber, nil, WorkingNotice())
            questions[id] = question
            shares.begins(question.asker, turn: lastNumber)
            open.append((lastNumber, id))
            actions.append(.begin(lastNumber, question.request))
        }
        return actions
    }

    /// Of those for which there is room: what is begun again, then one of whoever has the fewest computed and, of those,
    /// whose turn is longest ago; nobody's many questions keep others waiting, nor do large ones keep small ones. Of one
    /// asker's the one that has waited longest, unless more wait than are computed: then the newest, since whoever has waited long is about to give up, and
    /// first come, first served would compute for nobody else (Maurer, "Fail at Scale", ACM Queue 13 (8), 2015).
    private var nextPosition: Int? {
        guard !waiting.isEmpty else { return nil }
        var (small, large) = (0, 0)
        for (_, id) in open {
            guard let question = questions[id] else { continue }
            if question.isSmall { small += question.request.items.count } else { large += 1 }
        }
        let isOverloaded = waiting.count > open.count
        var best: (rank: (computing: Int, lastTurn: UInt64), position: Int)?
        for offset in waiting.indices {
            let position = isOverloaded ? waiting.count - 1 - offset : offset
            guard let question = questions[waiting[position]],
                question.isSmall ? small < limits.promptsOfSmall : large < limits.large
            else { continue }
            let asker = question.asker
            let rank: (computing: Int, lastTurn: UInt64) =
                question.attempts > 0 ? (-1, 0) : (shares.computing(of: asker), shares.lastTurn(of: asker))
            if best.map({ rank < $0.rank }) ?? true { best = (rank, position) }
        }
        return best?.position
    }
}
