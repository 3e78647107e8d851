import Recommendation

/// Interactions in memory, for making prompts without a cluster.
struct PromptSet {
    let configuration: PromptConfiguration
    private var titles: [String: String] = [:]
    /// In the order in which the file first names them.
    private var users: [String] = []
    private var interactions: [String: [Interaction]] = [:]
    /// Where in its user's interactions each one stands.
    private var seen: [InteractionKey: Int] = [:]

    init(configuration: PromptConfiguration) {
        self.configuration = configuration
    }

    mutating func add(_ batch: ReaderBatch) {
        for item in batch.items { titles[item.id] = item.title }
        for interaction in batch.interactions {
            if let position = seen[interaction.key] {
                // As in the cluster: a later rating under the same key corrects it.
                interactions[interaction.user]?[position].rating = interaction.rating
                continue
            }
            seen[interaction.key] = interactions[interaction.user]?.count ?? 0
            if interactions[interaction.user] == nil { users.append(interaction.user) }
            interactions[interaction.user, default: []].append(interaction)
        }
    }

    /// The prompts of one split: users in file order, each user's by time; under tallrec that is the benchmark's order.
    func forEachPrompt(split: Split, _ body: (Prompt) throws -> Void) throws {
        let builder = try PromptBuilder(configuration: configuration)
        var splits: [String: [InteractionKey: Split]] = [:]
        if configuration.method == .tallrec {
            let targets = TallrecSplit.assign(usersInFileOrder: users, configuration: configuration) { user in
                interactions[user] ?? []
            }
            for target in targets { splits[target.key.user, default: [:]][target.key] = target.split }
        }
        for user in users {
            let prompts = builder.prompts(
                user: user, interactions: interactions[user] ?? [], titles: { titles[$0] }, splits: splits[user] ?? [:])
            for prompt in prompts where prompt.split == split { try body(prompt) }
        }
    }
}
