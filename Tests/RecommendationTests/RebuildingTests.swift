import Recommendation
import Testing

/// What a forget must give: exactly what the data gives that never held the forgotten.
@Suite("Rebuilding after a forget")
struct RebuildingTests {
    private static let configurations = [
        PromptConfiguration(method: .leaveLast, historyLength: 3),
        PromptConfiguration(
            method: .leaveLast, trainFraction: 0.5, validationFraction: 0.7, testFraction: 0.9, seed: 3),
        PromptConfiguration(method: .tallrec, historyLength: 5),
        PromptConfiguration(method: .tallrec, trainFraction: 0.4, seed: 9),
    ]

    @Test("Applying the difference equals building without the data", arguments: configurations, 0..<15)
    func differenceEqualsScratch(configuration: PromptConfiguration, seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        let village = try ReadData.village()
        let byUser = Dictionary(grouping: village.interactions, by: \.user)
        let titles = village.titles
        let builder = try PromptBuilder(configuration: configuration)
        let targets = TallrecSplit.assign(usersInFileOrder: village.users, configuration: configuration) {
            byUser[$0] ?? []
        }
        let splits = Dictionary(uniqueKeysWithValues: targets.map { ($0.key, $0.split) })
        for user in village.users {
            let all = byUser[user] ?? []
            func build(_ interactions: [Interaction]) -> [Prompt] {
                builder.prompts(
                    user: user, interactions: interactions.shuffled(using: &random), titles: { titles[$0] },
                    splits: splits)
            }
            var retained = all
            var prompts = build(all)
            // Several requests one after the other, the last one for all that is left.
            for round in 0..<4 {
                let forgotten = Set(retained.filter { _ in round == 3 || Int.random(in: 0..<4, using: &random) == 0 })
                retained.removeAll(where: forgotten.contains)
                let scratch = build(retained)
                let difference = PromptDifference(from: prompts, to: scratch)
                prompts = apply(difference, to: prompts)
                #expect(prompts == scratch.sorted { $0.id < $1.id })
                let keys = Set(forgotten.map(\.key))
                #expect(prompts.allSatisfy { !keys.contains($0.target) && keys.isDisjoint(with: $0.history) })
                if forgotten.isEmpty { #expect(difference.isEmpty) }
            }
            #expect(prompts.isEmpty)
        }
    }

    @Test("Nobody else's prompts change", arguments: [SplitMethod.leaveLast, .tallrec])
    func othersStay(method: SplitMethod) throws {
        let village = try ReadData.village()
        let configuration = PromptConfiguration(method: method, historyLength: 5, trainFraction: 0.5)
        let builder = try PromptBuilder(configuration: configuration)
        let byUser = Dictionary(grouping: village.interactions, by: \.user)
        let targets = TallrecSplit.assign(usersInFileOrder: village.users, configuration: configuration) {
            byUser[$0] ?? []
        }
        let splits = Dictionary(uniqueKeysWithValues: targets.map { ($0.key, $0.split) })
        let titles = village.titles
        let without = village.interactions.filter { $0.user != "u12" }
        for user in village.users where user != "u12" {
            let build = { (interactions: [Interaction]) in
                builder.prompts(user: user, interactions: interactions, titles: { titles[$0] }, splits: splits)
            }
            #expect(build(village.interactions) == build(without))
        }
    }

    @Test("leave-last: a prompt that changes its split counts as rebuilt")
    func changedSplit() throws {
        let builder = try PromptBuilder(configuration: PromptConfiguration(historyLength: 2))
        let sequence = ratings([4, 4, 4, 4, 4])
        let build = { (kept: [Interaction]) in builder.prompts(user: "u", interactions: kept, titles: { $0 }) }
        let difference = PromptDifference(from: build(sequence), to: build(Array(sequence.dropLast())))
        #expect(difference.deleted.map(\.target) == [sequence[4].key])
        #expect(Set(difference.rebuilt.map(\.old.split)) == [.train, .validation])
        #expect(Set(difference.rebuilt.map(\.new.split)) == [.validation, .test])
        #expect(difference.added.isEmpty && difference.unchanged == 0)
    }

    @Test("New interactions add prompts")
    func additions() throws {
        let configuration = PromptConfiguration(method: .tallrec, historyLength: 2)
        let builder = try PromptBuilder(configuration: configuration)
        let sequence = ratings([4, 4, 4, 4])
        let splits = Dictionary(uniqueKeysWithValues: sequence.map { ($0.key, Split.train) })
        let build = { (kept: [Interaction]) in
            builder.prompts(user: "u", interactions: kept, titles: { $0 }, splits: splits)
        }
        let difference = PromptDifference(from: build(Array(sequence.prefix(3))), to: build(sequence))
        #expect(difference.added.map(\.target) == [sequence[3].key])
        #expect(difference.deleted.isEmpty && difference.rebuilt.isEmpty && difference.unchanged == 1)
    }

    private func apply(_ difference: PromptDifference<Prompt, Prompt>, to prompts: [Prompt]) -> [Prompt] {
        let deleted = Set(difference.deleted.map(\.id))
        let rebuilt = Dictionary(uniqueKeysWithValues: difference.rebuilt.map { ($0.old.id, $0.new) })
        let kept = prompts.filter { !deleted.contains($0.id) }.map { rebuilt[$0.id] ?? $0 }
        return (kept + difference.added).sorted { $0.id < $1.id }
    }
}
