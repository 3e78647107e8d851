import Experiments
import Recommendation
import Testing
import Unlearning

@Suite("Scores of a matrix factorisation, as a baseline")
struct GraphScoresTests {
    /// Two tastes: users of each like what is theirs and dislike the rest; user-0 and item-0 were never met.
    private static let data: GraphData = {
        var interactions: [Interaction] = []
        for user in 0..<12 {
            for item in 0..<12 where user > 0 || item > 0 {
                let rating: Double = user % 2 == item % 2 ? 5 : 1
                interactions.append(
                    Interaction(user: "user-\(user)", item: "item-\(item)", timestamp: 0, rating: rating, ordinal: 0))
            }
        }
        return GraphData(interactions, likeAbove: 3)
    }()

    private static func scores(threads: Int = 1) throws -> GraphScores {
        try GraphScores(
            data, model: GraphConfiguration(width: 4, layers: 0, steps: 200), regularisation: 0.5, seed: 1,
            threads: threads)
    }

    @Test("What agrees with a user's taste scores above what does not, also where the user never met it")
    func taste() throws {
        let margins = try Self.scores().margins(of: [("user-0", "item-0"), ("user-0", "item-1"), ("user-1", "item-1")])
        #expect(try #require(margins[0]) > #require(margins[1]))
        #expect(try #require(margins[2]) > 0)
    }

    @Test("Who or what the data does not know has no score, and the others keep theirs")
    func unknown() throws {
        let scores = try Self.scores()
        let margins = scores.margins(of: [("nobody", "item-1"), ("user-1", "nothing"), ("user-1", "item-1")])
        #expect(margins[0] == nil && margins[1] == nil)
        #expect(margins[2] == scores.margins(of: [("user-1", "item-1")])[0])
    }

    @Test("The number of threads changes nothing")
    func threads() throws {
        let pairs = [("user-3", "item-5"), ("user-4", "item-9")]
        #expect(try Self.scores().margins(of: pairs) == Self.scores(threads: 2).margins(of: pairs))
    }
}
