import Coordination
import Foundation
import Ledger
import Messages

/// The audit log's entries of who asked for what.
extension LedgerService {
    /// Entries that could not be written yet; of more the oldest are given up.
    private static let unwrittenEntries = 1000

    /// Notes what came of a request, before its client is told.
    ///
    /// A log that cannot be written does not undo what was committed before: the entry is written with the next.
    func note(_ ticket: ClientTicket, refusal: ClientError?) {
        note(ticket.access(refusal: refusal))
    }

    func note(_ access: Access) {
        unwritten += journal.take(access, at: Date())
        try? writeAccesses()
    }

    /// Whether the request leaves an entry that is not written yet; it is counted now.
    func owesEntry(for access: Access?) -> Bool {
        if let access { unwritten += journal.take(access, at: Date()) }
        return !unwritten.isEmpty
    }

    /// Notes what must not happen without its entry.
    ///
    /// - Throws: what prevents the entry.
    func noteFirst(_ access: Access) throws {
        unwritten += journal.take(access, at: Date())
        try writeAccesses()
    }

    /// Writes what was counted long enough, or all of it.
    func noteCounted(isEnd: Bool) {
        unwritten += journal.due(at: Date(), isEnd: isEnd)
        try? writeAccesses()
    }

    func writeAccesses() throws {
        guard !unwritten.isEmpty else { return }
        unwritten = unwritten.suffix(Self.unwrittenEntries)
        try ledger.record(unwritten, at: Date())
        unwritten = []
    }
}

extension ClientTicket {
    func access(adapter: String? = nil, refusal: ClientError?) -> Access {
        Access(by: by, asked: asked, request: request, adapter: adapter, refusal: refusal?.code.rawValue)
    }
}

extension ClientReply {
    /// nil: a value.
    var refusal: ClientError? {
        if case .failure(let error) = outcome { error } else { nil }
    }
}

extension ClientRequest {
    static let queryName = "query"
    static let operationName = "operation"
    static let forgetName = "forget"
    static let requestsName = "requests"
    static let dryRunName = "forget dry run"
    static let auditLogName = "audit"
    static let accessName = "access"
    /// Of workers' messages, of which only the refused ones leave an entry.
    static let workName = "work"
    /// Kinds of requests whose answers say, or may be understood to say, that something is forgotten.
    static let tellingOfForgetting: Set = [
        forgetName, dryRunName, operationName, requestsName, auditLogName, accessName,
    ]

    /// What the audit log calls a request of this kind.
    var auditName: String {
        switch self {
        case .importRows: "import batch"
        case .finishImport: "import"
        case .dropImport: "drop import"
        case .train: "train"
        case .forget(let request): request.dryRun ? Self.dryRunName : Self.forgetName
        case .query: Self.queryName
        case .evaluate: "evaluate"
        case .verify: "verify"
        case .compare: "compare"
        case .status: "status"
        case .configuration: "configuration"
        case .operation, .comparedCases: Self.operationName
        case .stop: "stop"
        case .adapters: "adapters"
        case .lineage: "lineage"
        case .exportAdapter: "export"
        case .access: Self.accessName
        case .audit: Self.auditLogName
        case .requests: Self.requestsName
        case .serving(.question): Self.queryName
        case .serving(.adapter): "serve adapter"
        case .serving: "serve"
        case .forgetCopy: "forget copy"
        case .order(let order): "\(order.verb.rawValue) worker"
        }
    }
}
