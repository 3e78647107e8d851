/// What was said about the files beyond their names.
public struct ReadingRules: Hashable, Sendable {
    public var columns: DeclaredColumns
    public var ratings: RatingSource
    public var encoding: TextEncoding?
    /// Of times that are numbers; nil: by their magnitude.
    public var timeUnit: Timestamps.Form?

    public init(
        columns: DeclaredColumns = DeclaredColumns(), ratings: RatingSource = .column, encoding: TextEncoding? = nil,
        timeUnit: Timestamps.Form? = nil
    ) {
        self.timeUnit = timeUnit
        self.columns = columns
        self.ratings = ratings
        self.encoding = encoding
    }
}
