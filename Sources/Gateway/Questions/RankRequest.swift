import Messages

/// `POST /v1/rank`: what users, or somebody with a given history, would like best, of candidates or of the catalogue.
struct RankRequest: Equatable, Sendable {
    /// One user that was named alone has an empty name where a history was given.
    var users: [String]
    /// Whether the answer is one person's: a user who was named alone, or whoever has the history.
    var isOfOne: Bool
    /// One for each user.
    var questions: [ClientRequest]
    var deadline: Duration?

    /// - Throws: `Problem` 422, or 404 for names that are nobody's.
    init(_ value: JSONValue) throws(Problem) {
        let known: Set = [
            "user", "users", "history", "candidates", "exclude", "where", "top", "limit", "explain", "deadline_ms",
        ]
        let fields = try JSONFields(value, known: known)
        guard ["user", "users", "history"].filter(fields.has).count == 1 else {
            throw .invalid("name either user, users or history")
        }
        let history = try fields.history()
        let user = try fields.identifier("user", of: .user) ?? (history == nil ? nil : "")
        let several = try fields.identifiers("users", of: .user, GatewayLimits.users) ?? []
        users = user.map { [$0] } ?? several
        isOfOne = user != nil
        let (candidates, ranking) = try fields.candidates()
        let top = try fields.integer("top", GatewayLimits.top) ?? 10
        let explain = try fields.flag("explain") ?? false
        let filter = try fields.filter()
        deadline = try fields.deadline()
        // Each user's question says them anew.
        let items = candidates.count + (filter?.exclude.count ?? 0)
        guard users.count * items <= GatewayLimits.usersTimesItems else {
            throw .invalid(
                "\(users.count) users times \(items) items that are named are too many for one request, which takes "
                    + "\(GatewayLimits.usersTimesItems): name fewer of them")
        }
        questions = []
        for user in users {
            let query =
                candidates.isEmpty
                ? ClientRequest.QueryRequest(
                    user: user, ranking: ranking, top: top, explain: explain ? true : nil, history: history,
                    filter: filter)
                : ClientRequest.QueryRequest(
                    user: user, items: candidates, top: top, explain: explain ? true : nil, history: history,
                    filter: filter)
            questions.append(try query.checked())
        }
    }
}

extension JSONFields {
    /// What is to be ranked: items that are named; or of the catalogue so many candidates that are chosen, all of it (`"all"`),
    /// all of it if that is at most `limit` items, or, where nothing is said, what `CatalogueRanking.usual` says.
    fileprivate func candidates() throws(Problem) -> (items: [String], ranking: CatalogueRanking) {
        let limit = try integer("limit", GatewayLimits.ranked)
        switch self["candidates"] {
        case nil: return ([], limit.map { .whole(atMost: $0) } ?? .usual)
        case .integer?:
            let count = try integer("candidates", GatewayLimits.chosen) ?? WireLimits.usuallyChosen
            return ([], .chosen(count, limit: limit))
        case .text("all")?:
            guard limit == nil else { throw .invalid("all of the catalogue has no limit: leave limit out") }
            return ([], .whole(atMost: GatewayLimits.ranked.upperBound))
        case .array?:
            guard limit == nil else {
                throw .invalid("limit bounds a ranking of the catalogue; here the candidates are named")
            }
            return (try identifiers("candidates", of: .item, GatewayLimits.candidates) ?? [], .usual)
        default: throw .invalid("candidates must be a list of items, a whole number, or \"all\"")
        }
    }
}

/// `POST /v1/score`: P(like) of items for one person, each weighing the adapters for its own prompt.
struct ScoreRequest: Equatable, Sendable {
    var question: ClientRequest
    var deadline: Duration?

    /// - Throws: `Problem` 422, or 404 for names that are nobody's.
    init(_ value: JSONValue) throws(Problem) {
        let known: Set = ["user", "history", "items", "exclude", "where", "explain", "deadline_ms"]
        let fields = try JSONFields(value, known: known)
        guard fields.has("user") != fields.has("history") else { throw .invalid("name either a user or a history") }
        guard let items = try fields.identifiers("items", of: .item, GatewayLimits.candidates) else {
            throw .invalid("name items")
        }
        let explain = try fields.flag("explain") ?? false
        deadline = try fields.deadline()
        question = try ClientRequest.QueryRequest(
            user: fields.identifier("user", of: .user) ?? "", items: items, top: nil, explain: explain ? true : nil,
            history: fields.history(), filter: fields.filter()
        ).checked()
    }
}

extension JSONFields {
    func deadline() throws(Problem) -> Duration? {
        try integer("deadline_ms", GatewayLimits.deadlineMilliseconds).map(Duration.milliseconds)
    }
}
