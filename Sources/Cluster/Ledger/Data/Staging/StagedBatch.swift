import Recommendation

/// One row of an import that is not finished.
struct StagedRow: Equatable, Sendable {
    var lookup: PersonLookup
    var interaction: Interaction
}

/// An item of the catalogue that an import brings.
struct StagedItem: Equatable, Sendable {
    var token: String
    var title: String
}

/// What a client sent at once, without what is refused.
struct StagedBatch: Equatable, Sendable {
    /// In the order sent; their index is their position.
    var rows: [StagedRow]
    /// In the order sent.
    var items: [StagedItem]
    /// Hashed names of items that only refused rows may name.
    var refusedItems: [String]
}
