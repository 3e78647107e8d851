import Crypto

extension StagedImports {
    private typealias Batch = (place: StagedPlace, index: StagedIndex)

    /// Person by person, ascending by look-up; a person's rows in the order of batch number and position.
    ///
    /// People are taken a range of look-ups at once; a piece that reaches into two ranges is read twice. One file is open
    /// at once.
    ///
    /// - `rowsAtOnce`: bounds the memory: so many rows are held, however large the import is, and those of one person who
    ///   has more.
    func forEachPerson(
        importID: String, batches: some Sequence<Int>, key: SymmetricKey, rowsAtOnce: Int = 200_000,
        _ body: (PersonLookup, [StagedRow]) throws -> Void
    ) throws {
        let batches = try batches.map { sequence -> Batch in
            let place = place(importID, sequence)
            return (place, try StagedFile(place, key: key).index())
        }
        let pieces = batches.flatMap { $0.index[.rows] }.lazy
        var left = pieces.reduce(0) { $0 + $1.count }
        guard let last = (pieces.compactMap { $0.people?.upperBound }).max() else { return }
        var from = PersonLookup(high: 0, low: 0)
        // Goes on with the first person who may be there: people may lie close together.
        let limit = max(1, rowsAtOnce)
        while let first = (pieces.compactMap { $0.people?.first(from: from) }).min() {
            var gathered = GatheredRows(
                StagedPeople(from: first, to: last, rows: left, atOnce: limit), limit: limit)
            for batch in batches { try gather(batch, key, into: &gathered) }
            let (people, count) = (gathered.people, gathered.count)
            try gathered.forEachPerson(body)
            left = max(0, left - count)
            guard let end = people.end else { return }
            from = end
        }
    }

    private func gather(_ batch: Batch, _ key: SymmetricKey, into gathered: inout GatheredRows) throws {
        let pieces = batch.index[.rows]
        guard pieces.contains(where: { gathered.people.mayMeet($0.people) }) else { return }
        let file = try StagedFile(batch.place, key: key)
        // The range may shrink from one piece to the next.
        for (number, piece) in pieces.enumerated() where gathered.people.mayMeet(piece.people) {
            let bytes = try file.piece(.rows, number, of: batch.index)
            try batch.place.locating { () throws(StagedFault) in
                var runs = try StagedRowPiece(bytes)
                try gathered.take(&runs)
            }
        }
    }
}

extension ClosedRange<PersonLookup> {
    /// The first that may be a person's, from this one on; nil where the range ends before.
    fileprivate func first(from: PersonLookup) -> PersonLookup? {
        upperBound < from ? nil : Swift.max(lowerBound, from)
    }
}
