import LanguageModels
import Messages

/// Questions that a gateway answers itself, from when they come until they are answered. A value: it sends nothing, computes
/// nothing and has no clock.
///
/// Each question's material comes from the coordinator, adapters and reference rows once, by their content names. What a
/// revocation takes away is let go, and begun again, before it is said that it was obeyed.
package struct LeasedQuestions {
    package enum Action: Sendable {
        case lease(LeaseRequest)
        case collect(QuestionQueue.ComputationID, ClientRequest.QueryRequest)
        case fetchAdapter(String)
        case fetchAttention(String)
        case engine(EngineWork)
        /// Answers that are on their way to those who asked must not go out if they rest on this.
        case obey(ForgottenInputs)
        /// None of them must.
        case letGo
        /// With what the answer rests on; nil: it is an error.
        case answer(QuestionID, Result<QueryReply, ClientError>, AnswerBasis?)
    }

    /// Milliseconds after which what was asked of the coordinator is asked again: a connection may have been another one.
    package static let collecting: Int64 = 5000
    package static let fetching: Int64 = 60_000
    /// Adapters that are fetched at once: a coordinator makes no more for one connection than that reads.
    package static let fetchedTogether = 8
    /// Milliseconds after which what a busy coordinator refused is asked for again.
    package static let busy: Int64 = 1000

    private let layout: AdapterLayout
    private var holder: LeaseHolder
    private var queue: QuestionQueue
    /// Until they are answered.
    private var asked: [QuestionID: (request: ClientRequest.QueryRequest, asker: Asker)] = [:]
    /// What is asked for in each computation, and since when the coordinator was asked; nil: not yet, there is no lease.
    private var open: [QuestionQueue.ComputationID: (request: ClientRequest.QueryRequest, since: Int64?)] = [:]
    /// Those that wait for adapters or reference rows.
    private var needing: [QuestionQueue.ComputationID: QuestionMaterial] = [:]
    /// That the engine was given.
    private var given: Set<String> = []
    private var fetched: [String: Int64] = [:]
    private var rows: (digest: String, table: AttentionTable)?
    private var rowsFetched: [String: Int64] = [:]
    private var prepared: (basis: PreparedBasis, attention: PreparedAttention)?
    /// Computed, and waiting for a lease.
    private var unsent: [(id: QuestionID, reply: QueryReply, basis: AnswerBasis)] = []

    private struct PreparedBasis: Equatable {
        var members: [QuestionMaterial.Member]
        var parameters: SampleAdaptiveAttention.Parameters
        var rows: String?
    }

    package init(
        layout: AdapterLayout, rules: LeaseRules = LeaseRules(),
        limits: QuestionQueue.Limits = QuestionQueue.Limits()
    ) {
        self.layout = layout
        holder = LeaseHolder(rules: rules)
        queue = QuestionQueue(limits)
    }

    package var counts: QuestionCounts { queue.counts }
    /// Until when answers may go out, in milliseconds of the caller's clock; `Int64.min`: there is no lease.
    package var until: Int64 { holder.until }

    // MARK: who asks

    package mutating func ask(
        _ id: QuestionID, _ request: ClientRequest.QueryRequest, by asker: Asker, at now: Int64
    ) -> [Action] {
        asked[id] = (request, asker)
        return perform(queue.ask(id, request, by: asker), at: now)
    }

    /// Nobody waits for the answer any more.
    package mutating func abandon(_ id: QuestionID, at now: Int64) -> [Action] {
        asked[id] = nil
        unsent.removeAll { $0.id == id }
        return perform(queue.abandon(id), at: now)
    }

    // MARK: what the coordinator says

    /// To be called several times a second.
    package mutating func tick(at now: Int64) -> [Action] {
        var actions = perform(holder.tick(at: now), at: now)
        guard holder.mayAnswer(at: now) else { return actions }
        for (number, entry) in open.sorted(by: { $0.key < $1.key }) {
            if let since = entry.since, now - since >= Self.collecting { actions += collect(number, at: now) }
        }
        for (name, since) in fetched.sorted(by: { $0.key < $1.key }) where now - since >= Self.fetching {
            fetched[name] = now
            actions.append(.fetchAdapter(name))
        }
        for (digest, since) in rowsFetched.sorted(by: { $0.key < $1.key }) where now - since >= Self.fetching {
            rowsFetched[digest] = now
            actions.append(.fetchAttention(digest))
        }
        return actions
    }

    package mutating func granted(_ grant: LeaseGrant, at now: Int64) -> [Action] {
        perform(holder.granted(grant, at: now), at: now)
    }

    package mutating func refused(_ number: UInt64, at now: Int64) -> [Action] {
        perform(holder.refused(number, at: now), at: now)
    }

    package mutating func revoked(_ revocation: Revocation, at now: Int64) -> [Action] {
        perform(holder.revoked(revocation, at: now), at: now)
    }

    package mutating func collected(
        _ number: QuestionQueue.ComputationID, _ result: Result<DatedMaterial, ClientError>, at now: Int64
    ) -> [Action] {
        guard let entry = open[number], entry.since != nil else { return [] }
        switch result {
        case .failure(let error) where error.code == .stale:
            // There was no lease any more.
            open[number]?.since = nil
            return []
        case .failure(let error) where error.code == .busy:
            // There are too many requests of this connection: it is asked again a while later.
            open[number]?.since = now - Self.collecting + Self.busy
            return []
        case .failure(let error):
            open[number] = nil
            return perform(queue.answered(number, .failure(error), active: []), at: now)
        case .success(let dated):
            guard holder.isCurrent(run: dated.run, version: dated.version) else {
                let actions = collect(number, at: now)
                // A revocation is missing.
                return holder.isBehind(run: dated.run, version: dated.version)
                    ? actions + perform(holder.reset(at: now), at: now) : actions
            }
            open[number] = nil
            // From now on a revocation may concern it.
            guard queue.collected(number, AnswerBasis(dated.material)) else { return [] }
            needing[number] = dated.material
            return goOn([number], at: now)
        }
    }

    /// - `result`: the adapter's file; its content has that name.
    package mutating func fetched(
        adapter name: String, _ result: Result<[UInt8], ClientError>, at now: Int64
    ) -> [Action] {
        guard fetched.removeValue(forKey: name) != nil else { return [] }
        if case .failure(let error) = result, error.code == .busy {
            fetched[name] = now - Self.fetching + Self.busy
            return []
        }
        let waiting = needing.filter { $0.value.members.contains { $0.name == name } }.keys.sorted()
        // It was revoked meanwhile, or nobody asks any more.
        guard !waiting.isEmpty else { return goOn(needing.keys.sorted(), at: now) }
        switch result {
        case .success(let bytes):
            given.insert(name)
            // Others may be fetched now.
            return [.engine(.hold(adapter: name, bytes))] + goOn(needing.keys.sorted(), at: now)
        case .failure(let error): return fail(waiting, error, at: now) + goOn(needing.keys.sorted(), at: now)
        }
    }

    package mutating func fetched(
        attention digest: String, _ result: Result<AttentionTable, ClientError>, at now: Int64
    ) -> [Action] {
        guard rowsFetched.removeValue(forKey: digest) != nil else { return [] }
        if case .failure(let error) = result, error.code == .busy {
            rowsFetched[digest] = now - Self.fetching + Self.busy
            return []
        }
        let waiting = needing.filter { $0.value.attention == digest }.keys.sorted()
        switch result {
        case .success(let table):
            rows = (digest, table)
            return goOn(waiting, at: now)
        case .failure(let error): return fail(waiting, error, at: now)
        }
    }

    // MARK: what the engine says

    package mutating func take(_ news: QueryEngine.News, at now: Int64) -> [Action] {
        switch news {
        case .computed(let number, let done, let prompts):
            queue.computed(number, done: done, of: prompts)
            return []
        case .answered(let number, let result):
            var active: Set<String> = []
            switch result {
            case .success(let reply): active = Set(reply.adapters.map(\.name))
            // What the engine holds is not what it was given.
            case .failure(let error): if error.code == .stale { given = [] }
            }
            return perform(queue.answered(number, result, active: active), at: now)
        case .damaged: return []
        case .read(let tokens):
            queue.read(tokens: tokens)
            return []
        }
    }

    // MARK: inside

    private mutating func perform(_ actions: [LeaseHolder.Action], at now: Int64) -> [Action] {
        var performed: [Action] = []
        for action in actions {
            switch action {
            case .send(let request): performed.append(.lease(request))
            case .letGo:
                (rows, rowsFetched, prepared, fetched) = (nil, [:], nil, [:])
                given = []
                // What the engine computes is dropped first: it must not keep anything of it afterwards.
                performed += [.letGo] + perform(queue.beginAllAgain(), at: now) + [.engine(.letGo)]
                performed += askAgain(at: now) { _ in true }
            case .obey(let inputs):
                if inputs.changesReferences || !inputs.adapters.isEmpty {
                    (rows, rowsFetched, prepared) = (nil, [:], nil)
                }
                given.subtract(inputs.adapters)
                performed += [.obey(inputs)] + perform(queue.forgot(inputs), at: now) + [.engine(.forget(inputs))]
                performed += askAgain(at: now) { $0.restsOn(inputs) }
                // Those that waited for what is fetched no more, and are not concerned.
                performed += goOn(needing.keys.sorted(), at: now)
            case .goOn: performed += goOn(at: now)
            }
        }
        return performed
    }

    /// Of what was computed and not sent, what may not be sent any more.
    private mutating func askAgain(at now: Int64, _ isGone: (AnswerBasis) -> Bool) -> [Action] {
        let again = unsent.filter { isGone($0.basis) }.map(\.id)
        unsent.removeAll { isGone($0.basis) }
        return again.flatMap { id -> [Action] in
            guard let (request, asker) = asked[id] else { return [] }
            return perform(queue.ask(id, request, by: asker), at: now)
        }
    }

    /// With a lease.
    private mutating func goOn(at now: Int64) -> [Action] {
        let ready = unsent
        unsent = []
        var actions = ready.flatMap { send($0.id, $0.reply, $0.basis, at: now) }
        for (number, entry) in open.sorted(by: { $0.key < $1.key }) where entry.since == nil {
            actions += collect(number, at: now)
        }
        return actions
    }

    private mutating func perform(_ actions: [QuestionQueue.Action], at now: Int64) -> [Action] {
        actions.flatMap { action -> [Action] in
            switch action {
            case .begin(let number, let request):
                open[number] = (request, nil)
                return holder.mayAnswer(at: now) ? collect(number, at: now) : []
            case .drop(let number):
                open[number] = nil
                needing[number] = nil
                return [.engine(.drop(number))]
            case .answer(let id, .success(let reply), let basis?): return send(id, reply, basis, at: now)
            case .answer(let id, let result, _):
                asked[id] = nil
                // Of an answer it has to be known what it rests on.
                let unknown = ClientError(code: .failed, message: "it is not known what the answer rests on")
                return [.answer(id, result.flatMap { _ in .failure(unknown) }, nil)]
            }
        }
    }

    private mutating func send(_ id: QuestionID, _ reply: QueryReply, _ basis: AnswerBasis, at now: Int64) -> [Action] {
        guard holder.mayAnswer(at: now) else {
            unsent.append((id, reply, basis))
            return []
        }
        asked[id] = nil
        return [.answer(id, .success(reply), basis)]
    }

    private mutating func collect(_ number: QuestionQueue.ComputationID, at now: Int64) -> [Action] {
        guard let request = open[number]?.request else { return [] }
        guard holder.mayAnswer(at: now) else {
            open[number]?.since = nil
            return []
        }
        open[number]?.since = now
        return [.collect(number, request)]
    }

    private mutating func fail(
        _ numbers: [QuestionQueue.ComputationID], _ error: ClientError, at now: Int64
    ) -> [Action] {
        numbers.flatMap { number -> [Action] in
            needing[number] = nil
            return perform(queue.answered(number, .failure(error), active: []), at: now)
        }
    }

    /// Has those computed that have everything, and fetches what others need.
    private mutating func goOn(_ numbers: [QuestionQueue.ComputationID], at now: Int64) -> [Action] {
        var actions: [Action] = []
        for number in numbers {
            guard let material = needing[number] else { continue }
            let missing = material.members.map(\.name).filter { !given.contains($0) }
            for name in missing where fetched[name] == nil && fetched.count < Self.fetchedTogether {
                fetched[name] = now
                actions.append(.fetchAdapter(name))
            }
            if let digest = material.attention, rows?.digest != digest {
                if rowsFetched[digest] == nil {
                    rowsFetched[digest] = now
                    actions.append(.fetchAttention(digest))
                }
                continue
            }
            guard missing.isEmpty else { continue }
            needing[number] = nil
            actions += compute(number, material, at: now)
        }
        return actions
    }

    private mutating func compute(
        _ number: QuestionQueue.ComputationID, _ material: QuestionMaterial, at now: Int64
    ) -> [Action] {
        guard let asker = queue.asker(of: number), let request = queue.request(of: number) else { return [] }
        do {
            let job = try QueryJob(
                request, material, attention: try attention(of: material), adapters: .held, layout: layout)
            return [.engine(.begin(number, asker, job))]
        } catch {
            let failure = ClientError(code: .failed, message: "\(error)")
            return perform(queue.answered(number, .failure(failure), active: []), at: now)
        }
    }

    private mutating func attention(of material: QuestionMaterial) throws -> PreparedAttention {
        let basis = PreparedBasis(
            members: material.members, parameters: material.parameters, rows: material.attention)
        if let prepared, prepared.basis == basis { return prepared.attention }
        let table = material.attention == nil ? .empty : rows?.table ?? .empty
        let made = try PreparedAttention(table: table, parameters: material.parameters, members: material.members)
        prepared = (basis, made)
        return made
    }
}
