import Recommendation
import Testing

@Suite("Shapes of JSON")
struct JSONShapesTests {
    private func read(_ text: String) throws -> ReadData {
        let folder = try TemporaryFolder()
        return try ReadData(.jsonl, folder.write("r.json", text))
    }

    private func object(_ user: String) -> String { #"{"user":"\#(user)","item":"i","rating":4,"item_title":"T, {]"}"# }

    @Test("An array of objects is read, in one line or in many")
    func array() throws {
        #expect(try read("[\(object("a")),\(object("b"))]").users == ["a", "b"])
        #expect(try read("\n[\n  \(object("a")) ,\n\n  \(object("b"))\n]\n").users == ["a", "b"])
        let pretty = "[\n {\n  \"user\": \"a\",\n  \"item\": 1,\n  \"rating\": 2,\n  \"item_title\": \"T\"\n }\n]"
        #expect(try read(pretty).interactions.map(\.item) == ["1"])
        #expect(try read("[]").report.counts == ImportReport())
    }

    @Test("An array far longer than a line comes out whole")
    func longArray() throws {
        let data = try read("[" + (0..<40_000).map { object("u\($0)") }.joined(separator: ",") + "]")
        #expect(data.interactions.count == 40_000 && data.report.refused == 0)
    }

    @Test("What is broken in an array costs its own element")
    func brokenElements() throws {
        let huge = #"{"user":""# + String(repeating: "x", count: 2_000_000) + #""}"#
        let data = try read(
            "[\(object("a")),\n7,\n{\"user\":},\n{\"user\":\"x\n},\n\(huge),\n\(object("b"))]\nmore {} \"")
        #expect(data.users == ["a", "b"])
        #expect(data.report.samples.map(\.line) == [2, 3, 4, 6, 8])
        #expect(data.report.reasons.map(\.reason) == ["not a JSON object", "the line is too long"])
        #expect(data.report.reasons.map(\.rows) == [4, 1])
    }

    @Test("An array that is cut stops the import")
    func cutArray() throws {
        for text in ["[\(object("a")),", "[\(object("a"))", "[\(object("a")),{\"user\":"] {
            #expect {
                try read(text)
            } throws: { "\($0)".contains("array is not closed") }
        }
    }

    @Test("NaN and Infinity in fields that nobody reads are let be, and are no ratings")
    func notNumbers() throws {
        let data = try read(
            #"{"user":"a","item":"i","rating":4,"item_title":"T","x":NaN,"y":[-Infinity,{"z":Infinity}]}"# + "\n"
                + #"{"user":"b","item":"i","rating":NaN}"# + "\n")
        #expect(data.users == ["a"])
        #expect(data.report.samples.map(\.reason) == ["no rating"])
    }

    @Test("Half a surrogate pair is a mark in a title, and no part of a name")
    func surrogates() throws {
        let data = try read(
            #"{"user":"a","item":"i","rating":4,"item_title":"T \ud83d! \ud83d\ude00"}"# + "\n"
                + #"{"user":"\ud800","item":"i","rating":4}"# + "\n" + #"{"user":"\udc00x","item":"i","rating":4}"#
                + "\n")
        #expect(data.titles == ["i": "T \u{FFFD}! \u{1F600}"])
        #expect(data.users == ["a"])
        #expect(data.report.reasons.map(\.rows) == [2])
    }

    @Test("Null is nothing: no name, no rating, no time")
    func nulls() throws {
        let data = try read(
            #"{"user":"a","item":"i","rating":4,"time":5,"item_title":"T"}"# + "\n"
                + #"{"user":null,"item":"i","rating":4,"time":5}"# + "\n"
                + #"{"user":"a","item":null,"rating":4,"time":5}"# + "\n"
                + #"{"user":"a","item":"i","rating":null,"time":5}"# + "\n"
                + #"{"user":"a","item":"i","rating":4,"time":null}"# + "\n")
        #expect(data.interactions.count == 1)
        #expect(data.report.reasons.map(\.reason) == ["no user", "no item", "no rating", "no time"])
    }

    @Test(
        "What is no JSON object is refused",
        arguments: [
            #"{"a":01}"#, #"{"a":1.}"#, #"{"a":.5}"#, #"{"a":+1}"#, #"{"a":1e}"#, #"{"a":"\x"}"#, #"{"a":"\u12"}"#,
            #"{"a":1,}"#, #"{,}"#, #"{"a" 1}"#, #"{"a":tru}"#, #"{"a":[1,]}"#, #"{"a":1}{"#, #"{"a":1} x"#, #"{'a':1}"#,
            #"{"a":1,"a":2}"#, "{\"a\":\"\t\"}", "{", "null", "\"a\"",
        ])
    func malformed(line: String) throws {
        let data = try read(object("a") + "\n" + line + "\n")
        #expect(data.report.samples.map(\.reason) == ["not a JSON object"])
    }

    @Test("Objects inside objects, a key of many bytes and many keys take no more than their line")
    func hostile() throws {
        let deep = String(repeating: #"{"a":"#, count: 60_000) + "1" + String(repeating: "}", count: 60_000)
        let long =
            #"{"\#(String(repeating: "k", count: 500_000))":{\#((0..<40_000).map { "\"\($0)\":1" }.joined(separator: ","))}}"#
        let many = "{" + (0..<90_000).map { "\"\($0)\":1" }.joined(separator: ",") + "}"
        let twice = #"{"user":{"id":"a","id":"b"},"item":"i","rating":4}"#
        let data = try read([object("a"), deep, long, many, twice].joined(separator: "\n"))
        #expect(data.users == ["a"])
        #expect(data.report.reasons.map(\.rows) == [1, 3])
    }

    @Test("Several arrays behind one another are refused by name: only the first would be read")
    func arrays() throws {
        #expect("") {
            try read("[\(object("a"))]\n[\(object("b"))]\n")
        } throws: { "\($0)".contains("another array follows in line 2") }
    }

    @Test("A broken file that nobody named is told, and stops nothing")
    func brokenBeside() throws {
        let folder = try TemporaryFolder()
        try folder.write("export.json", "[{\"a\":1},")
        let data = try ReadData(.jsonl, folder.write("orders.jsonl", object("a") + "\n"))
        #expect(data.users == ["a"])
        #expect(data.report.files.contains { $0.file == "export.json" && $0.use == .unused })
    }

    @Test("An event without a person is no item")
    func anonymousEvent() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(
            "r.jsonl",
            """
            {"event":"view","item":"i1","label":"Lamp"}
            {"user":"a","event":"view","item":"i2","label":"Chair"}

            """)
        var rules = try ReadingRules("title=label")
        rules.ratings = .events(try EventWeights(parsing: "view=1"))
        let data = try ReadData(.jsonl, file, rules)
        #expect(data.users == ["a"] && data.titles == ["i2": "Chair"])
    }

    @Test("Objects without the time that others have are said to count as the oldest")
    func untimed() throws {
        let data = try read(
            #"{"user":"a","item":"i","rating":4,"item_title":"T","time":1700000000}"# + "\n"
                + #"{"user":"a","item":"i","rating":4}"# + "\n")
        #expect(data.report.files.first?.text.contains("1 rows have no time") == true)
    }

    @Test("Keys that mean something in ever other spellings are counted for a few of them only")
    func spellings() throws {
        let rows = (0..<3000).map { number in
            let (blanks, points) = (number % 60, number / 60)
            let key = "us" + String(repeating: "_", count: blanks) + "er" + String(repeating: ".", count: points)
            return #"{"\#(key)":"a","item":"i","rating":4,"item_title":"T"}"#
        }
        let data = try read(rows.joined(separator: "\n"))
        #expect(data.interactions.count == 3000)
        #expect(try #require(data.report.files.first).columns.count < 20)
    }
}
