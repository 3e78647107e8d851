/// The targets of the TALLRec benchmark and their splits (arXiv 2305.00447; its public preprocessing).
///
/// Users in the order in which the ratings file first names them, each user's interactions by time, one sample per
/// interaction that has `historyLength` before it, the last 10,000 samples of that list, cut 80/10/10 by position.
/// The positions depend on everybody's data, so they are fixed once, when data is imported.
public enum TallrecSplit {
    /// Samples taken from the end of the list.
    public static let samples = 10_000

    public struct Target: Codable, Hashable, Sendable {
        public var key: InteractionKey
        public var split: Split

        public init(key: InteractionKey, split: Split) {
            self.key = key
            self.split = split
        }
    }

    /// The targets in the benchmark's order.
    ///
    /// - `usersInFileOrder`: every user, in the order of the first interaction (lowest `ordinal`).
    /// - `interactions`: one user's interactions, in any order. Called for the last users only, each once, so that data
    ///   of any size needs the memory of 10,000 samples.
    public static func assign(
        usersInFileOrder: [String], configuration: PromptConfiguration,
        interactions: (String) throws -> [Interaction]
    ) rethrows -> [Target] {
        // From the end, newest first, until there are enough.
        var keys: [InteractionKey] = []
        for user in usersInFileOrder.reversed() where keys.count < samples {
            let sequence = try interactions(user).sequence(of: user)
            keys += sequence.dropFirst(configuration.historyLength).reversed().map(\.key)
        }
        keys = keys.prefix(samples).reversed()
        let (trainEnd, validationEnd) = (keys.count * 8 / 10, keys.count * 9 / 10)
        return keys.enumerated().map { position, key in
            let split: Split = position < trainEnd ? .train : position < validationEnd ? .validation : .test
            return Target(key: key, split: split)
        }
    }
}
