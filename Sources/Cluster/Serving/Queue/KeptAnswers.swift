import Messages

/// Answers that were sent, for a short while: who lost the connection just then, and asks again under the same name, gets the
/// same answer without having it computed again. A value without a clock.
///
/// An answer goes as soon as a forget takes away what it rests on, before anybody hears that this is forgotten, and is not given
/// where one of its adapters may not answer any more.
package struct KeptAnswers {
    package struct Limits: Sendable {
        /// Of the answers as JSON, and of what they rest on, about.
        package var bytes = 64 << 20
        package var milliseconds: Int64 = 60_000

        package init() {}
    }

    private struct Entry {
        var request: ClientRequest.QueryRequest
        var json: [UInt8]
        var basis: AnswerBasis
        var since: Int64
        var bytes: Int
    }

    private let limits: Limits
    private var entries: [QuestionID: Entry] = [:]
    /// Those that were kept, the oldest first; some may have gone, or be kept again further behind.
    private var order: [(id: QuestionID, since: Int64)] = []
    package private(set) var bytes = 0

    package init(_ limits: Limits = Limits()) {
        self.limits = limits
    }

    package var count: Int { entries.count }

    /// `now` is in milliseconds of any clock that does not go back.
    package mutating func keep(
        _ json: [UInt8], of id: QuestionID, _ request: ClientRequest.QueryRequest, _ basis: AnswerBasis, at now: Int64
    ) {
        remove(id)
        let names = request.items.reduce(0) { $0 + $1.utf8.count + 32 }
        let entry = Entry(
            request: request, json: json, basis: basis, since: now,
            bytes: json.count + names + 64 * (basis.items.count + basis.adapters.count) + 256)
        entries[id] = entry
        order.append((id, now))
        bytes += entry.bytes
        dropOld(at: now)
    }

    /// `active`: content names of the adapters that may answer now.
    ///
    /// - Returns: the answer as it was sent; nil: it is not kept, or another question has the name.
    package func answer(
        to id: QuestionID, _ request: ClientRequest.QueryRequest, active: Set<String>, at now: Int64
    ) -> [UInt8]? {
        guard let entry = entries[id], entry.request == request, now - entry.since < limits.milliseconds,
            entry.basis.adapters.isSubset(of: active)
        else { return nil }
        return entry.json
    }

    package mutating func forgot(_ forgotten: ForgottenInputs) {
        for (id, entry) in entries where entry.basis.restsOn(forgotten) { remove(id) }
    }

    /// Lets go of what was kept long enough, and of the oldest of what is too much.
    package mutating func dropOld(at now: Int64) {
        var gone = 0
        for (id, since) in order {
            if let entry = entries[id], entry.since == since {
                guard now - since >= limits.milliseconds || bytes > limits.bytes else { break }
                remove(id)
            }
            gone += 1
        }
        order.removeFirst(gone)
    }

    private mutating func remove(_ id: QuestionID) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        bytes -= entry.bytes
    }
}
