/// Reads ratings and item titles from public data formats, in batches.
///
/// Memory holds one batch, one chunk of the file and the ids of the items; the number of ratings does not matter.
/// Text is UTF-8, or ISO 8859-1 (Latin-1) where it is not valid UTF-8. Lines may end in LF or CR LF.
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

    /// - Parameter path: a folder, a file of ratings, or the common beginning of the files' names.
    public init(format: Format, path: String) {
        self.format = format
        self.path = path
    }

    /// Hands out all items and interactions, in the order of the files.
    ///
    /// - Parameter size: most items and interactions together in a batch.
    /// - Throws: `RecommendationError` when a file is missing, unreadable or lacks a column; whatever `body` throws.
    @discardableResult
    public func forEachBatch(size: Int = 4096, _ body: (ReaderBatch) throws -> Void) throws -> ImportReport {
        try withoutActuallyEscaping(body) { body in
            var collector = RowCollector(size: size, body: body)
            switch format {
            case .recbole: try Self.read(SourceFiles.recbole(path), into: &collector)
            case .movielens: try Self.read(SourceFiles.movielens(path), into: &collector)
            case .csv: try Self.read(SourceFiles.csv(path), into: &collector)
            case .jsonl: try JSONLinesReader(path: path).read(into: &collector)
            }
            try collector.flush()
            return collector.report
        }
    }

    private static func read(_ files: SourceFiles, into collector: inout RowCollector) throws {
        for table in files.items { try TableReader(table: table, isRatings: false).read(into: &collector) }
        for table in files.ratings { try TableReader(table: table, isRatings: true).read(into: &collector) }
    }
}
