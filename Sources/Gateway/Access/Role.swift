/// What a token may do.
public enum Role: String, CaseIterable, Hashable, Sendable {
    /// Ask.
    case query
    /// Bring interactions.
    case data
    /// Have people forgotten, and follow these requests.
    case forget
    /// Read requests, certificates and the audit log.
    case audit
    /// All of these.
    case admin
}

/// Who asks, as far as the gateway knows.
struct Identity: Hashable, Sendable {
    var roles: Set<Role>
    /// The token by its hash: what one asks for keeps nobody else waiting.
    var asker: String

    func has(oneOf wanted: [Role]) -> Bool {
        roles.contains(.admin) || wanted.contains { roles.contains($0) }
    }
}
