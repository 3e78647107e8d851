/// Prompts that resemble each other as one person's do: their histories overlap.
///
/// Resemblance is the share of common runs of four tokens among all of two prompts' (Broder 1997, "On the resemblance and
/// containment of documents"), runs that more than half of the prompts have left out.
package struct PromptNeighbours {
    /// Sorted, of each prompt.
    private let runs: [[UInt64]]

    static let runLength = 4
    /// Histories of ten titles that share four are taken for one person's; two people have one or two in common.
    static let resemblance = 0.2

    package init(_ prompts: [[Int32]]) {
        let all = prompts.map { tokens -> [UInt64] in
            guard tokens.count >= Self.runLength else { return [] }
            return Array(
                Set(
                    (0...(tokens.count - Self.runLength)).map { start in
                        tokens[start..<(start + Self.runLength)].reduce(0xcbf2_9ce4_8422_2325) { hash, token in
                            (hash ^ UInt64(UInt32(bitPattern: token))) &* 0x100_0000_01b3
                        }
                    })
            ).sorted()
        }
        var counts: [UInt64: Int] = [:]
        for run in all.joined() { counts[run, default: 0] += 1 }
        runs = all.map { $0.filter { counts[$0, default: 0] * 2 <= prompts.count } }
    }

    package func resemble(_ one: Int, _ other: Int) -> Bool {
        let (left, right) = (runs[one], runs[other])
        var (i, j, common) = (0, 0, 0)
        while i < left.count && j < right.count {
            if left[i] == right[j] {
                (i, j, common) = (i + 1, j + 1, common + 1)
            } else if left[i] < right[j] {
                i += 1
            } else {
                j += 1
            }
        }
        let whole = left.count + right.count - common
        return whole > 0 && Double(common) >= Self.resemblance * Double(whole)
    }

    /// The first `count` of `order` when each is followed by those that resemble it, and these by those that resemble them.
    package func taking(_ count: Int, of order: [Int]) -> [Int] {
        var result: [Int] = []
        var isTaken = [Bool](repeating: false, count: runs.count)
        for first in order where !isTaken[first] {
            isTaken[first] = true
            var group = [first]
            var next = 0
            while next < group.count {
                if result.count + group.count >= count { return Array((result + group).prefix(count)) }
                for other in order where !isTaken[other] && resemble(group[next], other) {
                    isTaken[other] = true
                    group.append(other)
                }
                next += 1
            }
            result += group
        }
        return Array(result.prefix(count))
    }
}
