/// Reads the rows of one table into a collector.
struct TableReader {
    let table: SourceFiles.Table
    let isRatings: Bool

    /// Most lines that one row with line breaks inside quotes may have.
    private static let longestRow = 20

    func read(into collector: inout RowCollector) throws {
        let lines = try table.lines ?? LineReader(table.file)
        if table.lines == nil {
            for _ in 0..<table.headerLines { _ = try lines.next() }
        }
        let titleColumn = table.columns.title.map(table.columns.name)
        while let line = try lines.next() {
            if line.isTooLong {
                collector.refuse(.longLine, file: lines.name, line: line.number, isRating: isRatings)
                continue
            }
            if line.bytes.isEmpty { continue }
            switch try fields(of: line, more: lines) {
            case .success(let fields):
                let row = table.columns.row(fields)
                if isRatings {
                    try collector.takeRating(row, titleColumn: titleColumn, file: lines.name, line: line.number)
                } else {
                    try collector.takeItem(row, file: lines.name, line: line.number)
                }
            case .failure(let refusal):
                collector.refuse(refusal, file: lines.name, line: line.number, isRating: isRatings)
            }
        }
        collector.note(SourceReport(table, use: isRatings ? .ratings : .items))
    }

    private func fields(of line: Line, more lines: LineReader) throws -> Result<[ArraySlice<UInt8>], Refusal> {
        switch table.separation {
        case .plain(let separator):
            return checked(DelimitedText.split(line.bytes, separator: separator))
        case .sparing(let separator):
            let plain = DelimitedText.split(line.bytes, separator: [separator])
            if table.columns.count.contains(plain.count) { return .success(plain.map(DelimitedText.unquotedSparingly)) }
            let closed = DelimitedText.quoted(line.bytes, separator: separator, backslash: false)
            if let closed, case .success = checked(closed) { return checked(closed) }
            if closed == nil, let fields = try continued(line, separator: separator, more: lines) {
                return .success(fields)
            }
            return checked(plain)
        case .quoted(let separator):
            let closed = closedFields(of: line.bytes, separator: separator)
            if let closed, case .success = checked(closed) { return checked(closed) }
            if closed == nil, let fields = try continued(line, separator: separator, more: lines) {
                return .success(fields)
            }
            return closed.map(checked) ?? .failure(Refusal(.quote))
        }
    }

    /// The fields of one line, read with or without backslash escapes, whichever gives the number of the header's.
    private func closedFields(of bytes: ArraySlice<UInt8>, separator: UInt8) -> [ArraySlice<UInt8>]? {
        let readings = [true, false].compactMap {
            DelimitedText.quoted(bytes, separator: separator, backslash: $0)
        }
        return readings.first { table.columns.count.contains($0.count) } ?? readings.first
    }

    /// A row that goes on in the next lines because of line breaks inside quotes. When it does not come out right, the
    /// lines are given back: one stray quote then costs one row.
    private func continued(_ line: Line, separator: UInt8, more lines: LineReader) throws -> [ArraySlice<UInt8>]? {
        var taken: [Line] = []
        var joined = Array(line.bytes)
        while taken.count < Self.longestRow, let next = try lines.next() {
            taken.append(next)
            if next.isTooLong || joined.count + next.bytes.count > LineReader.longestLine { break }
            joined.append(UInt8(ascii: "\n"))
            joined += next.bytes
            if let fields = closedFields(of: joined[...], separator: separator) {
                if table.columns.count.contains(fields.count) { return fields }
                break
            }
        }
        lines.giveBack(taken)
        return nil
    }

    private func checked(_ fields: [ArraySlice<UInt8>]) -> Result<[ArraySlice<UInt8>], Refusal> {
        let wanted = table.columns.count
        if wanted.contains(fields.count) { return .success(fields) }
        let limit = fields.count < wanted.lowerBound ? wanted.lowerBound : wanted.upperBound
        return .failure(Refusal(.fields, "\(fields.count) fields instead of \(limit)"))
    }
}
