import Recommendation

/// Rows of a batch in the order of people. The rows of one person lie together, in the order sent, and whoever looks for
/// others goes past them without reading them.
struct StagedRowPiece {
    /// Neighbouring rows of one person.
    struct Run {
        var lookup: PersonLookup
        /// Bytes of its rows.
        fileprivate var place: Range<Int>
    }

    /// Rows of one piece, at most. A range of people reaches into pieces whose other rows are read in vain: smaller ones
    /// cost less then, and take more bytes.
    static let mostRows = 256

    private var reader: StagedBytesReader
    private let textsPlace: Range<Int>
    private var texts: StagedTexts?
    private var last: PersonLookup?

    /// - Parameter rows: ascending by person.
    static func bytes(_ rows: some Sequence<StagedRow>) -> [UInt8] {
        var texts = StagedTextNumbers()
        var runs = StagedBytesWriter()
        var run = StagedBytesWriter()
        var before: StagedRow?
        for row in rows {
            let new = row.interaction
            // A name that differs in its bytes alone has to come back as it was.
            if before?.lookup != row.lookup || before?.interaction.user.utf8.elementsEqual(new.user.utf8) != true {
                if before != nil { runs.put(block: run) }
                runs.put(lookup: row.lookup)
                run.removeAll()
                run.put(text: new.user)
                before = nil
            }
            run.put(count: texts.number(of: new.item))
            // The difference wraps, and so does the sum that takes it back.
            run.put(signed: new.timestamp &- (before?.interaction.timestamp ?? 0))
            run.put(signed: new.ordinal &- (before?.interaction.ordinal ?? 0))
            StagedRating.put(new.rating, into: &run)
            before = row
        }
        if before != nil { runs.put(block: run) }
        var all = StagedBytesWriter()
        var list = StagedBytesWriter()
        for text in texts.texts { list.put(text: text) }
        all.put(block: list)
        all.put(block: runs)
        return all.bytes
    }

    init(_ bytes: [UInt8]) throws(StagedFault) {
        reader = StagedBytesReader(bytes)
        textsPlace = try reader.block()
        let runs = try reader.block()
        try reader.requireEnd()
        reader.move(to: runs)
    }

    /// nil at the end.
    mutating func next() throws(StagedFault) -> Run? {
        guard reader.left > 0 else { return nil }
        let lookup = try reader.lookup()
        if let last, lookup < last { throw .badOrder }
        last = lookup
        return Run(lookup: lookup, place: try reader.block())
    }

    /// - Parameter run: that `next` gave.
    mutating func read(_ run: Run, into rows: inout [StagedRow]) throws(StagedFault) {
        var texts = try takeTexts()
        var reader = self.reader
        reader.move(to: run.place)
        let user = try reader.text()
        var (timestamp, ordinal): (Int64, Int64) = (0, 0)
        while reader.position < run.place.upperBound {
            let item = try texts.text(try reader.number())
            timestamp &+= try reader.signed()
            ordinal &+= try reader.signed()
            rows.append(
                StagedRow(
                    lookup: run.lookup,
                    interaction: Interaction(
                        user: user, item: item, timestamp: timestamp, rating: try StagedRating.read(from: &reader),
                        ordinal: ordinal)))
        }
        guard reader.position == run.place.upperBound else { throw .goesOn }
        self.texts = texts
    }

    /// They change while they are read: nobody else may hold them then, or all are copied.
    private mutating func takeTexts() throws(StagedFault) -> StagedTexts {
        guard let held = texts else { return try StagedTexts(reader, at: textsPlace) }
        texts = nil
        return held
    }
}
