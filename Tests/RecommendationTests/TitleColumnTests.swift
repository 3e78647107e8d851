import Recommendation
import Testing

@Suite("Whose title it is")
struct TitleColumnTests {
    @Test(
        "A title, name or headline beside a person is not taken for the item's", arguments: ["title", "name", "Name"])
    func doubtful(column: String) throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("r.csv", "user,item,rating,\(column)\na,i,4,Dr Smith\n")
        #expect(throws: RecommendationError.doubtfulTitle(file: file, column: column)) { try ReadData(.csv, file) }
        let lines = try folder.write("r.jsonl", "{\"user\":1,\"item\":1,\"rating\":4,\"\(column)\":\"Dr Smith\"}\n")
        #expect(throws: RecommendationError.doubtfulTitle(file: "r.jsonl", column: column)) {
            try ReadData(.jsonl, lines)
        }
    }

    @Test("Other columns that end in title are nobody's title", arguments: ["job_title", "review_title", "user_name"])
    func others(column: String) throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("r.csv", "user,item,rating,\(column)\na,i,4,Baker\n")
        #expect {
            try ReadData(.csv, file)
        } throws: {
            guard case .missingTitles = $0 as? RecommendationError else { return false }
            return true
        }
    }

    @Test("Beside a table of items what stands in the ratings is not looked at")
    func tableOfItems() throws {
        let folder = try TemporaryFolder()
        try folder.write("items.csv", "item_id,title\ni,Film\n")
        let file = try folder.write("r.csv", "user,item,rating,title,job_title\na,i,4,I loved it,Baker\n")
        let data = try ReadData(.csv, file)
        #expect(data.items == [Item(id: "i", title: "Film")])
        #expect(data.report.files.last?.unusedColumns == ["title", "job_title"])
    }

    @Test("A table of people is none of items, even where it names an item")
    func tableOfPeople() throws {
        let folder = try TemporaryFolder()
        try folder.write("members.csv", "customer_no,isbn,name\n1,i,Ann Baker\n")
        let file = try folder.write("r.csv", "user,item,rating\na,i,4\n")
        #expect(throws: RecommendationError.self) { try ReadData(.csv, file) }
    }

    @Test("A title by the item's own name must be the same in all rows of the item")
    func conflict() throws {
        let folder = try TemporaryFolder()
        let same = try folder.write("a.csv", "user,item,rating,movie_title\na,i,4,Film\nb,i,3,Film\nc,i,3,\n")
        #expect(try ReadData(.csv, same).items == [Item(id: "i", title: "Film")])
        let other = try folder.write("b.csv", "user,item,rating,movie_title\na,i,4,Film\nb,i,3,Loved it\n")
        #expect(
            throws: RecommendationError.conflictingTitles(file: "b.csv", line: 3, item: "i", column: "movie_title")
        ) { try ReadData(.csv, other) }
        let lines = try folder.write(
            "c.jsonl",
            "{\"user\":1,\"item\":1,\"rating\":4,\"item_title\":\"A\"}\n"
                + "{\"user\":2,\"item\":1,\"rating\":4,\"item_title\":\"B\"}\n")
        #expect(
            throws: RecommendationError.conflictingTitles(file: "c.jsonl", line: 2, item: "1", column: "item_title")
        ) { try ReadData(.jsonl, lines) }
    }

    @Test("A declared column is taken, and checked all the same")
    func declared() throws {
        func read(_ rows: String) throws -> [Item] {
            let folder = try TemporaryFolder()
            let file = try folder.write("r.csv", "user,item,rating,Name\n" + rows)
            return try ReadData(.csv, file, ReadingRules("title=name")).items
        }
        #expect(try read("a,i,4,Film\nb,i,2,Film\n") == [Item(id: "i", title: "Film")])
        #expect(throws: RecommendationError.self) { try read("a,i,4,Ann\nb,i,2,Ben\n") }
    }

    @Test("An author or year beside a person is not put into the title unless it is the item's by name")
    func authors() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("r.csv", "user,item,rating,book_title,author,year\na,i,4,Emma,Ann Baker,1999\n")
        #expect(try ReadData(.csv, file).items.map(\.title) == ["Emma"])
        let own = try folder.write("s.csv", "user,item,rating,book_title,book_author\na,i,4,Emma,Jane Austen\n")
        #expect(try ReadData(.csv, own).items.map(\.title) == ["Emma written by Jane Austen"])
    }
}
