/// People whose look-ups lie next to each other, from one up to another that is not among them.
struct StagedPeople: Equatable, Sendable {
    var start: PersonLookup
    /// nil: everybody who follows.
    var end: PersonLookup?

    /// So many that they have about the rows that may be held at once. Look-ups are hashes, so people are dealt out evenly
    /// over them; where they are not, or somebody has many rows, `GatheredRows` takes fewer.
    ///
    /// - Parameters:
    ///   - last: the last person's look-up.
    ///   - rows: that those from the start to the last have.
    init(from start: PersonLookup, to last: PersonLookup, rows: Int, atOnce: Int) {
        self.start = start
        guard atOnce > 0, rows > atOnce, last.high > start.high else { return }
        // Somewhat fewer: rows that turn out to be too many are read in vain.
        let aim = UInt64(max(1, atOnce - atOnce / 4))
        // No more than the whole width, as the aim is below the rows.
        let width = UInt64(rows).dividingFullWidth((last.high - start.high).multipliedFullWidth(by: aim)).quotient
        let (high, isBeyond) = start.high.addingReportingOverflow(max(1, width))
        if !isBeyond { end = PersonLookup(high: high, low: 0) }
    }

    func isBeyond(_ person: PersonLookup) -> Bool { end.map { $0 <= person } ?? false }

    func contains(_ person: PersonLookup) -> Bool { start <= person && !isBeyond(person) }

    func mayMeet(_ people: ClosedRange<PersonLookup>?) -> Bool {
        guard let people else { return false }
        return start <= people.upperBound && !isBeyond(people.lowerBound)
    }
}
