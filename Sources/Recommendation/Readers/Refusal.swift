/// Why nothing is taken of a row.
struct Refusal: Error {
    /// Reasons without what stands in the row, so that they can be counted and shown.
    enum Kind: String {
        case noUser = "no user"
        case noItem = "no item"
        case noRating = "no rating"
        case noTime = "no time"
        case noEvent = "no event"
        case rating = "the rating is no number"
        case time = "the time is neither a number nor an ISO 8601 date"
        case event = "the event has no weight"
        case untitled = "the item has no title"
        case undeclared = "the item is not in the table of items"
        case repeatedItem = "the item was named before"
        case longTitle = "the title is too long"
        case identifier = "an id cannot be one"
        case fields = "another number of fields than it should have"
        case quote = "a quote is not closed"
        case longLine = "the line is too long"
        case object = "not a JSON object"
    }

    var kind: Kind
    /// For people; may show the beginning of a value.
    var text: String

    init(_ kind: Kind, _ text: String? = nil) {
        self.kind = kind
        self.text = text ?? kind.rawValue
    }

    static let longLine = Refusal(.longLine, "longer than \(LineReader.longestLine) bytes")
}

/// How many rows were refused for one reason.
public struct RefusalCount: Codable, Hashable, Sendable {
    /// Where a refused row stands and whom it names, without its other values.
    public struct Example: Codable, Hashable, Sendable {
        public var file: String
        public var line: Int
        public var user: String?
        public var item: String?
    }

    public var reason: String
    public var rows = 0
    /// The first ones.
    public var examples: [Example] = []

    public static let exampleLimit = 3

    init(reason: String) {
        self.reason = reason
    }
}
