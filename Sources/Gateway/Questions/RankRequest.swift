import Messages

/// `POST /v1/rank`: what users would like best, of candidates or of the catalogue.
struct RankRequest: Hashable, Sendable {
    var users: [String]
    /// Whether one user was named, alone: the answer is that user's.
    var isOfOne: Bool
    /// Empty: whatever of the catalogue the user has not rated.
    var candidates: [String]
    var top: Int
    var limit: Int?
    var explain: Bool
    var deadline: Duration?

    /// - Throws: `Problem` 422, or 404 for names that are nobody's.
    init(_ value: JSONValue) throws(Problem) {
        let known: Set = ["user", "users", "candidates", "top", "limit", "explain", "deadline_ms"]
        let fields = try JSONFields(value, known: known)
        let user = try fields.identifier("user", of: .user)
        let users = try fields.identifiers("users", of: .user, GatewayLimits.users)
        guard (user == nil) != (users == nil) else { throw .invalid("name either user or users") }
        self.users = user.map { [$0] } ?? users ?? []
        isOfOne = user != nil
        candidates = try fields.identifiers("candidates", of: .item, GatewayLimits.candidates) ?? []
        top = try fields.integer("top", GatewayLimits.top) ?? 10
        limit = try fields.integer("limit", GatewayLimits.ranked)
        guard limit == nil || candidates.isEmpty else {
            throw .invalid("limit bounds a ranking of the catalogue; here the candidates are named")
        }
        explain = try fields.flag("explain") ?? false
        deadline = try fields.deadline()
    }

    var questions: [ClientRequest] {
        users.map { user in
            .query(.init(user: user, items: candidates, top: top, explain: explain ? true : nil, limit: limit))
        }
    }
}

/// `POST /v1/score`: P(like) of items for one user, each weighing the adapters for its own prompt.
struct ScoreRequest: Hashable, Sendable {
    var user: String
    var items: [String]
    var explain: Bool
    var deadline: Duration?

    /// - Throws: `Problem` 422, or 404 for names that are nobody's.
    init(_ value: JSONValue) throws(Problem) {
        let fields = try JSONFields(value, known: ["user", "items", "explain", "deadline_ms"])
        guard let user = try fields.identifier("user", of: .user) else { throw .invalid("name a user") }
        guard let items = try fields.identifiers("items", of: .item, GatewayLimits.candidates) else {
            throw .invalid("name items")
        }
        self.user = user
        self.items = items
        explain = try fields.flag("explain") ?? false
        deadline = try fields.deadline()
    }

    var question: ClientRequest {
        .query(.init(user: user, items: items, top: nil, explain: explain ? true : nil))
    }
}

extension JSONFields {
    func deadline() throws(Problem) -> Duration? {
        try integer("deadline_ms", GatewayLimits.deadlineMilliseconds).map(Duration.milliseconds)
    }
}
