/// A list whose versions share what they have in common: a copy with one change costs one chunk, and what differs between two
/// versions is found without looking at what they share.
///
/// Positions are those of an array. An element is found in logarithmic time.
public struct ChunkedList<Element> {
    /// None of them is empty.
    @usableFromInline var chunks: [[Element]] = []
    /// Position of each chunk's first element.
    @usableFromInline var starts: [Int] = []
    @usableFromInline var size = 0

    @inlinable
    public var count: Int { size }

    /// Elements of a chunk that is filled by appending.
    @inlinable
    static var full: Int { 64 }

    @inlinable
    public init() {}

    @inlinable
    public init(_ elements: some Sequence<Element>) {
        for element in elements { append(element) }
    }

    @inlinable
    func place(of position: Int) -> (chunk: Int, offset: Int) {
        var (low, high) = (0, starts.count)
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= position { low = middle } else { high = middle }
        }
        return (low, position - starts[low])
    }

    @inlinable
    mutating func renumber(from chunk: Int) {
        starts.removeSubrange(Swift.min(chunk, starts.count)...)
        var start = chunk > 0 ? starts[chunk - 1] + chunks[chunk - 1].count : 0
        for chunk in chunks[chunk...] {
            starts.append(start)
            start += chunk.count
        }
        size = start
    }

    @inlinable
    func isShared(_ chunk: Int, with other: [Element]) -> Bool {
        chunks[chunk].withUnsafeBufferPointer { own in
            other.withUnsafeBufferPointer { $0.baseAddress == own.baseAddress && $0.count == own.count }
        }
    }
}

extension ChunkedList: RandomAccessCollection, MutableCollection, RangeReplaceableCollection {
    @inlinable
    public var startIndex: Int { 0 }
    @inlinable
    public var endIndex: Int { count }

    @inlinable
    public subscript(position: Int) -> Element {
        get {
            let (chunk, offset) = place(of: position)
            return chunks[chunk][offset]
        }
        _modify {
            let (chunk, offset) = place(of: position)
            yield &chunks[chunk][offset]
        }
    }

    public struct Iterator: IteratorProtocol {
        @usableFromInline var chunks: [[Element]]
        @usableFromInline var chunk = 0
        @usableFromInline var offset = 0

        @inlinable
        init(chunks: [[Element]]) { self.chunks = chunks }

        @inlinable
        public mutating func next() -> Element? {
            guard chunk < chunks.count else { return nil }
            let element = chunks[chunk][offset]
            offset += 1
            if offset == chunks[chunk].count { (chunk, offset) = (chunk + 1, 0) }
            return element
        }
    }

    @inlinable
    public func makeIterator() -> Iterator { Iterator(chunks: chunks) }

    @inlinable
    public mutating func append(_ element: Element) {
        if let last = chunks.indices.last, chunks[last].count < Self.full {
            chunks[last].append(element)
        } else {
            chunks.append([element])
            starts.append(size)
        }
        size += 1
    }

    @inlinable
    public mutating func replaceSubrange(_ range: Range<Int>, with elements: some Collection<Element>) {
        guard !chunks.isEmpty else {
            for element in elements { append(element) }
            return
        }
        let first = place(of: range.lowerBound)
        let last = place(of: Swift.max(range.lowerBound, range.upperBound - 1))
        var merged = Array(chunks[first.chunk][..<first.offset])
        merged += elements
        merged += chunks[last.chunk][(range.upperBound - starts[last.chunk])...]
        let pieces =
            merged.count <= 2 * Self.full
            ? (merged.isEmpty ? [] : [merged])
            : stride(from: 0, to: merged.count, by: Self.full).map {
                Array(merged[$0..<Swift.min($0 + Self.full, merged.count)])
            }
        chunks.replaceSubrange(first.chunk...last.chunk, with: pieces)
        joinSmall(at: first.chunk)
        renumber(from: Swift.max(0, first.chunk - 1))
    }

    @inlinable
    public mutating func insert(_ element: Element, at position: Int) {
        guard position < size else { return append(element) }
        let (chunk, offset) = place(of: position)
        guard chunks[chunk].count < 2 * Self.full else { return replaceSubrange(position..<position, with: [element]) }
        chunks[chunk].insert(element, at: offset)
        move(after: chunk, by: 1)
    }

    @inlinable
    @discardableResult
    public mutating func remove(at position: Int) -> Element {
        let (chunk, offset) = place(of: position)
        guard chunks[chunk].count > Self.full / 4 else {
            let element = chunks[chunk][offset]
            replaceSubrange(position..<(position + 1), with: [])
            return element
        }
        let element = chunks[chunk].remove(at: offset)
        move(after: chunk, by: -1)
        return element
    }

    /// The chunk has so many more elements than before.
    @inlinable
    mutating func move(after chunk: Int, by difference: Int) {
        for later in starts.indices[(chunk + 1)...] { starts[later] += difference }
        size += difference
    }

    /// A chunk of which little is left becomes a part of the one before it: there are never many more chunks than elements ask
    /// for.
    @inlinable
    mutating func joinSmall(at chunk: Int) {
        guard chunk > 0, chunk < chunks.count, chunks[chunk].count < Self.full / 4,
            chunks[chunk - 1].count + chunks[chunk].count <= Self.full
        else { return }
        chunks[chunk - 1] += chunks[chunk]
        chunks.remove(at: chunk)
    }
}

extension ChunkedList: ExpressibleByArrayLiteral {
    public init(arrayLiteral elements: Element...) { self.init(elements) }
}

extension ChunkedList: Sendable where Element: Sendable {}

extension ChunkedList: Equatable where Element: Equatable {
    @inlinable
    public static func == (left: ChunkedList, right: ChunkedList) -> Bool {
        left.count == right.count && left.elementsEqual(right)
    }

    /// Elements of which a version before this one had others, or none, and those that it had and this one has not. An
    /// element that only moved may be in both, next to others that did; what both versions share is in neither.
    @inlinable
    public func changes(since old: ChunkedList) -> (removed: [Element], added: [Element]) {
        var (removed, added): ([Element], [Element]) = ([], [])
        var begin = 0
        while begin < Swift.min(chunks.count, old.chunks.count), isShared(begin, with: old.chunks[begin]) { begin += 1 }
        var (end, oldEnd) = (chunks.count, old.chunks.count)
        while end > begin, oldEnd > begin, isShared(end - 1, with: old.chunks[oldEnd - 1]) {
            (end, oldEnd) = (end - 1, oldEnd - 1)
        }
        // Chunks that are at their old place are compared element by element.
        let common = Swift.min(end, oldEnd)
        for chunk in begin..<common where !isShared(chunk, with: old.chunks[chunk]) {
            Self.compare(old.chunks[chunk], chunks[chunk], &removed, &added)
        }
        for chunk in common..<Swift.max(common, end) { added += chunks[chunk] }
        for chunk in common..<Swift.max(common, oldEnd) { removed += old.chunks[chunk] }
        return (removed, added)
    }

    /// Whether two elements are the same bit for bit, and so without a look at what they refer to: most elements of a chunk of
    /// which one changed are.
    @inlinable
    static func haveSameBits(
        _ old: UnsafeBufferPointer<Element>, _ new: UnsafeBufferPointer<Element>, at place: Int
    ) -> Bool {
        let (size, start) = (MemoryLayout<Element>.size, place * MemoryLayout<Element>.stride)
        let (before, after) = (UnsafeRawBufferPointer(old), UnsafeRawBufferPointer(new))
        var offset = start
        while offset + 8 <= start + size {
            let (left, right) = (
                before.loadUnaligned(fromByteOffset: offset, as: UInt64.self),
                after.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            )
            if left != right { return false }
            offset += 8
        }
        while offset < start + size {
            if before[offset] != after[offset] { return false }
            offset += 1
        }
        return true
    }

    @inlinable
    static func compare(
        _ old: [Element], _ new: [Element], _ removed: inout [Element], _ added: inout [Element]
    ) {
        if old.count == new.count {
            // In place: an element that is taken out to be compared costs more than the comparison.
            old.withUnsafeBufferPointer { before in
                new.withUnsafeBufferPointer { after in
                    for place in before.indices
                    where !haveSameBits(before, after, at: place) && before[place] != after[place] {
                        removed.append(before[place])
                        added.append(after[place])
                    }
                }
            }
            return
        }
        var (begin, end) = (0, Swift.min(old.count, new.count))
        while begin < end, old[begin] == new[begin] { begin += 1 }
        let (before, after) = (old.count - end, new.count - end)
        while end > begin, old[before + end - 1] == new[after + end - 1] { end -= 1 }
        removed += old[begin..<before + end]
        added += new[begin..<after + end]
    }
}

extension ChunkedList: Hashable where Element: Hashable {
    public func hash(into hasher: inout Hasher) {
        hasher.combine(count)
        for element in self { hasher.combine(element) }
    }
}

extension ChunkedList: Encodable where Element: Encodable {
    public func encode(to encoder: any Encoder) throws { try Array(self).encode(to: encoder) }
}

extension ChunkedList: Decodable where Element: Decodable {
    public init(from decoder: any Decoder) throws { try self.init([Element](from: decoder)) }
}
