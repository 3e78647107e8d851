import Messages

/// The snapshot's pending forget requests by what they are asked for. Kept by difference: what an event costs is not to depend
/// on how many wait, nor on how many shards each of them touches.
package struct PendingForgets: Sendable {
    /// By sequence number, which counts those that became pending: a copy that became stale with a request concerns it and all
    /// that come after it.
    private var requests: [Int: LedgerSnapshot.PendingForget] = [:]
    private var numbers: [String: Int] = [:]
    /// Sequence numbers, of all of them and of those that wait for no shard any more; sorted.
    private var sequences: ChunkedList<Int> = []
    private var readySequences: ChunkedList<Int> = []
    package private(set) var latest = 0
    /// Those that wait for the shard, by shard.
    private var waiting: [Int: Set<Int>] = [:]
    /// Those that took the shard's adapter away, by shard.
    private var taken: [Int: Set<Int>] = [:]
    /// Shards that the first request wants something of, or the last no longer; and requests that came, changed or went. Whoever
    /// reads them empties them.
    var touchedShards: [Int] = []
    var touchedRequests: [String] = []

    package init(_ pending: some Sequence<LedgerSnapshot.PendingForget>) {
        for request in pending { add(request) }
    }

    /// Shards that any of them waits for.
    package var waitingFor: Dictionary<Int, Set<Int>>.Keys { waiting.keys }
    /// Shards whose adapter any of them took away.
    package var retrained: Dictionary<Int, Set<Int>>.Keys { taken.keys }
    /// Ids of those that wait for no shard any more, oldest first.
    var hasReady: Bool { !readySequences.isEmpty }
    package var ready: [String] { readySequences.compactMap { requests[$0]?.id } }
    /// Ids of all of them.
    var all: Dictionary<String, Int>.Keys { numbers.keys }
    package var count: Int { requests.count }
    /// The last of those that are pending; nil: none is.
    var newest: Int? { sequences.last }
    /// The first ones, oldest first.
    func first(_ count: Int) -> [LedgerSnapshot.PendingForget] {
        sequences.prefix(count).compactMap { requests[$0] }
    }

    package subscript(id: String) -> LedgerSnapshot.PendingForget? { numbers[id].flatMap { requests[$0] } }

    func sequence(of id: String) -> Int? { numbers[id] }

    /// Those that have one of the ids, or took the adapter of one of the shards away, oldest first; and ids of which none is
    /// pending.
    func concerned(
        _ ids: some Sequence<String>, retraining shards: [Int]
    ) -> (pending: [LedgerSnapshot.PendingForget], gone: [String]) {
        var (found, gone): ([Int], [String]) = ([], [])
        for id in ids {
            if let number = numbers[id] { found.append(number) } else { gone.append(id) }
        }
        for shard in shards { found += taken[shard] ?? [] }
        found.sort()
        var previous: Int?
        let pending = found.compactMap { number -> LedgerSnapshot.PendingForget? in
            defer { previous = number }
            return number == previous ? nil : requests[number]
        }
        return (pending, gone)
    }

    /// Ids of those that wait for the shard, oldest first.
    func waiting(for shard: Int) -> [String] { named(waiting[shard] ?? []) }

    /// Ids of those that took the shard's adapter away and wait for no shard any more, oldest first.
    func ready(retraining shard: Int) -> [String] {
        guard !readySequences.isEmpty, let taken = taken[shard] else { return [] }
        if taken.count <= readySequences.count {
            return named(taken.filter { isReady($0) })
        }
        return readySequences.filter(taken.contains).compactMap { requests[$0]?.id }
    }

    /// Ids of those that wait for no shard any more, of so many that became pending; oldest first.
    func ready(among sequences: Range<Int>) -> [String] {
        let begin = readySequences.lowerBound(sequences.lowerBound)
        return readySequences[begin...].prefix { $0 < sequences.upperBound }.compactMap { requests[$0]?.id }
    }

    /// - `old`: those that it was made from, or brought up to date with last.
    /// - Returns: those that came, oldest first.
    @discardableResult
    package mutating func update(
        from old: ChunkedList<LedgerSnapshot.PendingForget>, to new: ChunkedList<LedgerSnapshot.PendingForget>
    ) -> [LedgerSnapshot.PendingForget] {
        let (gone, added) = new.changes(since: old)
        let names = Set(added.map(\.id))
        for request in gone where !names.contains(request.id) { remove(request.id) }
        var came: [LedgerSnapshot.PendingForget] = []
        for request in added {
            if let number = numbers[request.id], let known = requests[number] {
                if known != request { replace(known, at: number, by: request) }
            } else {
                add(request)
                came.append(request)
            }
        }
        return came
    }

    private mutating func add(_ request: LedgerSnapshot.PendingForget) {
        latest += 1
        let sequence = latest
        requests[sequence] = request
        numbers[request.id] = sequence
        sequences.set(sequence, isIn: true)
        if request.waitingFor.isEmpty { readySequences.set(sequence, isIn: true) }
        for shard in request.waitingFor where Self.add(sequence, to: &waiting[shard]) { touchedShards.append(shard) }
        for shard in request.retrained where Self.add(sequence, to: &taken[shard]) { touchedShards.append(shard) }
        touchedRequests.append(request.id)
    }

    /// It keeps its place: only what it wants of which shard is another.
    private mutating func replace(
        _ old: LedgerSnapshot.PendingForget, at sequence: Int, by request: LedgerSnapshot.PendingForget
    ) {
        requests[sequence] = request
        if old.waitingFor.isEmpty != request.waitingFor.isEmpty {
            readySequences.set(sequence, isIn: request.waitingFor.isEmpty)
        }
        touchedShards += Self.move(sequence, in: &waiting, from: old.waitingFor, to: request.waitingFor)
        touchedShards += Self.move(sequence, in: &taken, from: old.retrained, to: request.retrained)
        touchedRequests.append(request.id)
    }

    /// - Returns: shards that it is the first at, or was the last.
    private static func move(
        _ sequence: Int, in sets: inout [Int: Set<Int>], from old: [Int], to new: [Int]
    ) -> [Int] {
        guard old != new else { return [] }
        let stays = Set(old).intersection(new)
        return old.filter { !stays.contains($0) && remove(sequence, from: &sets[$0]) }
            + new.filter { !stays.contains($0) && add(sequence, to: &sets[$0]) }
    }

    private mutating func remove(_ id: String) {
        guard let sequence = numbers.removeValue(forKey: id), let request = requests.removeValue(forKey: sequence)
        else { return }
        sequences.set(sequence, isIn: false)
        readySequences.set(sequence, isIn: false)
        for shard in request.waitingFor where Self.remove(sequence, from: &waiting[shard]) {
            touchedShards.append(shard)
        }
        for shard in request.retrained where Self.remove(sequence, from: &taken[shard]) {
            touchedShards.append(shard)
        }
        touchedRequests.append(id)
    }

    /// - Returns: whether it is the first.
    private static func add(_ sequence: Int, to sequences: inout Set<Int>?) -> Bool {
        if sequences?.insert(sequence) != nil { return false }
        sequences = [sequence]
        return true
    }

    /// - Returns: whether it was the last.
    private static func remove(_ sequence: Int, from sequences: inout Set<Int>?) -> Bool {
        sequences?.remove(sequence)
        guard sequences?.isEmpty == true else { return false }
        sequences = nil
        return true
    }

    private func isReady(_ sequence: Int) -> Bool {
        let position = readySequences.lowerBound(sequence)
        return position < readySequences.count && readySequences[position] == sequence
    }

    private func named(_ sequences: some Sequence<Int>) -> [String] {
        sequences.sorted().compactMap { requests[$0]?.id }
    }
}

extension Coordinator {
    /// nil: it is finished, or was never heard of.
    func pendingForget(_ id: String) -> LedgerSnapshot.PendingForget? { pendingForgets[id] }
}
