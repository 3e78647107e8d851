import Crypto

/// Goes through what is staged person by person, ascending by look-up, in steps each of which takes a moment; a person's rows
/// come in the order of batch number and position.
///
/// People are taken a range of look-ups at once; a piece that reaches into two ranges is read twice. One file is open at once.
struct StagedPeopleReader {
    enum Step {
        case person(PersonLookup, [StagedRow])
        /// Something was read, and nobody's rows are together yet.
        case reading
        case end
    }

    private struct Batch {
        var sequence: Int
        var key: SymmetricKey
        var place: StagedPlace
        var index: StagedIndex
    }

    private var imports: StagedImports
    private let importID: String
    private let key: SymmetricKey
    /// Bounds the memory: so many rows are held, however large the import is, and those of one person who has more.
    private let rowsAtOnce: Int
    private var unread: ArraySlice<Int>
    private var batches: [Batch] = []
    private var gathered: GatheredRows?
    /// The batch that is gathered from next; all of them: people are handed out.
    private var next = 0
    private var from: PersonLookup?
    /// Rows of those who are left, about; nil: to be counted.
    private var left: Int?
    private var isAtEnd = false
    /// Who is passed over.
    private var gone: Set<PersonLookup> = []

    /// - Parameter last: whoever was handed out before, up to this one, is passed over.
    init(
        _ imports: StagedImports, importID: String, batches: some Sequence<Int>, key: SymmetricKey,
        after last: PersonLookup? = nil, rowsAtOnce: Int = 200_000
    ) {
        self.imports = imports
        self.importID = importID
        self.key = key
        self.rowsAtOnce = max(1, rowsAtOnce)
        unread = ArraySlice(Array(batches))
        from = last.map { $0.next } ?? PersonLookup(high: 0, low: 0)
    }

    mutating func step() throws -> Step {
        if isAtEnd { return .end }
        if let sequence = unread.popFirst() {
            let place = imports.place(importID, sequence)
            let key = imports.key(of: sequence, key)
            let index = try StagedFile(place, key: key).index()
            batches.append(Batch(sequence: sequence, key: key, place: place, index: index))
            return .reading
        }
        if gathered == nil, !startGathering() {
            isAtEnd = true
            return .end
        }
        if next < batches.count {
            // The range may shrink from one piece to the next.
            let batch = batches[next]
            try gathered?.take(from: batch.place, batch.index, batch.key)
            next += 1
            return .reading
        }
        if let (person, rows) = gathered?.next() { return gone.contains(person) ? .reading : .person(person, rows) }
        from = gathered?.people.end
        left = max(0, (left ?? 0) - (gathered?.count ?? 0))
        gathered = nil
        return .reading
    }

    /// These people are handed out no more: batches were written anew without them. The reader stays where it is, since people
    /// may be forgotten faster than it would come there again.
    mutating func passOver(_ people: Set<PersonLookup>, rewritten: [Int: StagedImports.OwnBatch]) throws {
        gone.formUnion(people)
        for (sequence, batch) in rewritten { imports.own[sequence] = batch }
        for position in batches.indices {
            let sequence = batches[position].sequence
            guard rewritten[sequence] != nil else { continue }
            let (place, key) = (imports.place(importID, sequence), imports.key(of: sequence, key))
            let index = try StagedFile(place, key: key).index()
            batches[position] = Batch(sequence: sequence, key: key, place: place, index: index)
        }
    }

    /// The next range; false: nobody is left.
    private mutating func startGathering() -> Bool {
        let pieces = batches.flatMap { $0.index[.rows] }.lazy
        guard let from, let last = (pieces.compactMap { $0.people?.upperBound }).max(),
            // Goes on with the first person who may be there: people may lie close together.
            let first = (pieces.compactMap { $0.people?.first(from: from) }).min()
        else { return false }
        let rows =
            left ?? pieces.filter { ($0.people?.upperBound).map { $0 >= from } ?? false }.reduce(0) { $0 + $1.count }
        left = rows
        gathered = GatheredRows(
            StagedPeople(from: first, to: last, rows: rows, atOnce: rowsAtOnce), limit: rowsAtOnce)
        next = 0
        return true
    }
}

extension GatheredRows {
    /// What a batch has of the people.
    fileprivate mutating func take(from place: StagedPlace, _ index: StagedIndex, _ key: SymmetricKey) throws {
        let pieces = index[.rows]
        guard pieces.contains(where: { people.mayMeet($0.people) }) else { return }
        let file = try StagedFile(place, key: key)
        for (number, piece) in pieces.enumerated() where people.mayMeet(piece.people) {
            let bytes = try file.piece(.rows, number, of: index)
            try place.locating { () throws(StagedFault) in
                var runs = try StagedRowPiece(bytes)
                try take(&runs)
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
