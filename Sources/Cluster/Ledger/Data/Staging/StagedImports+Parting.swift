import Crypto

extension StagedImports {
    /// A batch without these people's rows, and their rows in the order in which they came; nil: it has none of them.
    func parted(
        from people: Set<PersonLookup>, importID: String, batch sequence: Int, key: SymmetricKey
    ) throws -> (rest: StagedBatch, rows: [StagedRow])? {
        let place = place(importID, sequence)
        let file = try StagedFile(place, key: self.key(of: sequence, key))
        let index = try file.index()
        let sorted = people.sorted()
        var isThere = false
        for (number, piece) in index[.rows].enumerated() where !isThere && piece.mayHold(anyOf: sorted) {
            let bytes = try file.piece(.rows, number, of: index)
            try place.locating { () throws(StagedFault) in
                var runs = try StagedRowPiece(bytes)
                while !isThere, let run = try runs.next() { isThere = people.contains(run.lookup) }
            }
        }
        guard isThere else { return nil }
        var (kept, parted): ([StagedRow], [StagedRow]) = ([], [])
        for number in index[.rows].indices {
            let bytes = try file.piece(.rows, number, of: index)
            try place.locating { () throws(StagedFault) in
                var runs = try StagedRowPiece(bytes)
                while let run = try runs.next() {
                    if people.contains(run.lookup) {
                        try runs.read(run, into: &parted)
                    } else {
                        try runs.read(run, into: &kept)
                    }
                }
            }
        }
        var rest = StagedBatch(rows: kept, items: [], refusedItems: [])
        try forEachItem(importID: importID, batches: [sequence], key: key) { rest.items.append($0) }
        rest.refusedItems = try refusedItems(importID: importID, batches: [sequence], key: key).sorted()
        return (rest, parted)
    }
}

extension StagedIndex.Piece {
    /// - `people`: ascending.
    fileprivate func mayHold(anyOf sorted: [PersonLookup]) -> Bool {
        guard let people else { return false }
        var (low, high) = (0, sorted.count)
        while low < high {
            let middle = (low + high) / 2
            if sorted[middle] < people.lowerBound { low = middle + 1 } else { high = middle }
        }
        return low < sorted.count && sorted[low] <= people.upperBound
    }
}
