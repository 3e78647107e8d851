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

    @Test("Of events with one user, item and time the largest weight counts, in whatever order", arguments: [1, 64])
    func sameTime(size: Int) throws {
        let folder = try TemporaryFolder()
        let rules = ReadingRules(ratings: .events(try EventWeights(parsing: "view=0,cart=1,purchase=5")))
        let dated = try folder.write(
            "dated.csv",
            """
            user,item,event,date,item_title
            u,i,view,2023-01-01,T
            u,i,view,2023-01-02,T
            u,i,purchase,2023-01-02,T
            u,i,view,2023-01-02,T
            u,i,cart,2023-01-02,T
            u,i,view,2023-01-03,T
            v,i,view,2023-01-02,T

            """)
        let data = try ReadData(.csv, dated, rules, size: size)
        #expect(data.interactions.map(\.rating) == [0, 0, 5, 5, 5, 0, 0])
        #expect(data.interactions.map(\.ordinal) == [0, 1, 2, 3, 4, 5, 6])
        let untimed = try folder.write(
            "untimed.csv", "user,item,event,item_title\nu,i,cart,T\nu,i,purchase,T\nu,i,view,T\nu,j,view,S\n")
        #expect(try ReadData(.csv, untimed, rules, size: size).interactions.map(\.rating) == [1, 5, 5, 0])
        // Whoever rates anew corrects.
        let rated = try folder.write("rated.csv", "user,item,rating,item_title\nu,i,5,T\nu,i,1,T\n")
        #expect(try ReadData(.csv, rated, size: size).interactions.map(\.rating) == [5, 1])
    }
}
