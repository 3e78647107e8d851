import Foundation
import Messages

/// What the dashboard shows: the status, and for whom it concerns the requests and the audit log's head.
enum Overview {
    struct Evidence: Encodable, Equatable {
        var pending: [DueRequest]?
        var latest: [DueRequest]?
        var auditHead: AuditReply.Entry?

        /// What of it concerns somebody.
        init(_ seen: ClusterView.Seen, for identity: Identity?, dueDays: Int, now: Date) throws {
            if identity?.has(oneOf: [.forget, .audit]) ?? true {
                pending = try seen.pending.map { try DueRequest($0, dueDays: dueDays, now: now) }
                latest = try seen.latest.map { try DueRequest($0, dueDays: dueDays, now: now) }
            }
            if identity?.has(oneOf: [.audit]) ?? true { auditHead = seen.auditHead }
        }
    }

    /// The coordinator's status as it wrote it; for whom requests do not concern `StatusReply.withoutRequests`.
    static func status(_ seen: ClusterView.Seen, for identity: Identity?) throws -> Data {
        guard let identity, !identity.has(oneOf: [.forget, .audit]) else { return seen.body }
        return try ReplyCoding.show(seen.status.withoutRequests)
    }

    static func json(_ seen: ClusterView.Seen, _ evidence: Evidence, for identity: Identity?) throws -> Data {
        // The status is JSON already.
        try Data(#"{"status":"#.utf8) + status(seen, for: identity) + Data(#","evidence":"#.utf8)
            + ReplyCoding.show(evidence) + Data("}".utf8)
    }
}

extension StatusReply {
    /// Without what is another at every look though nothing happened: how long ago a worker spoke, came or went.
    var withoutAges: StatusReply {
        var still = self
        for index in still.report.workers.indices {
            still.report.workers[index].lastSeenSeconds = 0
            still.report.workers[index].uptimeSeconds = nil
            still.report.workers[index].awaySeconds = nil
        }
        return still
    }
}
