// Which message needs which role: one table for the whole protocol. No `default`: a message that is added does not compile until
// it stands here.

extension PeerMessage {
    /// Roles of which one is enough.
    public var roles: Set<KeyRole> {
        switch self {
        case .worker(let message): message.roles
        case .request(_, let request): request.roles
        }
    }
}

extension ClientRequest {
    /// Roles of which one is enough.
    public var roles: Set<KeyRole> {
        switch self {
        case .status: [.worker, .query, .data, .forget, .audit, .gateway, .admin]
        case .configuration, .adapters: [.query, .data, .forget, .audit, .gateway, .admin]
        case .importRows, .finishImport, .dropImport: [.data, .admin]
        case .train: [.data, .admin]
        case .forget: [.forget, .admin]
        case .query: [.query, .admin]
        // What it was about is not known by its name; none of them says anything of a person.
        case .operation: [.data, .forget, .audit, .gateway, .admin]
        case .requests: [.forget, .audit, .gateway, .admin]
        case .audit: [.audit, .gateway, .admin]
        case .verify, .lineage: [.audit, .admin]
        // They cost hours, take weights or one person's record out of the cluster, or change what a certificate says.
        case .evaluate, .compare, .comparedCases, .stop, .exportAdapter, .access, .forgetCopy, .order: [.admin]
        case .serving(let request): request.roles
        }
    }
}

extension ServingRequest {
    /// Roles of which one is enough.
    public var roles: Set<KeyRole> {
        switch self {
        case .model, .lease, .endLease, .question, .attention, .adapter: [.gateway]
        }
    }
}

extension WorkerMessage {
    /// Roles of which one is enough.
    public var roles: Set<KeyRole> {
        switch self {
        case .hello, .heartbeat, .need, .lacks, .progress, .trained, .staged, .withdrawn, .wants, .handed, .scored,
            .embedded, .prepared, .compared,
            .released, .holds, .failed, .cleared, .leaving, .goodbye:
            [.worker]
        }
    }
}
