/// Reads ratings and item titles from public data formats, in batches.
///
/// Memory holds one batch, one chunk of the file and the ids and titles of the items; the number of ratings does not matter.
/// Text is UTF-8, or ISO 8859-1 (Latin-1) where it is not valid UTF-8, or UTF-16 with a byte order mark. Lines end in LF or
/// CR LF, or in CR alone. A single file may be a pipe. Users and items are named by the rule of `Identifier`.
///
/// An item's title comes from a table of items, or from a column of ratings that is called after the item (`item_title`,
/// `movie_title`, …; `ColumnNames.itemsOwnTitle`) or declared to hold it, and then only if it is the same in all rows: what
/// else stands in somebody's row is that person's.
public struct RatingsReader: Sendable {
    public enum Format: String, Codable, CaseIterable, Sendable {
        /// RecBole's atomic files: `NAME.inter` and `NAME.item`, tab-separated, with a typed header.
        case recbole
        /// `u.data` and `u.item`, or `ratings.dat` and `movies.dat`.
        case movielens
        /// Comma, semicolon or tab between fields, quotes where needed, names in the first line.
        case csv
        /// One JSON object a line.
        case jsonl
    }

    public let format: Format
    public let path: String
    /// The column or key that was declared to hold the items' titles.
    public let titleColumn: String?

    /// - `path`: a folder, a file of ratings, or the common beginning of the files' names.
    /// - `titleColumn`: the column or key that holds the items' titles, where its name does not say so.
    public init(format: Format, path: String, titleColumn: String? = nil) {
        self.format = format
        self.path = path
        self.titleColumn = titleColumn
    }

    /// Hands out all items and interactions, in the order of the files.
    ///
    /// - `size`: most items and interactions together in a batch.
    /// - Throws: `RecommendationError` when a file is missing, unreadable or lacks a column, or when titles are doubtful; whatever `body` throws.
    @discardableResult
    public func forEachBatch(size: Int = 4096, _ body: (ReaderBatch) throws -> Void) throws -> ImportReport {
        try withoutActuallyEscaping(body) { body in
            var collector = RowCollector(size: size, body: body)
            switch format {
            case .recbole: try Self.read(SourceFiles.recbole(path, titleColumn: titleColumn), into: &collector)
            case .movielens: try Self.read(SourceFiles.movielens(path), into: &collector)
            case .csv: try Self.read(SourceFiles.csv(path, titleColumn: titleColumn), into: &collector)
            case .jsonl: try JSONLinesReader(path: path, titleColumn: titleColumn).read(into: &collector)
            }
            try collector.flush()
            var report = collector.report
            if SourceFiles.isFolder(path) { report.files += try SourceFiles.others(in: path, than: report.files) }
            return report
        }
    }

    private static func read(_ files: SourceFiles, into collector: inout RowCollector) throws {
        for table in files.items { try TableReader(table: table, isRatings: false).read(into: &collector) }
        for table in files.ratings { try TableReader(table: table, isRatings: true).read(into: &collector) }
        for file in files.unused { collector.note(file) }
    }
}
