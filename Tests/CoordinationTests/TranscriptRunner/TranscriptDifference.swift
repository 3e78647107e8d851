/// Two texts, line by line, with a little of what is around every difference.
struct TranscriptDifference: CustomStringConvertible {
    private static let context = 2

    let expected: [String]
    let got: [String]

    init(expected: String, got: String) {
        self.expected = expected.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        self.got = got.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    var description: String {
        let lines = marked
        var shown: [String] = []
        var last = -1
        for (position, line) in lines.enumerated() {
            let around = lines[max(0, position - Self.context)...min(lines.count - 1, position + Self.context)]
            guard around.contains(where: { $0.mark != " " }) else { continue }
            if position != last + 1 || shown.isEmpty {
                let first = lines[position...].first { $0.mark != " " }
                shown.append("line \(first?.number ?? line.number)")
            }
            shown.append("\(line.mark) \(line.text)")
            last = position
        }
        return shown.joined(separator: "\n")
    }

    /// All lines of both texts in order; the number is that of the expected text.
    private var marked: [(mark: String, text: String, number: Int)] {
        let changes = got.difference(from: expected)
        let removed = Set(changes.removals.map(\.offset))
        let inserted = Set(changes.insertions.map(\.offset))
        var lines: [(mark: String, text: String, number: Int)] = []
        var (old, new) = (0, 0)
        while old < expected.count || new < got.count {
            if old < expected.count, removed.contains(old) {
                lines.append(("-", expected[old], old + 1))
                old += 1
            } else if new < got.count, inserted.contains(new) {
                lines.append(("+", got[new], old + 1))
                new += 1
            } else {
                lines.append((" ", expected[old], old + 1))
                (old, new) = (old + 1, new + 1)
            }
        }
        return lines
    }
}

extension CollectionDifference.Change {
    fileprivate var offset: Int {
        switch self {
        case .insert(let offset, _, _), .remove(let offset, _, _): offset
        }
    }
}
