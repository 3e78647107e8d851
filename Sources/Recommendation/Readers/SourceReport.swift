/// What an import took of one file.
public struct SourceReport: Codable, Hashable, Sendable {
    public enum Use: String, Codable, Sendable {
        case ratings, items, unused
        /// JSON lines of both kinds.
        case both = "ratings and items"
    }

    public struct Column: Codable, Hashable, Sendable {
        /// user, item, rating, event, timestamp, title, year or author; field:NAME.
        public var meaning: String
        /// As in the header, or "field 3" where there is none.
        public var name: String
    }

    /// Name of the file, without its folder.
    public var file: String
    public var use: Use
    public var columns: [Column]
    /// Columns of which nothing was taken.
    public var unusedColumns: [String]
    /// Why nothing was taken of the file.
    public var reason: String?
    /// How the rows that were taken are written.
    public var forms = ValueForms()

    init(file: String, use: Use, columns: [Column] = [], unusedColumns: [String] = [], reason: String? = nil) {
        self.file = file
        self.use = use
        self.columns = columns
        self.unusedColumns = unusedColumns.prefix(Self.namesLimit).map { String($0.prefix(80)) }
        self.reason = reason
    }

    init(_ table: SourceFiles.Table, use: Use, reason: String? = nil) {
        self.init(
            file: table.file.name, use: use,
            columns: use == .unused ? [] : table.columns.used,
            unusedColumns: use == .unused ? table.columns.names : table.columns.unused, reason: reason)
    }

    /// Files, and columns of a file, that are named.
    static let namesLimit = 100

    /// One line for people.
    public var text: String {
        let unused = unusedColumns.joined(separator: ", ")
        if use == .unused {
            return "\(file): not used" + (reason.map { ", \($0)" } ?? "")
        }
        let taken = columns.map { $0.meaning == $0.name ? $0.name : "\($0.meaning) from \($0.name)" }
        return "\(file): \(use.rawValue); " + taken.joined(separator: ", ")
            + (unusedColumns.isEmpty ? "" : "; not used: \(unused)") + forms.text.map { "; " + $0 }.joined()
    }
}
