import Messages

/// What operators say of workers, by the names that their clients gave it: on its way to the ledger, or carried out.
struct OperatorWords: Sendable {
    struct Pending: Sendable {
        var word: SettledWord
        var waiters: [ClientTicket]
    }

    /// In the order in which they came.
    private(set) var pending: [Pending] = []
    /// The last ones, oldest first.
    private var settled: [SettledWord]

    init(settled: [SettledWord]) {
        self.settled = settled.suffix(CoordinatorLimits.settledWords)
    }

    var isFull: Bool { pending.count >= CoordinatorLimits.pendingWords }

    func pending(_ request: String) -> Pending? { pending.first { $0.word.request == request } }

    func settled(_ request: String) -> SettledWord? { settled.last { $0.request == request } }

    mutating func begin(_ word: SettledWord, for ticket: ClientTicket) {
        pending.append(Pending(word: word, waiters: [ticket]))
    }

    mutating func join(_ request: String, _ ticket: ClientTicket) {
        guard let position = pending.firstIndex(where: { $0.word.request == request }) else { return }
        pending[position].waiters = pending[position].waiters.adding(ticket)
    }

    /// The ledger has it.
    ///
    /// - Returns: who waits for it.
    mutating func settle(_ word: SettledWord) -> [ClientTicket] {
        if settled(word.request) == nil { settled.append(word) }
        if settled.count > CoordinatorLimits.settledWords { settled.removeFirst() }
        return drop(word.request)
    }

    /// It has not happened.
    ///
    /// - Returns: who waits for it.
    mutating func drop(_ request: String) -> [ClientTicket] {
        guard let position = pending.firstIndex(where: { $0.word.request == request }) else { return [] }
        return pending.remove(at: position).waiters
    }
}

extension Coordinator {
    /// Whether the request is taken already, or cannot be: then whoever asks has an answer, or gets the one that is under way.
    mutating func isTaken(_ wanted: SettledWord.Wanted, by ticket: ClientTicket) -> Bool {
        let request = ticket.request
        guard !request.isEmpty, request.utf8.count <= CoordinatorLimits.text else {
            reply(ticket, .failure(.invalidRequestID))
            return true
        }
        guard let known = words.settled(request) ?? words.pending(request)?.word else {
            if words.isFull { reply(ticket, .failure(.busy)) }
            return words.isFull
        }
        if known.wanted != wanted {
            reply(ticket, .failure(.requestConflict(request)))
        } else if words.pending(request) != nil {
            words.join(request, ticket)
        } else {
            reply(ticket, known.reply)
        }
        return true
    }

    mutating func settle(_ word: SettledWord) {
        for waiter in words.settle(word) { reply(waiter, word.reply) }
    }

    mutating func refuse(_ word: SettledWord, _ error: ClientError) {
        for waiter in words.drop(word.request) { reply(waiter, .failure(error)) }
    }
}

extension SettledWord {
    fileprivate var reply: CoordinatorReply {
        switch outcome {
        case .ordered(let reply): .ordered(reply)
        case .destroyed(let settlement): .forgottenCopy(settlement)
        }
    }
}
