import ClusterTestSupport
import Foundation
import Ledger
import Messages
import Recommendation
import Testing

@Suite("Questions that bring a history along, and filters")
struct GivenHistoryTests {
    private static let template = #"{"item": "{title}[ ({year})][, {genre}]"}"#

    private struct Shop {
        var fixture: LedgerFixture
        var ledger: Ledger
        var prompts: PromptConfiguration
        /// Ratings without times, of which one item has two.
        let twin = [("m7", 5.0), ("m8", 1), ("m7", 2), ("m9", 4)].map { GivenRating(item: $0.0, rating: $0.1) }

        init() throws {
            prompts = PromptConfiguration(
                historyLength: 3, template: try PromptWording(json: Data(GivenHistoryTests.template.utf8)))
            fixture = LedgerFixture(prompts: prompts)
            ledger = try fixture.open()
            var data = SyntheticRatings(users: 8, seed: 3)
            for index in data.items.indices {
                let genre = index.isMultiple(of: 2) ? "Drama" : "Comedy"
                data.items[index].fields = ["year": "\(1990 + index)", "genre": genre]
            }
            data.items[1].fields = nil
            data.items[2].fields = ["year": "unknown"]
            // No two at the same time.
            for index in data.interactions.indices { data.interactions[index].timestamp = Int64(1000 + index) }
            data.interactions += twin.enumerated().map { position, row in
                Interaction(user: "twin", item: row.item, timestamp: 0, rating: row.rating, ordinal: Int64(position))
            }
            _ = try fixture.load(data, into: ledger)
        }

        func texts(_ question: QuestionData) throws -> [String] {
            let builder = try PromptBuilder(configuration: prompts)
            let history = builder.queryHistory(user: question.user, interactions: question.history) {
                question.titles[$0]
            }
            return question.items.map { item in
                let prompt = builder.queryPrompt(history, item: item).prompt
                return [prompt.instruction, prompt.input, "\(prompt.historyBytes ?? -1)"].joined(separator: "\n")
            }
        }
    }

    @Test("A user's own ratings, brought along in any order of their times, make the user's own prompts")
    func samePrompts() throws {
        let shop = try Shop()
        for user in (0..<4).map({ "u\($0)" }) {
            let known = try shop.ledger.question(user: user, items: [], limit: 100)
            #expect(known.person != nil && !known.items.isEmpty)
            let given = known.history.map { GivenRating(item: $0.item, rating: $0.rating, timestamp: $0.timestamp) }
            let asked = try shop.ledger.question(user: "", history: given.reversed(), items: [], limit: 100)
            #expect(asked.person == nil && asked.user.isEmpty)
            #expect(try shop.texts(asked) == shop.texts(known))
            // Without times the list's order is the order in time.
            let ordered = given.sorted { ($0.timestamp ?? 0) < ($1.timestamp ?? 0) }.map {
                GivenRating(item: $0.item, rating: $0.rating)
            }
            let untimed = try shop.ledger.question(user: "", history: ordered, items: ["m3"], limit: 100)
            let one = try shop.ledger.question(user: user, items: ["m3"], limit: 100)
            #expect(try shop.texts(untimed) == shop.texts(one))
        }
    }

    @Test("Of an item that is rated twice at one time the last rating counts, as it does of imported rows")
    func twice() throws {
        let shop = try Shop()
        let known = try shop.ledger.question(user: "twin", items: ["m1", "m2"], limit: 10)
        let given = try shop.ledger.question(user: "", history: shop.twin, items: ["m1", "m2"], limit: 10)
        #expect(known.history.map(\.rating) == [2, 1, 4] && given.history.map(\.rating) == [2, 1, 4])
        #expect(try shop.texts(given) == shop.texts(known))
    }

    @Test("Of somebody nothing is known of the whole catalogue is asked about; unknown items are named")
    func unknown() throws {
        let shop = try Shop()
        let items = try shop.ledger.items().count
        #expect(try shop.ledger.question(user: "", history: [], items: [], limit: 1000).items.count == items)
        let history = [GivenRating(item: "m1", rating: 5), .init(item: "x", rating: 5), .init(item: "y", rating: 1)]
        #expect(throws: QuestionObjection.unknownItems(["x", "y"])) {
            try shop.ledger.question(user: "", history: history, items: [], limit: 1000)
        }
        #expect(throws: QuestionObjection.unknownUser) {
            try shop.ledger.question(user: "", items: ["m1"], limit: 1000)
        }
    }

    @Test("Only items that pass the filter are asked about, of the catalogue and of those that are named")
    func filters() throws {
        let shop = try Shop()
        func asked(_ filter: ItemFilter, items: [String] = []) throws -> [String] {
            try shop.ledger.question(user: "", history: [], items: items, filter: filter, limit: 1000).items.map(\.id)
        }
        let all = try asked(ItemFilter())
        let without = try asked(ItemFilter(exclude: ["m3", "nothing that there is"]))
        #expect(without == all.filter { $0 != "m3" })
        let year = try asked(ItemFilter(conditions: [.init(field: "year", minimum: 1993, maximum: 1995)]))
        #expect(year == ["m3", "m4", "m5"])
        let both = ItemFilter(
            exclude: ["m5"], conditions: [.init(field: "year", minimum: 1993), .init(field: "genre", text: "Comedy")])
        #expect(try asked(both, items: ["m3", "m4", "m5", "m1", "m2"]) == ["m3"])
        // As many as there are after the filter, not before it.
        let few = ItemFilter(conditions: [.init(field: "year", maximum: 1994)])
        #expect(try shop.ledger.question(user: "", history: [], items: [], filter: few, limit: 3).items.count == 3)
        #expect(throws: QuestionObjection.tooManyItems) {
            try shop.ledger.question(user: "", history: [], items: [], filter: few, limit: 2)
        }
    }
}
