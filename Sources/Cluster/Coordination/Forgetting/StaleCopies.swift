import Messages

/// Copies on workers' disks that are not, or perhaps not, their shards' present data, and the forget requests that wait for
/// them.
///
/// Nothing is kept for each request: a copy that became stale with a request may hold what that request forgot and what later
/// ones did, and nothing of earlier ones. What a worker says anew that it holds concerns all that are pending.
struct StaleCopies: Sendable {
    /// Number of the first request that the copy concerns, by worker, shard and manifest.
    private var firsts: [String: [Int: [String: Int]]] = [:]
    /// The smallest of them, by worker; and workers by it, sorted.
    private var earliest: [String: Int] = [:]
    private var order: [Place] = []
    /// Workers that have one of the shard, by shard.
    private var holders: [Int: Set<String>] = [:]
    /// The first request that waits for the ledger to note what is left of a worker's copies, by worker.
    private var settling: [String: Int] = [:]

    private struct Place: Comparable, Sendable {
        var first: Int
        var worker: String

        static func < (left: Place, right: Place) -> Bool { (left.first, left.worker) < (right.first, right.worker) }
    }

    var isEmpty: Bool { firsts.isEmpty && settling.isEmpty }

    /// - Parameters:
    ///   - manifests: all that the worker's disk may hold of the shard and that is not its present data.
    ///   - first: the request from which on it concerns those that were not known before.
    mutating func set(_ manifests: [String], of worker: String, shard: Int, first: Int, concernsAll: Bool = false) {
        let known = firsts[worker]?[shard] ?? [:]
        guard !known.isEmpty || !manifests.isEmpty else { return }
        if !concernsAll, known.count == manifests.count, manifests.allSatisfy({ known[$0] != nil }) { return }
        var kept: [String: Int] = [:]
        for manifest in manifests { kept[manifest] = concernsAll ? 0 : known[manifest] ?? first }
        if let gone = known.filter({ kept[$0.key] == nil }).values.min() {
            settling[worker] = min(settling[worker] ?? gone, gone)
        }
        firsts[worker, default: [:]][shard] = kept.isEmpty ? nil : kept
        if firsts[worker]?.isEmpty == true { firsts[worker] = nil }
        noteEarliest(of: worker)
        if kept.isEmpty {
            holders[shard]?.remove(worker)
            if holders[shard]?.isEmpty == true { holders[shard] = nil }
        } else {
            holders[shard, default: []].insert(worker)
        }
    }

    private mutating func noteEarliest(of worker: String) {
        var smallest: Int?
        if let shards = firsts[worker] {
            for manifests in shards.values {
                for first in manifests.values { smallest = min(smallest ?? first, first) }
            }
        }
        let before = earliest[worker]
        guard smallest != before else { return }
        earliest[worker] = smallest
        if let before { order.set(Place(first: before, worker: worker), isIn: false) }
        if let smallest { order.set(Place(first: smallest, worker: worker), isIn: true) }
    }

    /// The first request that copies of such a worker concern; nil: none is such.
    func first(where isWaitedFor: (String) -> Bool) -> Int? { order.first { isWaitedFor($0.worker) }?.first }

    /// The first request that waits for the ledger to note what such a worker deleted; nil: none.
    func firstSettling(where isWaitedFor: (String) -> Bool) -> Int? {
        var smallest: Int?
        for (worker, first) in settling where first < smallest ?? .max && isWaitedFor(worker) { smallest = first }
        return smallest
    }

    /// Workers that have one of the shard, sorted.
    func workers(withShard shard: Int) -> [String] { holders[shard]?.sorted() ?? [] }

    /// The ledger has noted what is left of the worker's copies.
    mutating func settled(_ worker: String) { settling[worker] = nil }

    func first(of worker: String, shard: Int) -> Int? { firsts[worker]?[shard]?.values.min() }

    /// Copies that concern the request, by worker, shard and manifest.
    func concerning(_ request: Int, name: (String) -> String) -> [UnconfirmedCopy] {
        let workers = order.prefix { $0.first <= request }.map(\.worker).sorted()
        return workers.flatMap { worker in
            (firsts[worker] ?? [:]).sorted { $0.key < $1.key }.flatMap { shard, manifests in
                manifests.filter { $0.value <= request }.keys.sorted().map {
                    UnconfirmedCopy(worker: worker, name: name(worker), shard: shard, manifest: $0)
                }
            }
        }
    }
}
