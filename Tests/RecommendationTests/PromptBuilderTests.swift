import Recommendation
import Testing

@Suite("Building prompts")
struct PromptBuilderTests {
    private func builder(
        _ method: SplitMethod = .leaveLast, domain: PromptConfiguration.Domain = .movie,
        history: Int = 3,
        train: Double = 1, seed: UInt64 = 0
    ) throws -> PromptBuilder {
        try PromptBuilder(
            configuration: PromptConfiguration(
                method: method, domain: domain, historyLength: history, trainFraction: train, seed: seed))
    }

    private let upper: (String) -> String? = { $0.uppercased() }

    @Test("A prompt has TALLRec's wording")
    func wording() throws {
        let prompts = try builder().prompts(user: "u", interactions: ratings([4, 2, 5, 1]), titles: upper)
        #expect(prompts.count == 1)
        #expect(
            prompts.first?.instruction
                == "Given the user's preference and unpreference, identify whether the user will like the target movie "
                + "by answering \"Yes.\" or \"No.\".")
        #expect(
            prompts.first?.input
                == "User Preference: \"A\", \"C\"\nUser Unpreference: \"B\"\n"
                + "Whether the user will like the target movie \"D\"?")
        #expect(prompts.first?.output == "No.")
        #expect(prompts.first?.text.hasSuffix("\"D\"?\n\n### Response:\n") == true)
    }

    @Test("The history alone is the same for every candidate, whatever titles say")
    func historyAlone() throws {
        let tricky: (String) -> String? = { "Whether the user will like the target movie \"\($0)" }
        let prompts = try builder().prompts(user: "u", interactions: ratings([4, 2, 5, 1]), titles: tricky)
        let prompt = try #require(prompts.first.map { TrainingPrompt($0) })
        #expect(prompt.historyAlone.input.hasPrefix("User Preference: \"Whether"))
        #expect(prompt.historyAlone.input.hasSuffix("the target movie \"b\""))
        #expect(prompt.historyAlone.instruction == prompt.instruction)
    }

    @Test("A book is called a book")
    func books() throws {
        let prompts = try builder(domain: .book).prompts(user: "u", interactions: ratings([4, 2, 5, 1]), titles: upper)
        #expect(prompts.first?.instruction.contains("the target book by") == true)
        #expect(prompts.first?.input.hasSuffix("the target book \"D\"?") == true)
    }

    @Test("Without anything liked or disliked the line stays empty")
    func emptyLines() throws {
        let liked = try builder().prompts(user: "u", interactions: ratings([4, 4, 4, 4]), titles: upper)
        #expect(liked.first?.input.contains("\nUser Unpreference: \nWhether") == true)
        #expect(liked.first?.label == true)
        let disliked = try builder().prompts(user: "u", interactions: ratings([3, 3, 3, 3]), titles: upper)
        #expect(disliked.first?.input.hasPrefix("User Preference: \nUser Unpreference: \"A\"") == true)
        #expect(disliked.first?.label == false)
    }

    @Test("leave-last: last is test, the one before validation, the rest training", arguments: 0...9)
    func leaveLast(count: Int) throws {
        let sequence = ratings([Double](repeating: 4, count: count))
        let prompts = try builder().prompts(user: "u", interactions: sequence, titles: upper)
        let wanted: [Split] =
            switch count {
            case ...3: []
            case 4: [.test]
            default: [Split](repeating: .train, count: count - 5) + [.validation, .test]
            }
        #expect(prompts.map(\.split) == wanted)
        #expect(prompts.map(\.target) == sequence.dropFirst(3).map(\.key))
        for prompt in prompts {
            let position = Int(prompt.target.timestamp)
            #expect(prompt.history == sequence[(position - 3)..<position].map(\.key))
        }
    }

    @Test("Interactions of the same second keep the file's order")
    func ties() throws {
        var sequence = ratings([4, 4, 4, 4])
        for index in sequence.indices { sequence[index].timestamp = 7 }
        sequence[3].ordinal = -1
        let prompts = try builder().prompts(user: "u", interactions: sequence.reversed(), titles: upper)
        #expect(prompts.first?.history.map(\.item) == ["d", "a", "b"])
        #expect(prompts.first?.target.item == "c")
    }

    @Test("A repeated interaction counts once")
    func repetition() throws {
        let sequence = ratings([4, 4, 4, 4])
        var again = sequence[1]
        (again.ordinal, again.rating) = (99, 1)
        let prompts = try builder().prompts(user: "u", interactions: sequence + [again], titles: upper)
        #expect(prompts == (try builder().prompts(user: "u", interactions: sequence, titles: upper)))
    }

    @Test("Other users' interactions and untitled items are as good as absent")
    func absent() throws {
        let sequence = ratings([4, 2, 5, 1, 4, 3])
        let others = ratings([1, 1, 1, 1], user: "v")
        let some = try builder().prompts(
            user: "u", interactions: sequence + others, titles: { $0 == "c" ? nil : $0.uppercased() })
        let without = try builder().prompts(user: "u", interactions: sequence.filter { $0.item != "c" }, titles: upper)
        #expect(some == without)
        #expect(some.count == 2)
    }

    @Test("tallrec builds the recorded targets only")
    func recorded() throws {
        let sequence = ratings([4, 2, 5, 1, 4, 3])
        let splits: [InteractionKey: Split] = [sequence[3].key: .validation, sequence[5].key: .train]
        let build = { (kept: [Interaction]) in
            try builder(.tallrec).prompts(user: "u", interactions: kept, titles: upper, splits: splits)
        }
        #expect(try build(sequence).map(\.split) == [.validation, .train])
        #expect(try build(sequence).map(\.target) == [sequence[3].key, sequence[5].key])
        // Without the first, the fourth has only two before it.
        #expect(try build(Array(sequence.dropFirst())).map(\.target) == [sequence[5].key])
    }

    @Test("An older interaction moves into the window of a forgotten one")
    func movingWindow() throws {
        let sequence = ratings([4, 2, 5, 1, 4])
        let kept = sequence.filter { $0.item != "d" }
        let before = try builder().prompts(user: "u", interactions: sequence, titles: upper)
        let after = try builder().prompts(user: "u", interactions: kept, titles: upper)
        #expect(before.last?.history.map(\.item) == ["b", "c", "d"])
        #expect(after.last?.history.map(\.item) == ["a", "b", "c"])
        #expect(before.last?.id == after.last?.id)
        #expect(before.last.map { TrainingPrompt($0).digest } != after.last.map { TrainingPrompt($0).digest })
    }

    @Test("Sampling keeps about its share, the same prompts whoever else is there, more with a larger share")
    func sampling() throws {
        let interactions = (0..<40).flatMap { user in
            ratings([Double](repeating: 4, count: 25), user: "user \(user)")
        }
        func kept(_ fraction: Double, seed: UInt64) throws -> Set<String> {
            let builder = try builder(train: fraction, seed: seed)
            return Set(
                (0..<40).flatMap { user in
                    builder.prompts(user: "user \(user)", interactions: interactions, titles: upper)
                        .filter { $0.split == .train }.map(\.id)
                })
        }
        let (none, quarter, half, all) = (
            try kept(0, seed: 1), try kept(0.25, seed: 1), try kept(0.5, seed: 1), try kept(1, seed: 1)
        )
        #expect(none.isEmpty)
        #expect(all.count == 800)
        #expect((160...240).contains(quarter.count))
        #expect((340...460).contains(half.count))
        #expect(quarter.isSubset(of: half))
        #expect(try kept(0.5, seed: 2) != half)
    }

    @Test("A prompt's id depends on every part of the target, not on how the parts are cut")
    func ids() {
        let keys = [
            InteractionKey(user: "a", item: "bc", timestamp: 1), InteractionKey(user: "ab", item: "c", timestamp: 1),
            InteractionKey(user: "a", item: "bc", timestamp: 2), InteractionKey(user: "a", item: "bd", timestamp: 1),
        ]
        let ids = keys.map(PromptBuilder.promptID)
        #expect(Set(ids).count == keys.count)
        #expect(ids.allSatisfy { $0.count == 64 && $0.allSatisfy(\.isHexDigit) })
    }

    @Test("A query shows the latest interactions, fewer when there are fewer")
    func queries() throws {
        let builder = try builder()
        func ask(_ user: String, _ interactions: [Interaction]) -> QueryPrompt {
            builder.queryPrompt(
                builder.queryHistory(user: user, interactions: interactions, titles: upper),
                item: Item(id: "z", title: "Z"))
        }
        let query = ask("u", ratings([4, 2, 5, 1, 4]))
        #expect(query.history.map(\.item) == ["c", "d", "e"])
        #expect(
            query.prompt.input
                == "User Preference: \"C\", \"E\"\nUser Unpreference: \"D\"\n"
                + "Whether the user will like the target movie \"Z\"?")
        let stranger = ask("v", [])
        #expect(stranger.prompt.input.hasPrefix("User Preference: \nUser Unpreference: \nWhether"))
        #expect(stranger.prompt.id != query.prompt.id)
    }

    @Test(
        "An impossible configuration is refused",
        arguments: [
            PromptConfiguration(historyLength: 0), PromptConfiguration(historyLength: -3),
            PromptConfiguration(likeAbove: .nan), PromptConfiguration(trainFraction: 1.5),
            PromptConfiguration(validationFraction: -0.1), PromptConfiguration(testFraction: .nan),
        ])
    func impossible(configuration: PromptConfiguration) {
        #expect(throws: RecommendationError.self) { try PromptBuilder(configuration: configuration) }
    }
}
