import CKernels

/// Which queries attend to which keys in one micro-batch, cut into chunks that different threads may take.
///
/// The cut is a pure function of the tree. A chunk sums the gradients of the keys it sees by itself, into slots; a token's
/// gradient is the sum over the slots of its segment in the order of the chunks.
package struct AttentionPlan: Sendable {
    package var spans: [lethe_span] = []
    package var items: [lethe_attention_item] = []
    package var queryRows: [Int32] = []
    package var outputRows: [Int32] = []
    package var limits: [Int32] = []
    /// Ranges of `items`.
    package var chunks: [Range<Int>] = []
    /// Rows of the slot matrices.
    package var slots = 0
    /// The slots of token row t are `slotRows[slotBegin[t] ..< slotBegin[t + 1]]`.
    package var slotBegin: [Int32] = []
    package var slotRows: [Int32] = []
    /// Longest path in tokens and in segments.
    package var longestPath = 1
    package var deepestPath = 1
    /// Query-key pairs.
    package var pairs = 0

    private static let mostChunks = 8
    private static let queriesOfItem = 64

    /// - `answersOnly`: only the answer rows ask; their results go to rows 0, 1, 2 …
    package init(tree: TokenTree, answersOnly: Bool) {
        var work: [(segment: Int, queries: Range<Int>, cost: Int)] = []
        for (index, segment) in tree.segments.enumerated() {
            longestPath = max(longestPath, segment.offset + segment.count)
            guard !answersOnly, segment.kept == nil else { continue }
            var first = 0
            while first < segment.count {
                let end = min(first + Self.queriesOfItem, segment.count)
                let cost = (end - first) * segment.offset + (end * (end + 1) - first * (first + 1)) / 2
                work.append((index, first..<end, cost))
                first = end
            }
        }
        if answersOnly {
            for segment in tree.answerSegments {
                let last = tree.segments[segment].count
                work.append((segment, (last - 1)..<last, tree.segments[segment].offset + last))
            }
        }
        pairs = work.map(\.cost).reduce(0, +)
        var slotsOf = [[Int32]](repeating: [], count: tree.segments.count)
        var output: Int32 = 0
        for chunk in Self.cut(work.map(\.cost)) {
            var slotOf: [Int: Int32] = [:]
            let firstItem = items.count
            for (segment, queries, _) in work[chunk] {
                let path = tree.path(to: segment)
                deepestPath = max(deepestPath, path.count)
                let firstSpan = spans.count
                for ancestor in path {
                    let (start, count) = (tree.segments[ancestor].start, tree.segments[ancestor].count)
                    if slotOf[ancestor] == nil {
                        slotOf[ancestor] = Int32(slots)
                        slotsOf[ancestor].append(Int32(slots))
                        slots += count
                    }
                    spans.append(lethe_span(start: Int32(start), count: Int32(count), slot: slotOf[ancestor] ?? 0))
                }
                items.append(
                    lethe_attention_item(
                        span_begin: Int32(firstSpan), span_count: Int32(path.count),
                        query_begin: Int32(queryRows.count), query_count: Int32(queries.count)))
                for query in queries {
                    let row = Int32(tree.segments[segment].start + query)
                    queryRows.append(row)
                    outputRows.append(answersOnly ? output : row)
                    limits.append(Int32(tree.segments[segment].offset + query + 1))
                    output += 1
                }
            }
            chunks.append(firstItem..<items.count)
        }
        slotBegin = [0]
        // Nothing is trained behind a beginning that was computed before.
        for (index, segment) in tree.segments.enumerated() where segment.kept == nil {
            for row in 0..<segment.count {
                slotRows += slotsOf[index].map { $0 + Int32(row) }
                slotBegin.append(Int32(slotRows.count))
            }
        }
    }

    /// Consecutive ranges of about equal cost.
    private static func cut(_ costs: [Int]) -> [Range<Int>] {
        let total = costs.reduce(0, +)
        let count = max(1, min(mostChunks, costs.count))
        var ranges: [Range<Int>] = []
        var (begin, sum) = (0, 0)
        for (index, cost) in costs.enumerated() {
            sum += cost
            if sum * count >= total * (ranges.count + 1) || index == costs.count - 1 {
                ranges.append(begin..<(index + 1))
                begin = index + 1
            }
        }
        return ranges
    }
}
