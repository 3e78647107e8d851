/// How the items that are ranked were chosen of a larger catalogue: by what other people like. The numbers count candidates.
public struct Retrieval: Codable, Hashable, Sendable {
    public var candidates: Int
    /// Items of the catalogue, what the user has rated and what a filter leaves out among them.
    public var of: Int
    /// Liked by people who like what the user likes.
    public var likedTogether: Int
    /// Liked by most people.
    public var popular: Int
    /// Of whatever is left, too few people like any: the first in the order of ids.
    public var others: Int

    public init(candidates: Int, of: Int, likedTogether: Int, popular: Int, others: Int) {
        self.candidates = candidates
        self.of = of
        self.likedTogether = likedTogether
        self.popular = popular
        self.others = others
    }
}
