import Messages

/// The snapshot's pending forget requests by what they are asked for. Kept by difference: what an event costs is not to depend
/// on how many wait, nor on how many shards each of them touches.
package struct PendingForgets: Sendable {
    private var requests: [String: LedgerSnapshot.PendingForget] = [:]
    /// How many of them wait for the shard, by shard.
    private var waiting: [Int: Int] = [:]
    /// How many of them took the shard's adapter away, by shard.
    private var taken: [Int: Int] = [:]
    /// Ids of those that wait for no shard any more.
    package private(set) var ready: Set<String> = []

    package init(_ pending: [LedgerSnapshot.PendingForget]) {
        for request in pending { count(request, by: 1) }
    }

    /// Shards that any of them waits for.
    package var waitingFor: Dictionary<Int, Int>.Keys { waiting.keys }
    /// Shards whose adapter any of them took away.
    package var retrained: Dictionary<Int, Int>.Keys { taken.keys }

    package subscript(id: String) -> LedgerSnapshot.PendingForget? { requests[id] }

    /// - `old`: those that it was made from, or brought up to date with last.
    package mutating func update(from old: [LedgerSnapshot.PendingForget], to new: [LedgerSnapshot.PendingForget]) {
        // What is the same at both ends is what it was; comparing it costs little, since the two share their storage.
        let begin = zip(old, new).prefix { $0 == $1 }.count
        let end = zip(old[begin...].reversed(), new[begin...].reversed()).prefix { $0 == $1 }.count
        for request in old[begin..<old.count - end] { count(request, by: -1) }
        for request in new[begin..<new.count - end] { count(request, by: 1) }
    }

    private mutating func count(_ request: LedgerSnapshot.PendingForget, by number: Int) {
        requests[request.id] = number > 0 ? request : nil
        if number > 0, request.waitingFor.isEmpty { ready.insert(request.id) } else { ready.remove(request.id) }
        for shard in request.waitingFor { Self.add(number, to: &waiting, shard) }
        for shard in request.retrained { Self.add(number, to: &taken, shard) }
    }

    private static func add(_ number: Int, to counts: inout [Int: Int], _ shard: Int) {
        let count = (counts[shard] ?? 0) + number
        counts[shard] = count == 0 ? nil : count
    }
}

extension Coordinator {
    /// nil: it is finished, or was never heard of.
    func pendingForget(_ id: String) -> LedgerSnapshot.PendingForget? { pendingForgets[id] }
}
