/// What a column or key may mean.
public enum ColumnMeaning: String, Codable, CaseIterable, Hashable, Sendable {
    case user, item, rating, timestamp, title, year, author, event

    /// As on the command line; `time` is `timestamp` too.
    public init?(name: String) {
        if let meaning = Self(rawValue: name) {
            self = meaning
        } else if name == "time" {
            self = .timestamp
        } else {
            return nil
        }
    }

    /// As on the command line.
    public var name: String { self == .timestamp ? "time" : rawValue }

    /// Names that mean it without being declared; capitals, blanks, points and underscores do not count.
    public var recognised: [String] {
        switch self {
        case .user: ColumnNames.user
        case .item: ColumnNames.item
        case .rating: ColumnNames.rating
        case .timestamp: ColumnNames.timestamp
        case .title: ColumnNames.itemsOwnTitle + ColumnNames.title
        case .year: ColumnNames.itemsOwnYear + ColumnNames.year
        case .author: ColumnNames.itemsOwnAuthor + ColumnNames.author
        case .event: ColumnNames.event
        }
    }

    /// For people: every meaning with the names it is known by.
    public static var allRecognised: String {
        allCases.map { "\($0.name): \($0.recognised.joined(separator: ", "))" }.joined(separator: "\n")
    }
}
