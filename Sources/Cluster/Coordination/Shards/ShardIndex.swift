/// What follows for one shard from the snapshot, the workers and what is under way.
struct ShardFacts: Equatable, Sendable {
    /// Whose row of the error table misses margins.
    enum Row: Equatable, Sendable { case complete, awaited, missing }

    var owner: String?
    /// Content name.
    var adapter: String?
    /// It has no adapter of its present data and is to get one.
    var isLagging = false
    /// Its owner may begin to train or correct it.
    var isTrainable = false
    /// Its owner lacks its present data, or stages that others have, or has a checkpoint of it, and it is trained.
    var isToBeKept = false
    /// And the stages that its owner lacks are with a worker that is to delete them.
    var isInherited = false
    /// Its owner's copy holds something else than its present data, and nothing changes that now.
    var isOutdated = false
    /// Nothing answers for it while a request waits, and this worker may have a stage that can, and has not been asked.
    var asked: String?
    var row = Row.complete
    /// Place of its check among those that want another worker's training; nil: it wants none.
    var check: Int?
}

/// Shards by what is to be done for them.
struct ShardIndex: Sendable {
    private var facts: [ShardFacts] = []
    private(set) var owned: [String: Set<Int>] = [:]
    private(set) var trainable: [String: Set<Int>] = [:]
    private(set) var toBeKept: [String: Set<Int>] = [:]
    private(set) var inherited: [String: Set<Int>] = [:]
    private(set) var outdated: [String: Set<Int>] = [:]
    /// Shards that a worker is to be asked for a stage of.
    private(set) var unanswered: [String: Set<Int>] = [:]
    private(set) var lagging: Set<Int> = []
    /// Sorted.
    private(set) var awaitedRows: [Int] = []
    private(set) var missingRows: [Int] = []
    /// Shards whose adapter has the content name.
    private(set) var named: [String: [Int]] = [:]
    /// Checks that want another worker's training, in the order in which they began.
    private(set) var unchecked: [Unchecked] = []
    /// Names of adapters that no shard has any more. Whoever reads it empties it.
    var retired: Set<String> = []
    /// Counts changes of what shards have for adapters.
    private(set) var revision = 0
    /// Whether rows came or went since somebody looked.
    var areRowsTouched = true

    struct Unchecked: Hashable, Comparable, Sendable {
        var sequence: Int
        var shard: Int

        static func < (left: Unchecked, right: Unchecked) -> Bool { left.sequence < right.sequence }
    }

    mutating func set(_ new: ShardFacts, of shard: Int) {
        while facts.count <= shard { facts.append(ShardFacts()) }
        let old = facts[shard]
        guard old != new else { return }
        facts[shard] = new
        Self.move(shard, in: &owned, old.owner, new.owner)
        Self.move(shard, in: &trainable, old.isTrainable ? old.owner : nil, new.isTrainable ? new.owner : nil)
        Self.move(shard, in: &toBeKept, old.isToBeKept ? old.owner : nil, new.isToBeKept ? new.owner : nil)
        Self.move(shard, in: &inherited, old.isInherited ? old.owner : nil, new.isInherited ? new.owner : nil)
        Self.move(shard, in: &outdated, old.isOutdated ? old.owner : nil, new.isOutdated ? new.owner : nil)
        Self.move(shard, in: &unanswered, old.asked, new.asked)
        if new.isLagging { lagging.insert(shard) } else { lagging.remove(shard) }
        if old.row != new.row || (new.row != .complete && old.adapter != new.adapter) {
            awaitedRows.set(shard, isIn: new.row == .awaited)
            missingRows.set(shard, isIn: new.row == .missing)
            areRowsTouched = true
        }
        if old.check != new.check {
            if let check = old.check { unchecked.set(Unchecked(sequence: check, shard: shard), isIn: false) }
            if let check = new.check { unchecked.set(Unchecked(sequence: check, shard: shard), isIn: true) }
        }
        rename(shard, old.adapter, new.adapter)
    }

    private mutating func rename(_ shard: Int, _ old: String?, _ new: String?) {
        guard old != new else { return }
        revision += 1
        if let old {
            named[old]?.set(shard, isIn: false)
            if named[old]?.isEmpty == true {
                named[old] = nil
                retired.insert(old)
            }
        }
        if let new {
            named[new, default: []].set(shard, isIn: true)
            retired.remove(new)
        }
    }

    private static func move(_ shard: Int, in sets: inout [String: Set<Int>], _ old: String?, _ new: String?) {
        guard old != new else { return }
        if let old {
            sets[old]?.remove(shard)
            if sets[old]?.isEmpty == true { sets[old] = nil }
        }
        if let new { sets[new, default: []].insert(shard) }
    }
}
