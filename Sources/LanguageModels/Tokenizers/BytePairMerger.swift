/// Merges the symbols of one word, lowest rank first and leftmost first among equals, in O(n log n).
///
/// The order and the treatment of stale queue entries are those of the reference `tokenizers` library
/// (`Word::merge_all`). The buffers are reused from word to word.
struct BytePairMerger {
    private struct Symbol {
        /// −1 once merged into its left neighbour.
        var id: Int32
        var previous: Int32
        var next: Int32
    }

    private struct Entry {
        /// Rank, then position: the order of the queue.
        var key: UInt64
        var id: Int32
    }

    private var symbols: [Symbol] = []
    private var queue: [Entry] = []

    mutating func begin() {
        symbols.removeAll(keepingCapacity: true)
    }

    mutating func add(_ id: Int32) {
        symbols.append(Symbol(id: id, previous: Int32(symbols.count) - 1, next: Int32(symbols.count) + 1))
    }

    /// Merges what was added since `begin()` and appends the resulting ids.
    mutating func finish(_ merges: MergeTable, into output: inout [Int32]) {
        guard !symbols.isEmpty else { return }
        symbols[symbols.count - 1].next = -1
        queue.removeAll(keepingCapacity: true)
        for index in 0..<symbols.count - 1 { enqueue(index, index + 1, merges) }
        while let top = pop() {
            let position = Int(top.key & 0xffff_ffff)
            let symbol = symbols[position]
            guard symbol.id >= 0, symbol.next >= 0 else { continue }
            let right = symbols[Int(symbol.next)]
            guard let merge = merges.merge(symbol.id, right.id), merge.id == top.id else { continue }
            symbols[Int(symbol.next)].id = -1
            symbols[position].id = top.id
            symbols[position].next = right.next
            if right.next >= 0 {
                symbols[Int(right.next)].previous = Int32(position)
                enqueue(position, Int(right.next), merges)
            }
            if symbol.previous >= 0 { enqueue(Int(symbol.previous), position, merges) }
        }
        for symbol in symbols where symbol.id >= 0 { output.append(symbol.id) }
    }

    private mutating func enqueue(_ left: Int, _ right: Int, _ merges: MergeTable) {
        guard let merge = merges.merge(symbols[left].id, symbols[right].id) else { return }
        var index = queue.count
        let entry = Entry(key: UInt64(merge.rank) << 32 | UInt64(left), id: merge.id)
        queue.append(entry)
        while index > 0, queue[(index - 1) / 2].key > entry.key {
            queue[index] = queue[(index - 1) / 2]
            index = (index - 1) / 2
        }
        queue[index] = entry
    }

    private mutating func pop() -> Entry? {
        guard let top = queue.first, let last = queue.popLast() else { return nil }
        let count = queue.count
        guard count > 0 else { return top }
        var index = 0
        while true {
            var child = 2 * index + 1
            guard child < count else { break }
            if child + 1 < count, queue[child + 1].key < queue[child].key { child += 1 }
            guard queue[child].key < last.key else { break }
            queue[index] = queue[child]
            index = child
        }
        queue[index] = last
        return top
    }
}
