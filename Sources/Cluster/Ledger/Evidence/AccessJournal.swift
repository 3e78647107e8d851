import Foundation

/// A request, who made it and what came of it.
package struct Access: Hashable, Sendable {
    /// The name of the key, or `local`.
    package var by: String
    /// forget, train, export, query, …
    package var asked: String
    /// As the client chose it; empty: none.
    package var request: String
    /// Of an export.
    package var adapter: String?
    /// nil: granted.
    package var refusal: String?

    package init(by: String, asked: String, request: String, adapter: String? = nil, refusal: String? = nil) {
        self.by = by
        self.asked = asked
        self.request = request
        self.adapter = adapter
        self.refusal = refusal
    }
}

/// What the audit log keeps of requests: never what they were about.
package struct AccessEntry: Encodable, Hashable, Sendable {
    package var by: String
    package var asked: String
    /// granted or refused.
    package var outcome: String
    /// Of a refusal.
    package var code: String?
    /// `Ledger.auditName(ofRequest:)`; nil where several are counted together.
    package var request: String?
    package var adapter: String?
    /// Of what is counted together: how many, from when on.
    package var count: Int?
    package var since: Date?
}

/// Decides which requests get an entry of the audit log, and which are counted together.
///
/// - Granted: one entry for each request id. Reading where the cluster stands (status, configuration, operations, the list
///   of requests, adapters, this log), and a gateway's leases, leave none: a dashboard reads these once a second, and what it
///   shows would change by being looked at. The batches of an import have entries of their own.
/// - Queries that were answered are counted for each key; an hour's are one entry. A crash loses the count since the last.
/// - Refused: the first leaves an entry at once. What the same key is refused of the same kind and for the same reason within
///   an hour from then is counted, and is one entry: a flood of refusals is two entries an hour.
package struct AccessJournal {
    /// How long is counted together, in seconds.
    package static let window: TimeInterval = 3600
    /// Granted requests that are recognised when their clients repeat them.
    package static let remembered = 4096
    private static let unrecorded: Set<String> = [
        "status", "configuration", "operation", "requests", "adapters", "audit", "import batch", "serve",
    ]

    private struct Kind: Hashable {
        var by: String
        var asked: String
        var code: String?
    }

    private struct Tally {
        var count: Int
        var since: Date
    }

    private var tallies: [Kind: Tally] = [:]
    private var known: Set<Access> = []
    private var order: [Access] = []

    package init() {}

    /// The entries that are due with this one.
    package mutating func take(_ access: Access, at time: Date) -> [AccessEntry] {
        var entries = due(at: time)
        let kind = Kind(by: access.by, asked: access.asked, code: access.refusal)
        if access.refusal != nil || access.asked == "query" {
            if tallies[kind] != nil {
                tallies[kind]?.count += 1
            } else if access.refusal == nil {
                tallies[kind] = Tally(count: 1, since: time)
            } else {
                tallies[kind] = Tally(count: 0, since: time)
                entries.append(AccessEntry(access))
            }
        } else if !Self.unrecorded.contains(access.asked), known.insert(access).inserted {
            order.append(access)
            if order.count > Self.remembered { known.remove(order.removeFirst()) }
            entries.append(AccessEntry(access))
        }
        return entries
    }

    /// What was counted for an hour; all of it when the process ends.
    package mutating func due(at time: Date, isEnd: Bool = false) -> [AccessEntry] {
        let ended = tallies.filter { isEnd || time.timeIntervalSince($0.value.since) >= Self.window }
        for kind in ended.keys { tallies[kind] = nil }
        return ended.filter { $0.value.count > 0 }.map { kind, tally in
            AccessEntry(
                by: kind.by, asked: kind.asked, outcome: kind.code == nil ? "granted" : "refused", code: kind.code,
                count: tally.count, since: tally.since)
        }.sorted { ($0.by, $0.asked, $0.code ?? "") < ($1.by, $1.asked, $1.code ?? "") }
    }
}

extension AccessEntry {
    fileprivate init(_ access: Access) {
        self.init(
            by: access.by, asked: access.asked, outcome: access.refusal == nil ? "granted" : "refused",
            code: access.refusal, request: access.request.isEmpty ? nil : Ledger.auditName(ofRequest: access.request),
            adapter: access.adapter)
    }
}

extension Ledger {
    /// Who asked for what, in one transaction.
    package func record(_ entries: [AccessEntry], at time: Date) throws {
        guard !entries.isEmpty else { return }
        try commit { db in
            for entry in entries { try audit(db, "request", entry, at: time) }
        }
    }
}
