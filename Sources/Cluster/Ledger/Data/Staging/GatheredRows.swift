/// The rows of a range of people, gathered from the batches in their order.
///
/// Where they become too many, the range gets shorter: never in the middle of a person, and never so short that nobody is
/// left.
struct GatheredRows {
    private struct Run {
        var lookup: PersonLookup
        var rows: Range<Int>
    }

    /// Whose rows are taken.
    private(set) var people: StagedPeople
    private let limit: Int
    /// With more rows than these the range gets shorter.
    private var bound: Int
    private var rows: [StagedRow] = []
    private var runs: [Run] = []
    /// Runs that were handed out; nil: none yet.
    private var handedOut: Int?

    init(_ people: StagedPeople, limit: Int) {
        self.people = people
        self.limit = limit
        bound = limit
    }

    /// Rows that are held.
    var count: Int { rows.count }

    /// Takes what a piece has of the people.
    mutating func take(_ piece: inout StagedRowPiece) throws(StagedFault) {
        while let run = try piece.next(), !people.isBeyond(run.lookup) {
            guard people.contains(run.lookup) else { continue }
            let start = rows.count
            try piece.read(run, into: &rows)
            runs.append(Run(lookup: run.lookup, rows: start..<rows.count))
            if rows.count > bound { shorten() }
        }
    }

    /// The next person, with the rows in the order in which they came; nil: that was the last. Nothing is taken any more.
    mutating func next() -> (person: PersonLookup, rows: [StagedRow])? {
        if handedOut == nil { sortRuns() }
        let next = handedOut ?? 0
        handedOut = next
        guard next < runs.count else { return nil }
        let person = runs[next].lookup
        let end = runs[next...].firstIndex { $0.lookup != person } ?? runs.count
        handedOut = end
        return (person, runs[next..<end].flatMap { rows[$0.rows] })
    }

    /// Keeps the first people who have half of the rows that may be held, or the first one, and ends the range after them.
    private mutating func shorten() {
        sortRuns()
        var kept = 0
        var firstDropped = runs.count
        for (index, run) in runs.enumerated() {
            if index > 0, kept + run.rows.count > limit / 2, run.lookup != runs[0].lookup {
                let isFirst = runs[index - 1].lookup != run.lookup
                firstDropped = isFirst ? index : runs.firstIndex { $0.lookup == run.lookup } ?? index
                break
            }
            kept += run.rows.count
        }
        if firstDropped < runs.count { people.end = runs[firstDropped].lookup }
        var shorter: [StagedRow] = []
        for index in 0..<firstDropped {
            let start = shorter.count
            shorter.append(contentsOf: rows[runs[index].rows])
            runs[index].rows = start..<shorter.count
        }
        runs.removeSubrange(firstDropped...)
        rows = shorter
        // Somebody who has more rows than may be held at once is not looked at again with every row.
        bound = max(limit, rows.count + limit / 2)
    }

    /// By person; those of one stay in the order in which they came.
    private mutating func sortRuns() {
        runs.sort { left, right in
            left.lookup == right.lookup ? left.rows.lowerBound < right.rows.lowerBound : left.lookup < right.lookup
        }
    }
}
