/// What forget requests took away, as far as answers may rest on it.
public struct ForgottenInputs: Codable, Hashable, Sendable {
    /// The ledger's numbers of those of whom something was forgotten.
    public var people: Set<Int64>
    /// That left the catalogue.
    public var items: Set<String>
    /// Content names of those that must not answer any more.
    public var adapters: Set<String>
    /// A reference prompt is gone or another one.
    public var changesReferences: Bool
    /// Candidates that were chosen of a catalogue may be others, since it is known of fewer people who likes what; nil: no.
    public var changesLikes: Bool?

    public init(
        people: Set<Int64>, items: Set<String>, adapters: Set<String>, changesReferences: Bool,
        changesLikes: Bool? = nil
    ) {
        self.changesLikes = changesLikes
        self.people = people
        self.items = items
        self.adapters = adapters
        self.changesReferences = changesReferences
    }
}
