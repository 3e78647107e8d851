import Recommendation

/// Whose prompts were handed out lately, by digest: so that what comes back for them is put where it belongs without looking
/// through everybody. A hint: who goes by it checks it.
struct PromptPlaces {
    /// Prompts that are remembered, at most: 64 MB or so.
    static let limit = 1 << 21

    private var people: [UInt64: Int64] = [:]

    subscript(digest: String) -> Int64? { digest.firstDigestBytes.flatMap { people[$0] } }

    mutating func note(_ digest: String, of person: Int64) {
        guard let name = digest.firstDigestBytes else { return }
        if people.count >= Self.limit { people = [:] }
        people[name] = person
    }
}
