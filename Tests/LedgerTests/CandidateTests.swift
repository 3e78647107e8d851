import ClusterTestSupport
import Foundation
import Messages
import Recommendation
import Testing

@testable import Ledger

@Suite("Candidates of a large catalogue")
struct CandidateTests {
    /// Six people like m0 and m1 and dislike m9, six others like m0 and m2; "new" likes m0, "mute" likes nothing. m3 to m8 are
    /// in the catalogue.
    private struct Shop {
        var fixture = LedgerFixture(
            prompts: PromptConfiguration(
                historyLength: 3, template: try? PromptWording(json: Data(#"{"item": "{title}[ ({year})]"}"#.utf8))))
        var ledger: Ledger
        var data: SyntheticRatings

        init() throws {
            ledger = try fixture.open()
            data = SyntheticRatings(users: 0, items: 10, seed: 1)
            for index in data.items.indices { data.items[index].fields = ["year": "\(1990 + index)"] }
            func rate(_ user: String, _ ratings: [(Int, Double)]) {
                for (item, rating) in ratings {
                    let position = Int64(data.interactions.count)
                    data.interactions.append(
                        Interaction(
                            user: user, item: "m\(item)", timestamp: 100 + position, rating: rating, ordinal: position))
                }
            }
            for number in 0..<6 {
                rate("a\(number)", [(0, 5), (1, 5), (9, 1)])
                rate("b\(number)", [(0, 4), (2, 5)])
            }
            rate("new", [(0, 5)])
            rate("mute", [(1, 1)])
            try fixture.load(data, into: ledger)
        }

        func ask(
            _ user: String = "", history: [GivenRating]? = nil, filter: ItemFilter? = nil, limit: Int = 0,
            most: Int? = 2
        ) throws -> QuestionData {
            try ledger.question(user: user, history: history, items: [], filter: filter, limit: limit, candidates: most)
        }
    }

    @Test("They come from what is liked together, then from what most like, then in the order of ids, and it is said")
    func sources() throws {
        let shop = try Shop()
        let few = try shop.ask("new")
        #expect(few.items.map(\.id) == ["m1", "m2"])
        #expect(few.retrieval == Retrieval(candidates: 2, of: 10, likedTogether: 2, popular: 0, others: 0))
        let more = try shop.ask("new", most: 5)
        #expect(more.items.map(\.id) == ["m1", "m2", "m3", "m4", "m5"])
        #expect(more.retrieval == Retrieval(candidates: 5, of: 10, likedTogether: 2, popular: 0, others: 3))
        let mute = try shop.ask("mute", most: 3)
        #expect(mute.items.map(\.id) == ["m0", "m2", "m3"])
        #expect(mute.retrieval == Retrieval(candidates: 3, of: 10, likedTogether: 0, popular: 2, others: 1))
        let nobody = try shop.ask(history: [], most: 1)
        #expect(nobody.items.map(\.id) == ["m0"] && nobody.retrieval?.popular == 1)
        #expect(nobody.items == [Item(id: "m0", title: "Film 0 (1950)", fields: ["year": "1990"])])
        // All there is, and no more.
        #expect(try shop.ask("new", most: 100).items.count == 9)
    }

    @Test("Whoever has rated an item is not asked about it, liked or not, and a given history counts as a user's own")
    func rated() throws {
        let shop = try Shop()
        #expect(try !shop.ask("a0", most: 9).items.contains { ["m0", "m1", "m9"].contains($0.id) })
        for user in ["new", "mute", "a1", "b2"] {
            let known = try shop.ask(user, most: 4)
            let given = known.history.map { GivenRating(item: $0.item, rating: $0.rating, timestamp: $0.timestamp) }
            let asked = try shop.ask(history: given.reversed(), most: 4)
            #expect(asked.items == known.items && asked.retrieval == known.retrieval && asked.person == nil)
        }
    }

    @Test("Filters leave items out before the best are cut")
    func filters() throws {
        let shop = try Shop()
        #expect(try shop.ask("new", filter: .init(exclude: ["m1"])).items.map(\.id) == ["m2", "m3"])
        let late = ItemFilter(conditions: [.init(field: "year", minimum: 1992)])
        let answer = try shop.ask("new", filter: late)
        #expect(answer.items.map(\.id) == ["m2", "m3"] && answer.retrieval?.likedTogether == 1)
        #expect(try shop.ask("new", filter: .init(exclude: (0..<10).map { "m\($0)" })).items.isEmpty)
    }

    @Test("A catalogue that is small enough is asked about as a whole; without candidates a larger one is refused")
    func whole() throws {
        let shop = try Shop()
        let all = try shop.ask("new", limit: 9)
        #expect(all.items.count == 9 && all.retrieval == nil)
        #expect(try shop.ask("new", limit: 8).retrieval?.candidates == 2)
        #expect(throws: QuestionObjection.tooManyItems) { try shop.ask("new", limit: 8, most: nil) }
    }

    @Test("With the rating above which something is liked, what people count with changes")
    func likeAbove() throws {
        var shop = try Shop()
        #expect(try shop.ask("new", most: 2).items.map(\.id) == ["m1", "m2"])
        // Now 4 is no like: of those who like m0 nobody likes m2.
        shop.fixture.prompts.likeAbove = 4
        try shop.fixture.load(
            SyntheticRatings(users: 0, items: 0, seed: 0), into: shop.ledger, id: "again", changePrompts: true)
        let answer = try shop.ask("new", most: 2)
        #expect(answer.items.map(\.id) == ["m1", "m2"])
        #expect(answer.retrieval == Retrieval(candidates: 2, of: 10, likedTogether: 1, popular: 1, others: 0))
        try shop.ledger.close()
        shop.ledger = try shop.fixture.open()
        #expect(try shop.ask("new", most: 2).retrieval == answer.retrieval)
    }

    @Test("A forget says whether it changes who likes what; below five people nothing is chosen by what they liked")
    func forgetting() throws {
        let shop = try Shop()
        let key = InteractionKey(user: "mute", item: "m1", timestamp: shop.data.interactions.last?.timestamp ?? 0)
        _ = try shop.ledger.forget(requestID: "r1", LedgerFixture.forget(key), at: shop.fixture.now)
        #expect(shop.ledger.takeTouched().changesLikes == false)
        _ = try shop.ledger.forget(requestID: "r2", LedgerFixture.forget(users: ["a0"]), at: shop.fixture.now)
        #expect(shop.ledger.takeTouched().changesLikes)
        #expect(try shop.ask("new").items.map(\.id) == ["m1", "m2"])
        _ = try shop.ledger.forget(requestID: "r3", LedgerFixture.forget(users: ["a1"]), at: shop.fixture.now)
        let answer = try shop.ask("new")
        #expect(answer.items.map(\.id) == ["m1", "m2"])
        #expect(answer.retrieval == Retrieval(candidates: 2, of: 10, likedTogether: 1, popular: 0, others: 1))
    }
}
