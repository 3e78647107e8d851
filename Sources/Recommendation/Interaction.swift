/// One user's rating of one item.
///
/// Identifiers are the tokens of the user's own files, kept as text. The pair of user, item and timestamp names an
/// interaction; a repetition with the same triple is the same interaction.
public struct Interaction: Codable, Hashable, Sendable {
    public var user: String
    public var item: String
    /// Seconds since 1970, or 0 where the data has no time; ties are broken by the order of the file (`ordinal`).
    public var timestamp: Int64
    public var rating: Double
    /// Position in the file it came from; orders interactions that share a timestamp.
    public var ordinal: Int64

    public init(user: String, item: String, timestamp: Int64, rating: Double, ordinal: Int64) {
        self.user = user
        self.item = item
        self.timestamp = timestamp
        self.rating = rating
        self.ordinal = ordinal
    }

    public var key: InteractionKey { InteractionKey(user: user, item: item, timestamp: timestamp) }
}

/// What names an interaction.
public struct InteractionKey: Codable, Hashable, Sendable {
    public var user: String
    public var item: String
    public var timestamp: Int64

    public init(user: String, item: String, timestamp: Int64) {
        self.user = user
        self.item = item
        self.timestamp = timestamp
    }
}

/// An item as prompts name it.
public struct Item: Codable, Hashable, Sendable {
    public var id: String
    /// As shown in prompts: `Toy Story (1995)`.
    public var title: String
    /// What prompts may show beside the title (`ItemFields`); nil: nothing is said of it.
    public var fields: [String: String]?

    public init(id: String, title: String, fields: [String: String]? = nil) {
        self.id = id
        self.title = title
        self.fields = fields
    }
}
