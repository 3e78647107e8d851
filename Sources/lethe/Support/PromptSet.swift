import Recommendation

/// Interactions in memory, for making prompts without a cluster. Users and items are numbers here, so that one interaction
/// takes 32 bytes.
struct PromptSet {
    private struct Row {
        var timestamp: Int64
        var ordinal: Int64
        var rating: Double
        var item: Int32
    }

    let configuration: PromptConfiguration
    private let builder: PromptBuilder
    /// To be drawn for each like, out of all items.
    private let negatives: Int
    private let seed: UInt64
    private var pool: NegativePool?
    private var items: [Item] = []
    private var itemNumbers: [String: Int32] = [:]
    /// In the order in which the file first names them.
    private(set) var users: [String] = []
    private var userNumbers: [String: Int] = [:]
    /// By user.
    private var rows: [[Row]] = []

    /// - Parameters:
    ///   - negatives: to be drawn for each like, out of all items.
    ///   - seed: of the cluster, by which they are drawn.
    /// - Throws: as `PromptBuilder`.
    init(configuration: PromptConfiguration, negatives: Int = 0, seed: UInt64 = 0) throws {
        self.configuration = configuration
        (self.negatives, self.seed) = (negatives, seed)
        builder = try PromptBuilder(configuration: configuration)
    }

    mutating func add(_ batch: ReaderBatch) {
        for item in batch.items {
            if let number = itemNumbers[item.id] {
                items[Int(number)] = item
            } else {
                itemNumbers[item.id] = Int32(items.count)
                items.append(item)
            }
        }
        for interaction in batch.interactions {
            // A reader hands out no interaction before its item.
            guard let item = itemNumbers[interaction.item] else { continue }
            let user = userNumbers[interaction.user] ?? users.count
            if user == users.count {
                userNumbers[interaction.user] = user
                users.append(interaction.user)
                rows.append([])
            }
            rows[user].append(
                Row(
                    timestamp: interaction.timestamp, ordinal: interaction.ordinal, rating: interaction.rating,
                    item: item))
        }
    }

    var itemCount: Int { items.count }

    /// Of the user with this number. As in the cluster a later rating under the same key corrects the first.
    func interactions(of user: Int) -> [Interaction] {
        var interactions: [Interaction] = []
        var positions: [InteractionKey: Int] = [:]
        for row in rows[user] {
            let interaction = Interaction(
                user: users[user], item: items[Int(row.item)].id, timestamp: row.timestamp, rating: row.rating,
                ordinal: row.ordinal)
            if let known = positions[interaction.key] {
                interactions[known].rating = interaction.rating
            } else {
                positions[interaction.key] = interactions.count
                interactions.append(interaction)
            }
        }
        return interactions
    }

    /// What prompts call the item.
    func title(of item: String) -> String? {
        itemNumbers[item].map { builder.name(title: items[Int($0)].title, fields: items[Int($0)].fields) }
    }

    /// What would be drawn for a user's interactions. Only when all items are there.
    func negatives(of interactions: [Interaction]) -> [InteractionKey: [String]] {
        guard let pool else { return [:] }
        let likes = interactions.filter { $0.rating > configuration.likeAbove }
        return Dictionary(
            likes.map { ($0.key, pool.draw(negatives, for: $0.key, seed: seed)) },
            uniquingKeysWith: { first, _ in first })
    }

    /// To be called when everything was added.
    mutating func finish() {
        if negatives > 0 { pool = NegativePool(items.map(\.id)) }
    }

    /// Users in file order with their interactions and prompts, each user's by time; under tallrec that is the benchmark's
    /// order.
    func forEachUser(_ body: ([Interaction], [Prompt]) throws -> Void) throws {
        var splits: [String: [InteractionKey: Split]] = [:]
        if configuration.method == .tallrec {
            let targets = TallrecSplit.assign(usersInFileOrder: users, configuration: configuration) { user in
                userNumbers[user].map(interactions) ?? []
            }
            for target in targets { splits[target.key.user, default: [:]][target.key] = target.split }
        }
        for (number, user) in users.enumerated() {
            let own = interactions(of: number)
            try body(
                own,
                builder.prompts(
                    user: user, interactions: own, titles: title, splits: splits[user] ?? [:],
                    negatives: negatives(of: own)))
        }
    }

    func forEachPrompt(split: Split, _ body: (Prompt) throws -> Void) throws {
        try forEachUser { _, prompts in
            for prompt in prompts where prompt.split == split { try body(prompt) }
        }
    }
}
