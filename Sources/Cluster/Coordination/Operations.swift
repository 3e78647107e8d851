import Messages

/// Operations in the order in which they came, each found by its id. What one of them costs does not depend on the others.
struct Operations: Sendable {
    private struct Entry: Sendable {
        var operation: Operation
        /// Counts those that came.
        let sequence: Int
    }

    private var entries: [String: Entry] = [:]
    private var latest = 0
    private(set) var runningForgets = 0
    private(set) var runningOthers = 0
    /// Of the bodies of requests that are kept.
    private(set) var requestBytes = 0
    /// Ids of those that are no forget requests, and of which something may yet become.
    private var openOthers: ChunkedList<SequencedID> = []
    /// Ids of forget requests of which something may yet become, and of operations that are being committed.
    private var forgets: ChunkedList<SequencedID> = []
    /// Ids of those of which nothing more becomes.
    private var ended: ChunkedList<SequencedID> = []
    /// Ids of those whose parts, as far as they were given out, may belong to an earlier run now.
    var restarted: Set<String> = []
    /// Whether one of them that is no forget request is another one now.
    var areReadersTouched = false

    var count: Int { entries.count }

    /// nil: there is none of this id.
    subscript(id: String) -> Operation? { entries[id]?.operation }

    /// Evaluations, verifications, comparisons and trainings of which something may yet become, in their order.
    var readers: [Operation] { openOthers.compactMap { entries[$0.id]?.operation } }
    var hasReaders: Bool { !openOthers.isEmpty }
    var hasRunning: Bool { runningForgets + runningOthers > 0 }

    /// Those that have one of the ids, in their order.
    func inOrder(_ ids: some Sequence<String>) -> [Operation] {
        ids.compactMap { entries[$0] }.sorted { $0.sequence < $1.sequence }.map(\.operation)
    }

    /// Of many those that run and are no forget requests, then the oldest forget requests, then those that ended last; in the
    /// order in which they came.
    func first(_ count: Int) -> [Operation] {
        var chosen = Array(openOthers.prefix(count))
        chosen += forgets.prefix(count - chosen.count)
        chosen += ended.suffix(count - chosen.count)
        return chosen.sorted().compactMap { entries[$0.id]?.operation }
    }

    mutating func append(_ operation: Operation) {
        latest += 1
        if !operation.isForget { areReadersTouched = true }
        entries[operation.id] = Entry(operation: operation, sequence: latest)
        countRequest(of: operation.id, before: 0)
        count(SequencedID(sequence: latest, id: operation.id), Standing(operation), by: 1)
    }

    mutating func update(_ id: String, _ change: (inout Operation) -> Void) {
        guard let sequence = entries[id]?.sequence, let before = entries[id].map({ Standing($0.operation) }) else {
            return
        }
        let bytes = entries[id]?.operation.requestBytes ?? 0
        entries[id]?.operation.change(change)
        countRequest(of: id, before: bytes)
        if !before.isForget { areReadersTouched = true }
        guard let after = entries[id].map({ Standing($0.operation) }), before != after else { return }
        if before.generation != after.generation || before.isRunning != after.isRunning { restarted.insert(id) }
        let id = SequencedID(sequence: sequence, id: id)
        count(id, before, by: -1)
        count(id, after, by: 1)
    }

    mutating func remove(_ id: String) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        restarted.insert(id)
        requestBytes -= entry.operation.requestBytes
        count(SequencedID(sequence: entry.sequence, id: id), Standing(entry.operation), by: -1)
    }

    /// Drops the oldest that ended, but for so many.
    mutating func dropEnded(keeping kept: Int) {
        while ended.count > kept { remove(ended[0].id) }
    }

    /// A body for which there is no room is not kept.
    private mutating func countRequest(of id: String, before: Int) {
        guard let bytes = entries[id]?.operation.requestBytes, bytes != before else { return }
        requestBytes += bytes - before
        guard requestBytes > CoordinatorLimits.requestBytes else { return }
        entries[id]?.operation.setRequest(nil)
        requestBytes -= bytes
    }

    /// What is counted.
    private struct Standing: Equatable {
        var generation: Int
        var isRunning: Bool
        var isForget: Bool
        var isOpen: Bool
        var isOver: Bool

        init(_ operation: Operation) {
            (generation, isRunning, isForget) = (operation.generation, operation.state == .running, operation.isForget)
            (isOpen, isOver) = (operation.isOpen, operation.isOver)
        }
    }

    private mutating func count(_ id: SequencedID, _ standing: Standing, by difference: Int) {
        if standing.isOver { ended.set(id, isIn: difference > 0) }
        if standing.isForget || !standing.isOpen, !standing.isOver { forgets.set(id, isIn: difference > 0) }
        if !standing.isForget, standing.isOpen { openOthers.set(id, isIn: difference > 0) }
        guard standing.isRunning else { return }
        if standing.isForget { runningForgets += difference } else { runningOthers += difference }
    }
}

/// Something that came at a time, and its name.
struct SequencedID: Hashable, Comparable, Sendable {
    var sequence: Int
    var id: String

    static func < (left: SequencedID, right: SequencedID) -> Bool { left.sequence < right.sequence }
}

/// Of sorted ones without doubles.
extension RandomAccessCollection where Self: RangeReplaceableCollection, Element: Comparable, Index == Int {
    /// Position of the first that is not smaller.
    func lowerBound(_ element: Element) -> Int {
        var (low, high) = (0, count)
        while low < high {
            let middle = (low + high) / 2
            if self[middle] < element { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// Puts the element in, or takes it out.
    mutating func set(_ element: Element, isIn: Bool) {
        let position = lowerBound(element)
        let isThere = position < count && self[position] == element
        if isIn, !isThere { insert(element, at: position) }
        if !isIn, isThere { remove(at: position) }
    }
}

extension Operation {
    fileprivate mutating func change(_ change: (inout Operation) -> Void) { change(&self) }
}
