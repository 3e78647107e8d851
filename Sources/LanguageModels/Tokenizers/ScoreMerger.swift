/// Merges neighbouring stretches of one text while they make a piece, lowest rank first and leftmost first among equals, in
/// O(n log n). The buffers are reused from text to text.
struct ScoreMerger {
    private struct Symbol {
        var start: Int
        /// 0 once merged into its left neighbour.
        var count: Int
        var previous: Int
        var next: Int
    }

    private struct Entry {
        var rank: UInt32
        var left: Int
        var right: Int
        /// Bytes of both; a pair of another length has changed since.
        var count: Int

        func isBefore(_ other: Entry) -> Bool { (rank, left) < (other.rank, other.left) }
    }

    private var word = UnsafeBufferPointer<UInt8>(start: nil, count: 0)
    private var symbols: [Symbol] = []
    private var queue: [Entry] = []

    /// One symbol for each character of a text in UTF-8, which must outlive the merging.
    mutating func begin(_ word: UnsafeBufferPointer<UInt8>) {
        self.word = word
        symbols.removeAll(keepingCapacity: true)
        queue.removeAll(keepingCapacity: true)
        var start = 0
        while start < word.count {
            let count = min(UTF8.width(first: word[start]), word.count - start)
            let index = symbols.count
            symbols.append(Symbol(start: start, count: count, previous: index - 1, next: index + 1))
            start += count
        }
        if !symbols.isEmpty { symbols[symbols.count - 1].next = -1 }
    }

    /// - Parameter rank: of the piece with this text; nil where there is none.
    mutating func merge(rank: (UnsafeBufferPointer<UInt8>) -> UInt32?) {
        for index in symbols.indices.dropFirst() { enqueue(index - 1, index, rank) }
        while let top = pop() {
            let (left, right) = (symbols[top.left], symbols[top.right])
            guard left.count > 0, right.count > 0, left.count + right.count == top.count else { continue }
            symbols[top.left].count = top.count
            symbols[top.left].next = right.next
            symbols[top.right].count = 0
            if right.next >= 0 {
                symbols[right.next].previous = top.left
                enqueue(top.left, right.next, rank)
            }
            if left.previous >= 0 { enqueue(left.previous, top.left, rank) }
        }
    }

    /// What the symbols cover now, from left to right.
    var ranges: some Sequence<Range<Int>> {
        symbols.lazy.filter { $0.count > 0 }.map { $0.start..<$0.start + $0.count }
    }

    private mutating func enqueue(_ left: Int, _ right: Int, _ rank: (UnsafeBufferPointer<UInt8>) -> UInt32?) {
        let (start, count) = (symbols[left].start, symbols[left].count + symbols[right].count)
        guard let rank = rank(UnsafeBufferPointer(rebasing: word[start..<start + count])) else { return }
        let entry = Entry(rank: rank, left: left, right: right, count: count)
        var index = queue.count
        queue.append(entry)
        while index > 0, entry.isBefore(queue[(index - 1) / 2]) {
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
            if child + 1 < count, queue[child + 1].isBefore(queue[child]) { child += 1 }
            guard queue[child].isBefore(last) else { break }
            queue[index] = queue[child]
            index = child
        }
        queue[index] = last
        return top
    }
}
