/// What can stop an import or make prompts impossible. Every message says what was found and where.
public enum RecommendationError: Error, Hashable, Sendable {
    case missingFile(path: String, wanted: String)
    case unreadableFile(path: String, reason: String)
    /// The file's header lacks a column that is needed.
    case missingColumn(file: String, column: ColumnMeaning, header: String)
    /// Neither the rows nor a file beside them say what the items are called.
    case missingTitles(path: String, wanted: String)
    /// A column beside a person may hold the items' titles or the person's own words.
    case doubtfulTitle(file: String, column: String)
    /// Rows call one item by different titles, so what they hold is not the item's.
    case conflictingTitles(file: String, line: Int, item: String, column: String)
    /// No file has a column that was declared.
    case noSuchColumn(path: String, column: String, meaning: ColumnMeaning, seen: String)
    /// What was declared about columns and events cannot be meant.
    case invalidColumns(reason: String)
    /// A line of a list of users and interactions.
    case invalidTarget(reason: String)
    case invalidConfiguration(reason: String)
    /// A template, a noun, answer words or chat markers that cannot be prompts' words.
    case invalidTemplate(reason: String)
}

extension RecommendationError {
    /// `ReadingRules.itemsAreDeclared` without any.
    static let noTableOfItems = RecommendationError.invalidColumns(
        reason:
            "negatives are drawn from a table of items, and none is there: name a file beside the ratings that has every "
            + "item once, with its title (item_id,title), or leave --negatives out")
}

extension RecommendationError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .missingFile(let path, let wanted): "\(path): found no \(wanted)"
        case .unreadableFile(let path, let reason): "\(path): cannot be read: \(reason)"
        case .missingColumn(let file, let column, let header):
            "\(file): nothing says what is the \(column.name); there are: \(header); known for it are "
                + column.recognised.joined(separator: ", ") + "; or name it: --columns \(column.name)=NAME"
                + Self.withoutRatings(column)
        case .missingTitles(let path, let wanted): "\(path): nothing says what the items are called; wanted \(wanted)"
        case .doubtfulTitle(let file, let column):
            "\(file): the column \(column) stands beside a person, so it may be that person's and is not taken for the "
                + "items' title; if it is the title, rename it to item_title or declare it (--title-column \(column)), "
                + "else put the titles into a file of their own (item_id, title)"
        case .conflictingTitles(let file, let line, let item, let column):
            "\(file):\(line): item \(item) has another title or field here than before, so the column \(column) does not hold the "
                + "items' titles: nothing is taken; put the titles into a file of their own (item_id, title), or name the "
                + "right column (--title-column NAME)"
        case .noSuchColumn(let path, let column, let meaning, let seen):
            "\(path): nothing has the column \(column.prefix(80)) that is declared for the \(meaning.name); there are: "
                + "\(seen); known without being declared are " + meaning.recognised.joined(separator: ", ")
        case .invalidColumns(let reason): reason
        case .invalidTarget(let reason): reason
        case .invalidTemplate(let reason): "the words of prompts cannot be used: \(reason)"
        case .invalidConfiguration(let reason): "invalid prompt configuration: \(reason)"
        }
    }

    private static func withoutRatings(_ column: ColumnMeaning) -> String {
        guard column == .rating else { return "" }
        return "; where nobody rates: --rating 1 if every row is a like (with --negatives 2, that some are not), or "
            + "--columns event=NAME with --events view=0,cart=1,purchase=1"
    }
}
