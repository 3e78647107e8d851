import Recommendation
import Testing

@Suite("Ratings that nobody gave")
struct ImplicitRatingsTests {
    @Test("Every row has the rating that was said")
    func every() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("r.csv", "user,item,item_title\na,i,T\nb,i,T\n")
        #expect(throws: RecommendationError.self) { try ReadData(.csv, file) }
        let data = try ReadData(.csv, file, ReadingRules(ratings: .every(1)))
        #expect(data.interactions.map(\.rating) == [1, 1])
        let lines = try folder.write(
            "r.jsonl", #"{"item":"i","title":"T"}"# + "\n" + #"{"user":"a","item":"i"}"# + "\n")
        #expect(try ReadData(.jsonl, lines, ReadingRules(ratings: .every(1))).interactions.map(\.rating) == [1])
    }

    @Test("What happened has a weight, and what has none is refused")
    func events() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(
            "r.csv",
            "timestamp,visitorid,event,itemid,item_title\n1,a,view,i,T\n2,a, Purchase ,i,T\n3,a,share,i,T\n4,a,,i,T\n")
        let weights = try EventWeights(parsing: "view=0, cart=1, purchase=1")
        let data = try ReadData(.csv, file, ReadingRules(ratings: .events(weights)))
        #expect(data.interactions.map(\.rating) == [0, 1])
        #expect(data.report.reasons.map(\.reason) == ["the event has no weight", "no event"])
        let own = try folder.write("s.csv", "user,item,did,item_title\na,i,cart,T\n")
        let columns = try DeclaredColumns(parsing: "event=did")
        let read = try ReadData(.csv, own, ReadingRules(columns: columns, ratings: .events(weights)))
        #expect(read.interactions.map(\.rating) == [1])
        #expect {
            try ReadData(.csv, own, ReadingRules(ratings: .events(weights)))
        } throws: { "\($0)".contains("nothing says what is the event") }
    }

    @Test(
        "Weights that cannot be meant are refused",
        arguments: ["", "view", "view=", "view=x", "=1", "view=0,View=1", "view=inf"])
    func broken(text: String) {
        #expect(throws: RecommendationError.self) { try EventWeights(parsing: text) }
    }
}
