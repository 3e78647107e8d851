import Recommendation
import Testing

@Suite("Prompts about drawn negatives")
struct NegativePromptsTests {
    private let titles: (String) -> String? = { $0.hasPrefix("?") ? nil : $0.uppercased() }
    private let history = 3

    private func builder(_ method: SplitMethod = .leaveLast, train: Double = 1) throws -> PromptBuilder {
        try PromptBuilder(
            configuration: PromptConfiguration(method: method, historyLength: history, trainFraction: train))
    }

    /// The items are called a, b, c, …
    private func built(
        _ values: [Double], _ negatives: [Int: [String]], _ builder: PromptBuilder? = nil,
        splits: [InteractionKey: Split] = [:]
    ) throws -> (rows: [Interaction], prompts: [Prompt]) {
        let rows = ratings(values)
        let drawn = Dictionary(uniqueKeysWithValues: negatives.map { (rows[$0].key, $1) })
        let builder = try builder ?? self.builder()
        return (
            rows,
            builder.prompts(user: "u", interactions: rows, titles: titles, splits: splits, negatives: drawn)
        )
    }

    @Test("A negative has the history and split of the like that it was drawn for, and the answer No")
    func target() throws {
        let (rows, prompts) = try built([5, 1, 5, 5, 5, 5], [3: ["x", "y"], 4: ["z"], 5: ["w"]])
        #expect(prompts.map(\.target.item) == ["d", "x", "y", "e", "z", "f", "w"])
        for prompt in prompts where prompt.sampledFor != nil {
            let own = try #require(prompts.first { $0.target == prompt.sampledFor })
            #expect(!prompt.label && prompt.output == "No." && own.label)
            #expect(prompt.split == own.split && prompt.history == own.history)
            #expect(prompt.target.timestamp == own.target.timestamp)
            let question = prompt.input.split(separator: "\n").last ?? ""
            #expect(question.contains("\"\(prompt.target.item.uppercased())\""))
            #expect(prompt.input.split(separator: "\n").dropLast() == own.input.split(separator: "\n").dropLast())
        }
        #expect(Set(prompts.map(\.id)).count == prompts.count)
        #expect(prompts.allSatisfy { prompt in prompt.history.allSatisfy { rows.map(\.key).contains($0) } })
    }

    @Test("The prompts about interactions are the same with and without negatives, to the byte")
    func others() throws {
        let plain = try built([5, 1, 5, 5, 2, 5], [:]).prompts
        let drawn = try built([5, 1, 5, 5, 2, 5], [0: ["x"], 3: ["x"], 5: ["y"]]).prompts
        #expect(drawn.filter { $0.sampledFor == nil } == plain)
        #expect(drawn.filter { $0.sampledFor == nil }.map(\.digest) == plain.map(\.digest))
        #expect(drawn.count == plain.count + 2)
    }

    @Test("None is asked about that the user has an interaction with, before or after, liked or not, titled or not")
    func had() throws {
        // b was not liked, f came last.
        let prompts = try built([5, 1, 5, 5, 5, 5], [3: ["b", "f", "x"]]).prompts
        #expect(prompts.filter { $0.sampledFor != nil }.map(\.target.item) == ["x"])
    }

    @Test("What is no like (any more), has no prompt of its own or no title, has none about its negatives")
    func without() throws {
        #expect(try built([5, 5, 5, 2], [3: ["x"]]).prompts.count == 1)
        #expect(try built([5, 5, 5, 5], [1: ["x"]]).prompts.count == 1)
        #expect(try built([5, 5, 5, 5], [3: ["?"]]).prompts.count == 1)
        let none = try built([5, 5, 5, 5, 5, 5], [3: ["x"]], builder(train: 0)).prompts
        #expect(none.allSatisfy { $0.split != .train } && none.count == 2)
        let rows = ratings([5, 5, 5, 5, 5])
        let recorded = try built(
            [5, 5, 5, 5, 5], [3: ["x"], 4: ["y"]], builder(.tallrec), splits: [rows[4].key: .validation]
        ).prompts
        #expect(recorded.map(\.target.item) == ["e", "y"] && recorded.allSatisfy { $0.split == .validation })
    }

    @Test("Two likes of one time may have the same negative, and it makes two prompts")
    func sameTime() throws {
        var rows = ratings([5, 5, 5, 5, 5])
        rows[4].timestamp = rows[3].timestamp
        let prompts = try builder().prompts(
            user: "u", interactions: rows, titles: titles, negatives: [rows[3].key: ["x"], rows[4].key: ["x"]])
        #expect(prompts.map(\.target.item) == ["d", "x", "e", "x"] && Set(prompts.map(\.id)).count == 4)
    }
}
