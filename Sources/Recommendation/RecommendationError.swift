/// What can stop an import or make prompts impossible. Every message says what was found and where.
public enum RecommendationError: Error, Hashable, Sendable {
    case missingFile(path: String, wanted: String)
    case unreadableFile(path: String, reason: String)
    /// The file's header lacks a column that is needed.
    case missingColumn(file: String, column: String, header: String)
    /// Neither the rows nor a file beside them say what the items are called.
    case missingTitles(path: String, wanted: String)
    /// A column beside a person may hold the items' titles or the person's own words.
    case doubtfulTitle(file: String, column: String)
    /// Rows call one item by different titles, so what they hold is not the item's.
    case conflictingTitles(file: String, line: Int, item: String, column: String)
    /// No file has the column that was declared to be the title.
    case noSuchTitleColumn(path: String, column: String)
    /// A line of a list of users and interactions.
    case invalidTarget(reason: String)
    case invalidConfiguration(reason: String)
}

extension RecommendationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .missingFile(let path, let wanted): "\(path): found no \(wanted)"
        case .unreadableFile(let path, let reason): "\(path): cannot be read: \(reason)"
        case .missingColumn(let file, let column, let header):
            "\(file): no column for \(column) in its first line: \(header)"
        case .missingTitles(let path, let wanted): "\(path): nothing says what the items are called; wanted \(wanted)"
        case .doubtfulTitle(let file, let column):
            "\(file): the column \(column) stands beside a person, so it may be that person's and is not taken for the "
                + "items' title; if it is the title, rename it to item_title or declare it (--title-column \(column)), "
                + "else put the titles into a file of their own (item_id, title)"
        case .conflictingTitles(let file, let line, let item, let column):
            "\(file):\(line): item \(item) has another title here than before, so the column \(column) does not hold the "
                + "items' titles: nothing is taken; put the titles into a file of their own (item_id, title), or name the "
                + "right column (--title-column NAME)"
        case .noSuchTitleColumn(let path, let column): "\(path): nothing has a column \(column.prefix(80))"
        case .invalidTarget(let reason): reason
        case .invalidConfiguration(let reason): "invalid prompt configuration: \(reason)"
        }
    }
}
