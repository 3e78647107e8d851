/// Reads ratings and item titles from public data formats, in batches.
///
/// Memory holds one batch, one chunk of the file and the ids and titles of the items; the number of ratings does not matter,
/// except that of events those with more than the smallest weight are remembered.
/// Files may be packed (gz, zst). Text is UTF-8, or Windows-1252 (which ISO 8859-1 is part of) where it is not valid UTF-8, or
/// UTF-16 with a byte order mark, or what was declared. Lines end in LF or CR LF, or in CR alone. A file may be a pipe, and
/// `-` is standard input. Users and items are named by the rule of `Identifier`.
///
/// An item's title comes from a table of items, or from a column of ratings that is called after the item (`item_title`,
/// `movie_title`, …; `ColumnNames.itemsOwnTitle`) or declared to hold it, and then only if it is the same in all rows: what
/// else stands in somebody's row is that person's.
public struct RatingsReader: Sendable {
    public enum Format: String, Codable, CaseIterable, Sendable {
        /// RecBole's atomic files: `NAME.inter` (or its parts) and `NAME.item`, tab-separated, with a typed header.
        case recbole
        /// `u.data` and `u.item`, or `ratings.dat` and `movies.dat`.
        case movielens
        /// Comma, semicolon, tab, bar or `::` between fields, quotes where needed, names in the first line.
        case csv
        /// One JSON object a line, or an array of objects.
        case jsonl
    }

    public let format: Format
    public let paths: [String]
    public let rules: ReadingRules

    /// - `paths`: folders, files, or the common beginnings of the files' names.
    public init(format: Format, paths: [String], rules: ReadingRules = ReadingRules()) {
        self.format = format
        self.paths = paths
        self.rules = rules
    }

    public init(format: Format, path: String) {
        self.init(format: format, paths: [path])
    }

    /// Hands out all items and interactions, in the order of the files.
    ///
    /// - `size`: most items and interactions together in a batch.
    /// - Throws: `RecommendationError` when a file is missing, unreadable or lacks a column, or when titles are doubtful; whatever `body` throws.
    @discardableResult
    public func forEachBatch(size: Int = 4096, _ body: (ReaderBatch) throws -> Void) throws -> ImportReport {
        try withoutActuallyEscaping(body) { body in
            if format == .movielens, let field = rules.columns.fields.first?.name ?? rules.itemFields.first {
                throw RecommendationError.invalidColumns(
                    reason: "files of the format movielens say nothing of items but their titles, so there is no field "
                        + "\(field); use recbole, csv or jsonl")
            }
            let inputs = InputPaths(paths: paths, rules: rules)
            try inputs.refuseRepeatedStandardInput()
            var collector = RowCollector(size: size, rules: rules, body: body)
            do {
                try read(inputs, into: &collector)
            } catch RecommendationError.missingTitles where rules.itemsAreDeclared {
                throw RecommendationError.noTableOfItems
            }
            try collector.flush()
            var report = collector.report
            report.files += try inputs.others(than: report.files)
            return report
        }
    }

    private func read(_ inputs: InputPaths, into collector: inout RowCollector) throws {
        switch format {
        case .recbole: try Self.read(SourceFiles.recbole(inputs), into: &collector)
        case .movielens: try Self.read(SourceFiles.movielens(inputs), into: &collector)
        case .csv: try Self.read(SourceFiles.csv(inputs), into: &collector)
        case .jsonl: try JSONLinesReader(inputs).read(into: &collector)
        }
    }

    private static func read(_ files: SourceFiles, into collector: inout RowCollector) throws {
        for table in files.items { try TableReader(table: table, isRatings: false).read(into: &collector) }
        for table in files.ratings { try TableReader(table: table, isRatings: true).read(into: &collector) }
        for file in files.unused { collector.note(file) }
    }
}
