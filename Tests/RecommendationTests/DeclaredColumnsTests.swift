import Recommendation
import Testing

@Suite("Declared columns")
struct DeclaredColumnsTests {
    private let declared = "user=who,item=what,rating=how,time=when,title=called"

    @Test(
        "Columns of CSV, TSV and files with double colons mean what was declared",
        arguments: [",", ";", "\t", "|", "::"])
    func tables(separator: String) throws {
        let folder = try TemporaryFolder()
        let rows = [
            ["who", "what", "how", "when", "called"], ["a", "i", "4", "10", "T"], ["b", "i", "2", "11", "T"],
        ]
        let text = rows.map { $0.joined(separator: separator) + "\n" }.joined()
        let data = try ReadData(.csv, folder.write("r.csv", text), ReadingRules(declared))
        #expect(data.users == ["a", "b"])
        #expect(data.interactions.map(\.rating) == [4, 2] && data.interactions.map(\.timestamp) == [10, 11])
        #expect(data.items == [Item(id: "i", title: "T")])
    }

    @Test("A shop's files need no declaration where the names say it, and one where they do not")
    func shop() throws {
        let folder = try TemporaryFolder()
        try folder.write("products.csv", "product_id,name\np1,Lamp\n")
        let known = try folder.write("orders.csv", "customer_id,product_id,stars,created_at\nc1,p1,4,2024-01-02\n")
        #expect(try ReadData(.csv, known).titles == ["p1": "Lamp"])
        let own = try TemporaryFolder()
        try own.write("artikel.csv", "artikel_nr;bezeichnung\np1;Lampe\n")
        let orders = try own.write("verkauf.csv", "kunde;artikel_nr;note\nc1;p1;4,5\n")
        let rules = try ReadingRules("user=kunde,item=artikel_nr,rating=note,title=bezeichnung")
        let data = try ReadData(.csv, orders, rules)
        #expect(data.titles == ["p1": "Lampe"])
        #expect(data.interactions == [Interaction(user: "c1", item: "p1", timestamp: 0, rating: 4.5, ordinal: 0)])
    }

    @Test("Files without names in the first line are read by positions")
    func positions() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("r.csv", "10::a::i::4::T\n11::b::i::2::T\n")
        let data = try ReadData(.csv, file, ReadingRules("time=1,user=2,item=3,rating=4,title=5"))
        #expect(data.users == ["a", "b"])
        #expect(data.report.files.first?.columns.contains { $0.name == "field 2" && $0.meaning == "user" } == true)
        try folder.write("items.csv", "item_id,title\ni,Lamp\n")
        #expect(try ReadData(.csv, file, ReadingRules("time=1,user=2,item=3,rating=4")).titles == ["i": "Lamp"])
        #expect {
            try ReadData(.csv, file, ReadingRules("user=2,item=3,rating=9"))
        } throws: {
            "\($0)".contains("nothing says what is the rating; there are: positions 1 to 5;")
        }
    }

    @Test("Values inside objects of JSON are named by their path")
    func paths() throws {
        let folder = try TemporaryFolder()
        let line = #"{"a":{"who":"u1","b":{"c":[1],"what":7}},"how":4,"x.y":"T"}"#
        let rules = try ReadingRules("user=a.who,item=a.b.what,rating=how,title=x.y")
        let data = try ReadData(.jsonl, folder.write("r.jsonl", line + "\n"), rules)
        #expect(data.interactions == [Interaction(user: "u1", item: "7", timestamp: 0, rating: 4, ordinal: 0)])
        #expect(data.titles == ["7": "T"])
        let known = #"{"customer":{"id":"u"},"product":{"id":"p","name":"Lamp"},"rating":{"value":3}}"#
        #expect(try ReadData(.jsonl, folder.write("s.jsonl", known + "\n")).titles == ["p": "Lamp"])
    }

    @Test("A declared column that is nowhere is named with what is there and what would be known")
    func unknown() throws {
        let folder = try TemporaryFolder()
        let table = try folder.write("r.csv", "user,item,stars,item_title\na,i,4,T\n")
        let lines = try folder.write("r.jsonl", #"{"user":1,"item":2,"stars":4,"item_title":"T"}"# + "\n")
        for (format, file) in [(RatingsReader.Format.csv, table), (.jsonl, lines)] {
            #expect {
                try ReadData(format, file, ReadingRules("time=bought_at"))
            } throws: { error in
                ["bought_at", "stars", "created", "time"].allSatisfy { "\(error)".contains($0) }
            }
        }
    }

    @Test("A missing column is named with what is there, what would be known and how to declare it")
    func missing() throws {
        let folder = try TemporaryFolder()
        let table = try folder.write("r.csv", "user,item,how,item_title\na,i,4,T\n")
        let lines = try folder.write("r.jsonl", #"{"user":1,"item":2,"how":4,"item_title":"T"}"# + "\n")
        for (format, file) in [(RatingsReader.Format.csv, table), (.jsonl, lines)] {
            #expect {
                try ReadData(format, file)
            } throws: { error in
                ["how", "stars", "--columns rating=NAME", "--rating 1", "--events"].allSatisfy {
                    "\(error)".contains($0)
                }
            }
        }
    }

    @Test("Declarations that cannot be meant are refused", arguments: ["user", "user=", "who=a", "user=a,user=b", ""])
    func broken(text: String) {
        #expect(throws: RecommendationError.self) { try DeclaredColumns(parsing: text) }
    }

    @Test("A name that is declared to be the title is the items' table's where there is one")
    func titleOfItems() throws {
        let folder = try TemporaryFolder()
        try folder.write("items.csv", "item_id,name\ni,Lamp\n")
        let file = try folder.write("r.csv", "user,item,rating,name\na,i,4,Ann Baker\nb,j,4,Ben Smith\n")
        let data = try ReadData(.csv, file, ReadingRules("title=name"))
        #expect(data.titles == ["i": "Lamp"])
        #expect(data.report.samples.map(\.reason) == ["item j has no title: this import names none"])
    }

    @Test("Who did what is where it was declared to be, or nowhere: other names are not guessed in its place")
    func notGuessed() throws {
        let folder = try TemporaryFolder()
        let lines = try folder.write(
            "r.jsonl",
            """
            {"customer":{"ref":"c1"},"user":"clerk7","item":"i","rating":4,"item_title":"T"}
            {"customer":null,"user":"clerk7","item":"i","rating":5}

            """)
        let data = try ReadData(.jsonl, lines, ReadingRules("user=customer.ref"))
        #expect(data.users == ["c1"])
        #expect(data.report.refused == 1)
    }

    @Test("A table of products whose item has no known name is named, with what to do")
    func unnamedItems() throws {
        let folder = try TemporaryFolder()
        let orders = try folder.write("orders.csv", "customer_id,product_id,stars\nc1,p1,4\n")
        let products = try folder.write("products.csv", "id,name\np1,Lamp\n")
        #expect("") {
            try ReadData(.csv, [orders, products])
        } throws: { "\($0)".contains("products.csv") && "\($0)".contains("names the item") }
    }

    @Test("A declared column that is not there is named, with what is there, however many files there are")
    func unknownColumn() throws {
        let folder = try TemporaryFolder()
        let orders = try folder.write("orders.csv", "customer_id,product_id,stars\nc1,p1,4\n")
        let more = try folder.write("more.csv", "customer_id,product_id,stars\nc2,p1,4\n")
        try folder.write("products.csv", "product_id,name\np1,Lamp\n")
        for paths in [[orders], [orders, more]] {
            #expect("") {
                try ReadData(.csv, paths, ReadingRules("user=kunde"))
            } throws: {
                "\($0)".contains("the column kunde that is declared for the user") && "\($0)".contains("customer_id")
            }
        }
    }

    @Test("A declared position that no line has is named, with how many there are, instead of being left out")
    func unknownPosition() throws {
        let folder = try TemporaryFolder()
        let ratings = try folder.write("r.csv", "a,i,4,2024-01-02\nb,i,2,2024-01-03\n")
        let items = try folder.write("i.csv", "item_id,title,made\ni,Lamp,1990\n")
        let columns = "user=1,item=2,rating=3,"
        for (declared, words) in [
            ("time=5", ["the column 5 ", "for the time", "positions 1 to 4"]),
            ("time=4,title=5", ["the column 5 ", "for the title", "positions 1 to 4", "made"]),
            ("time=4,field:year=baujahr", ["the column baujahr ", "field:year", "positions 1 to 4", "made"]),
            ("time=4,field:year=5", ["the column 5 ", "field:year"]),
        ] {
            #expect("\(declared)") {
                try ReadData(.csv, [ratings, items], ReadingRules(columns + declared))
            } throws: { error in words.allSatisfy { "\(error)".contains($0) } }
        }
        let data = try ReadData(.csv, [ratings, items], ReadingRules(columns + "time=4,field:year=made"))
        #expect(data.items == [Item(id: "i", title: "Lamp", fields: ["year": "1990"])])
        #expect(data.interactions.map(\.timestamp) == [1_704_153_600, 1_704_240_000])
        // Lines without names may have a field of their own.
        let other = try TemporaryFolder()
        let own = try other.write("own.csv", "a,j,4,7,Shade,1991\n")
        let rules = try ReadingRules(columns + "time=4,title=5,field:year=6")
        #expect(try ReadData(.csv, own, rules).items == [Item(id: "j", title: "Shade", fields: ["year": "1991"])])
        // Of objects of JSON numbers are names.
        let lines = try folder.write("r.jsonl", #"{"1":"a","2":"i","3":4,"item_title":"T"}"# + "\n")
        #expect(try ReadData(.jsonl, lines, ReadingRules("user=1,item=2,rating=3")).users == ["a"])
        #expect(throws: RecommendationError.self) {
            try ReadData(.jsonl, lines, ReadingRules("user=1,item=2,rating=3,time=4"))
        }
    }

    @Test("A field that only stands beside a person in RecBole's files is none of the item's, and named")
    func fieldOfRecBole() throws {
        let folder = try TemporaryFolder()
        try folder.write("x.inter", "user_id:token\titem_id:token\trating:float\tmood:token\na\ti\t4\tgood\n")
        try folder.write("x.item", "item_id:token\ttitle:token_seq\tclass:token\ni\tT\tnew\n")
        #expect("") {
            try ReadData(.recbole, folder.path, ReadingRules("field:mood=mood"))
        } throws: { "\($0)".contains("the column mood ") && "\($0)".contains("class") }
        #expect(
            try ReadData(.recbole, folder.path, ReadingRules("field:kind=class")).items
                == [Item(id: "i", title: "T", fields: ["kind": "new"])])
    }
}
