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
        /// Questions that wait to be begun.
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
        case answer(QuestionID, Result<QueryReply, ClientError>)
    }

    enum Stage {
        case waiting
        case open(ComputationID, AnswerBasis?, WorkingNotice)
    }

    struct Question {
        var request: ClientRequest.QueryRequest
        var peer: PeerID
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
    private var lastNumber: ComputationID = 0
    package private(set) var answered = 0

    package init(_ limits: Limits = Limits()) {
        self.limits = limits
    }

    package var counts: QuestionCounts {
        QuestionCounts(waiting: waiting.count, computing: open.count, answered: answered)
    }

    // MARK: who asks

    package mutating func ask(
        _ id: QuestionID, _ request: ClientRequest.QueryRequest, by peer: PeerID
    ) -> [Action] {
        guard questions[id] == nil else { return [] }
        guard waiting.count < limits.waiting else {
            let message = "\(waiting.count) questions wait already; ask again later"
            return [.answer(id, .failure(ClientError(code: .busy, message: message)))]
        }
        questions[id] = Question(request: request, peer: peer)
        waiting.append(id)
        return beginNext()
    }

    /// Nobody waits for the answer any more.
    package mutating func abandon(_ id: QuestionID) -> [Action] {
        guard let question = questions.removeValue(forKey: id) else { return [] }
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

    // MARK: inside

    private mutating func change(_ number: ComputationID, _ body: (inout Stage) -> Void) {
        guard let id = open.first(where: { $0.number == number })?.id, var question = questions[id] else { return }
        body(&question.stage)
        questions[id] = question
    }

    private mutating func end(_ id: QuestionID, _ result: Result<QueryReply, ClientError>) -> [Action] {
        questions[id] = nil
        open.removeAll { $0.id == id }
        answered += 1
        return [.answer(id, result)]
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
            open.append((lastNumber, id))
            actions.append(.begin(lastNumber, question.request))
        }
        return actions
    }

    /// Of those for which there is room: what is begun again, then one of the peer for whom the fewest are computed; nobody's
    /// many questions keep others waiting, nor do large ones keep small ones. Of one peer's the one that has waited
    /// longest, unless more wait than are computed: then the newest, since whoever has waited long is about to give up, and
    /// first come, first served would compute for nobody else (Maurer, "Fail at Scale", ACM Queue 13 (8), 2015).
    private var nextPosition: Int? {
        guard !waiting.isEmpty else { return nil }
        var computing: [PeerID: Int] = [:]
        var (small, large) = (0, 0)
        for (_, id) in open {
            guard let question = questions[id] else { continue }
            computing[question.peer, default: 0] += 1
            if question.isSmall { small += question.request.items.count } else { large += 1 }
        }
        let isOverloaded = waiting.count > open.count
        var best: (others: Int, position: Int)?
        for offset in waiting.indices {
            let position = isOverloaded ? waiting.count - 1 - offset : offset
            guard let question = questions[waiting[position]],
                question.isSmall ? small < limits.promptsOfSmall : large < limits.large
            else { continue }
            let others = question.attempts > 0 ? -1 : computing[question.peer] ?? 0
            if best.map({ others < $0.others }) ?? true { best = (others, position) }
        }
        return best?.position
    }
}
