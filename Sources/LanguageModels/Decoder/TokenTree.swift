/// The prompts of one micro-batch as a radix tree over their tokens: a beginning that several prompts share is one
/// segment, computed once.
///
/// Segments lie in preorder, one after the other, in the rows of the micro-batch's matrices. A token sees its segment's
/// ancestors and its own segment up to itself. The tree is a pure function of the prompts, their groups and
/// `minimumShared`.
package struct TokenTree: Sendable {
    package struct Segment: Sendable, Hashable {
        /// Index of the segment before it on its path; nil at a root.
        package var parent: Int?
        /// First row.
        package var start: Int
        package var count: Int
        /// Tokens before it on its path.
        package var offset: Int
        /// Of a beginning that was computed before: which. Its rows lie behind those of the tokens.
        package var kept: Int? = nil
    }

    package private(set) var segments: [Segment] = []
    /// Of each row: token, position in its prompt, group of its prompts.
    package private(set) var tokens: [Int32] = []
    package private(set) var positions: [Int32] = []
    package private(set) var groups: [Int32] = []
    /// Rows at which at least one prompt ends, ascending, and the segments they end.
    package private(set) var answerRows: [Int32] = []
    package private(set) var answerSegments: [Int] = []
    /// Index into `answerRows` of each prompt.
    package private(set) var answers: [Int]
    /// Rows behind those of `tokens`, of beginnings that were computed before.
    package private(set) var keptRows = 0

    /// Fewest tokens worth a segment of their own when they are shared.
    package static let minimumShared = 8

    /// - `prompts`: none empty.
    /// - `groups`: prompts share tokens only within their group; one number a prompt, or empty for one group.
    /// - `beginnings`: of each prompt, which of those that were computed before it begins with, −1 for none; empty for none.
    /// - `kept`: how many tokens each of those has; fewer than the prompts that begin with it.
    package init(
        prompts: [[Int32]], groups: [Int32] = [], beginnings: [Int32] = [], kept: [Int] = [],
        minimumShared: Int = TokenTree.minimumShared
    ) {
        answers = [Int](repeating: 0, count: prompts.count)
        let group = { (index: Int) in groups.isEmpty ? 0 : groups[index] }
        let beginning = { (index: Int) in beginnings.isEmpty ? -1 : beginnings[index] }
        let order = TokenTree.order(prompts: prompts, groups: groups, beginnings: beginnings)
        var begin = 0
        while begin < order.count {
            var end = begin + 1
            while end < order.count && group(order[end]) == group(order[begin])
                && beginning(order[end]) == beginning(order[begin])
            { end += 1 }
            var (from, parent): (Int, Int?) = (0, nil)
            if let number = Int(exactly: beginning(order[begin])), kept.indices.contains(number) {
                (from, parent) = (kept[number], segments.count)
                segments.append(Segment(parent: nil, start: keptRows, count: from, offset: 0, kept: number))
                keptRows += from
            }
            add(
                order[begin..<end], prompts: prompts, group: group(order[begin]), from: from, parent: parent,
                minimumShared: minimumShared)
            begin = end
        }
        for index in segments.indices where segments[index].kept != nil { segments[index].start += tokens.count }
    }

    /// Prompts sorted by group, beginning, tokens and index.
    package static func order(prompts: [[Int32]], groups: [Int32], beginnings: [Int32] = []) -> [Int] {
        prompts.indices.sorted { left, right in
            if !groups.isEmpty && groups[left] != groups[right] { return groups[left] < groups[right] }
            if !beginnings.isEmpty && beginnings[left] != beginnings[right] {
                return beginnings[left] < beginnings[right]
            }
            let shared = sharedLength(prompts[left], prompts[right])
            if shared < prompts[left].count && shared < prompts[right].count {
                return prompts[left][shared] < prompts[right][shared]
            }
            return (prompts[left].count, left) < (prompts[right].count, right)
        }
    }

    /// Number of tokens with which both begin.
    package static func sharedLength(_ left: [Int32], _ right: [Int32]) -> Int {
        left.withUnsafeBufferPointer { left in
            right.withUnsafeBufferPointer { right in
                let limit = min(left.count, right.count)
                var index = 0
                while index < limit && left[index] == right[index] { index += 1 }
                return index
            }
        }
    }

    /// The path from the root to a segment, both included.
    package func path(to segment: Int) -> [Int] {
        var path = [segment]
        while let last = path.last, let parent = segments[last].parent { path.append(parent) }
        return path.reversed()
    }

    /// Adds sorted prompts of one group that agree in all tokens before their parent's end.
    private mutating func add(
        _ sorted: ArraySlice<Int>, prompts: [[Int32]], group: Int32, from: Int, parent: Int?, minimumShared: Int
    ) {
        // What is left to add, as a stack so that the depth of the tree is not bounded by that of the calls.
        var pending: [(range: ArraySlice<Int>, from: Int, parent: Int?)] = [(sorted, from, parent)]
        while let (range, from, parent) = pending.popLast() {
            guard let first = range.first, let last = range.last else { continue }
            // The range is sorted: what its ends share, all share.
            let shared = TokenTree.sharedLength(prompts[first], prompts[last])
            let allEnd = prompts[last].count == shared
            var child = (from: from, parent: parent)
            if allEnd || shared - from >= minimumShared {
                child = (shared, append(prompts[first][from..<shared], offset: from, parent: parent, group: group))
            }
            var rest = range
            if child.from == shared {
                // Prompts that end with the new segment are the first of the range.
                let ending = range.prefix { prompts[$0].count == shared }
                if !ending.isEmpty, let segment = child.parent { end(ending, at: segment) }
                rest = range.dropFirst(ending.count)
            }
            var parts: [ArraySlice<Int>] = []
            while let head = rest.first {
                let token = prompts[head].count > shared ? prompts[head][shared] : nil
                let part = rest.prefix { (prompts[$0].count > shared ? prompts[$0][shared] : nil) == token }
                parts.append(part)
                rest = rest.dropFirst(part.count)
            }
            for part in parts.reversed() { pending.append((part, child.from, child.parent)) }
        }
    }

    private mutating func append(_ added: ArraySlice<Int32>, offset: Int, parent: Int?, group: Int32) -> Int {
        segments.append(Segment(parent: parent, start: tokens.count, count: added.count, offset: offset))
        tokens += added
        positions += (offset..<(offset + added.count)).map { Int32($0) }
        groups += repeatElement(group, count: added.count)
        return segments.count - 1
    }

    private mutating func end(_ prompts: ArraySlice<Int>, at segment: Int) {
        answerRows.append(Int32(segments[segment].start + segments[segment].count - 1))
        answerSegments.append(segment)
        for prompt in prompts { answers[prompt] = answerRows.count - 1 }
    }
}
