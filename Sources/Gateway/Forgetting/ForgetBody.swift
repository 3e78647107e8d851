import Messages
import Recommendation

/// `POST /v1/forget`: whom and what to forget.
struct ForgetBody: Equatable, Sendable {
    var request: ClientRequest.ForgetRequest

    /// - Throws: `Problem` 422, or 404 for names that are nobody's.
    init(_ value: JSONValue) throws(Problem) {
        let known: Set = ["user", "users", "interactions", "method", "bridge", "dry_run"]
        let fields = try JSONFields(value, known: known)
        var users = try fields.identifiers("users", of: .user, GatewayLimits.forgotten) ?? []
        if let user = try fields.identifier("user", of: .user) { users.insert(user, at: 0) }
        var interactions: [ClientRequest.ForgetRequest.Target] = []
        for value in try fields.array("interactions", GatewayLimits.forgotten) ?? [] {
            interactions.append(try Self.interaction(value))
        }
        guard !users.isEmpty || !interactions.isEmpty else {
            throw .invalid("nothing to forget: name user, users or interactions")
        }
        request = ClientRequest.ForgetRequest(
            users: users, interactions: interactions,
            method: try fields.choice("method", of: ["apa", "e2urec", "ifru"]),
            bridge: try fields.choice("bridge", of: ["e2urec", "ifru"]),
            dryRun: try fields.flag("dry_run") ?? false)
        guard request.bridge == nil || request.method == nil || request.method == "apa" else {
            throw .invalid("a bridge serves until apa has retrained; another method has none")
        }
    }

    private static func interaction(_ value: JSONValue) throws(Problem) -> ClientRequest.ForgetRequest.Target {
        let fields = try JSONFields(value, at: "interactions", known: ["user", "item", "timestamp"])
        guard let user = try fields.identifier("user", of: .user), let item = try fields.identifier("item", of: .item)
        else { throw .invalid("an interaction has a user and an item") }
        return .init(user: user, item: item, timestamp: try fields.timestamp("timestamp"))
    }
}
