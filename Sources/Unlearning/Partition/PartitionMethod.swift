/// How training prompts are dealt to shards.
public enum PartitionMethod: String, Codable, CaseIterable, Hashable, Sendable {
    /// APA's balanced semantic partition (arXiv 2404.10327): by the prompt's embedding, shards of equal size. Depends on
    /// everybody's data, so it is a recorded input of the training.
    case semantic
    /// The same over users: by the mean embedding of a user's prompts, balanced by prompt count. A user is whole in one
    /// shard. Recorded too.
    case user
    /// Keyed hash of the user: depends on nobody else's data.
    case userHash = "user-hash"
    /// Keyed hash of the prompt's id: depends on nobody else's data.
    case hash

    /// Whether a partition needs embeddings and is a recorded input of the training.
    public var isDataDependent: Bool { self == .semantic || self == .user }
}

/// What a partition needs to know of a prompt.
public struct PartitionSample: Codable, Hashable, Sendable {
    /// `Prompt.id`.
    public var id: String
    public var user: String

    public init(id: String, user: String) {
        self.id = id
        self.user = user
    }
}
