/// What was said about the files beyond their names.
public struct ReadingRules: Hashable, Sendable {
    public var columns: DeclaredColumns
    public var ratings: RatingSource
    public var encoding: TextEncoding?
    /// Of times that are numbers; nil: by their magnitude.
    public var timeUnit: Timestamps.Form?
    /// What a template shows of items; columns of these names are read in tables of items without being declared.
    public var itemFields: [String]
    /// Items come from tables of items alone, which must be there: rows of ratings that name others are refused.
    public var itemsAreDeclared: Bool

    public init(
        columns: DeclaredColumns = DeclaredColumns(), ratings: RatingSource = .column, encoding: TextEncoding? = nil,
        timeUnit: Timestamps.Form? = nil, itemFields: [String] = [], itemsAreDeclared: Bool = false
    ) {
        self.itemsAreDeclared = itemsAreDeclared
        self.itemFields = itemFields
        self.timeUnit = timeUnit
        self.columns = columns
        self.ratings = ratings
        self.encoding = encoding
    }
}
