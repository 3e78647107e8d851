import Foundation
import Recommendation
import Testing

@Suite("What files say of items beside their titles")
struct ItemFieldsTests {
    @Test(
        "Columns that a template shows are read from RecBole's table of items, and the year stays out of the title then"
    )
    func recbole() throws {
        let folder = try TemporaryFolder()
        try folder.write("d.inter", "user_id:token\titem_id:token\trating:float\ttimestamp:float\nu\ti\t5\t1\n")
        try folder.write(
            "d.item",
            "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\ni\tHeat\t1995\tCrime Drama\n")
        let plain = try ReadData(.recbole, folder.path + "/d")
        #expect(plain.items == [Item(id: "i", title: "Heat (1995)")])
        let shown = try ReadData(.recbole, folder.path + "/d", ReadingRules(itemFields: ["class"]))
        #expect(shown.items == [Item(id: "i", title: "Heat (1995)", fields: ["class": "Crime Drama"])])
        let declared = ReadingRules(columns: try DeclaredColumns(parsing: "field:year=release_year,field:genre=class"))
        #expect(
            try ReadData(.recbole, folder.path + "/d", declared).items
                == [Item(id: "i", title: "Heat", fields: ["year": "1995", "genre": "Crime Drama"])])
    }

    @Test("A CSV table of items and JSON lines give them, too; an empty one is said to be empty, none is not mentioned")
    func csvAndJSON() throws {
        let folder = try TemporaryFolder()
        try folder.write("orders.csv", "user,item,rating\nu,i,5\nu,j,4\n")
        try folder.write("items.csv", "item,title,brand\ni,Lampe &amp; Schirm,Müller &amp; Co\nj,Leuchte, \n")
        let rules = ReadingRules(itemFields: ["brand"])
        let items = [
            Item(id: "i", title: "Lampe & Schirm", fields: ["brand": "Müller & Co"]),
            Item(id: "j", title: "Leuchte", fields: ["brand": ""]),
        ]
        #expect(try ReadData(.csv, folder.path, rules).items == items)
        let lines = try folder.write(
            "all.jsonl",
            """
            {"item":"i","title":"Lampe & Schirm","brand":"Müller & Co"}
            {"item":"j","title":"Leuchte","brand":" "}
            {"item":"k","title":"Lüster","brand":null}
            {"item":"l","title":"Laterne"}
            {"user":"u","item":"i","rating":5}

            """)
        let silent = [Item(id: "k", title: "Lüster"), Item(id: "l", title: "Laterne")]
        #expect(try ReadData(.jsonl, lines, rules).items == items + silent)
    }

    @Test("Beside a person a column is a field only where it is declared, and must say the same in all rows of an item")
    func besidePersons() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("r.csv", "user,item,rating,item_title,brand\nu,i,5,Lampe,A\nv,i,4,Lampe,B\n")
        #expect(throws: RecommendationError.self) { try ReadData(.csv, file, ReadingRules(itemFields: ["farbe"])) }
        let undeclared = #expect(throws: RecommendationError.self) {
            try ReadData(.csv, file, ReadingRules(itemFields: ["brand"]))
        }
        #expect(undeclared?.description.contains("beside a person it must be declared") == true)
        #expect(throws: RecommendationError.self) {
            try ReadData(.movielens, folder.path, ReadingRules(itemFields: ["brand"]))
        }
        let declared = ReadingRules(columns: try DeclaredColumns(parsing: "field:marke=brand"))
        let error = #expect(throws: RecommendationError.self) { try ReadData(.csv, file, declared) }
        #expect(error?.description.contains("r.csv:3") == true && error?.description.contains("field:marke") == true)
    }

    @Test("A declared column that is nowhere, and what names no field, are refused by name")
    func refused() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("r.csv", "user,item,rating,item_title\nu,i,5,Lampe\n")
        let rules = ReadingRules(columns: try DeclaredColumns(parsing: "field:year=jahr"))
        let error = #expect(throws: RecommendationError.self) { try ReadData(.csv, file, rules) }
        #expect(error?.description.contains("column jahr") == true && error?.description.contains("field:year") == true)
        for text in ["field:=a", "field:title=a", "field:a b=c", "field:a=b,field:a=c"] {
            #expect(throws: RecommendationError.self) { try DeclaredColumns(parsing: text) }
        }
        let many = (0...ItemFields.most).map { "field:f\($0)=c" }.joined(separator: ",")
        #expect(throws: RecommendationError.self) { try DeclaredColumns(parsing: many) }
    }

    @Test("Values that are too long or hold control characters are absent")
    func bounds() {
        let long = String(repeating: "x", count: ItemFields.longestValue + 1)
        #expect(
            ItemFields.canonical(["a": " b ", "c": long, "d": "e\u{7}", "f": " ", "no name": "x"]) == [
                "a": "b", "f": "",
            ])
        #expect(ItemFields.canonical(["c": long]) == nil)
        #expect(ItemFields.canonical([:]) == nil)
    }

    @Test("What is new takes the place of what was known, an empty one takes it away, and silence leaves it")
    func merged() {
        let known = ["year": "1995", "brand": "A"]
        #expect(ItemFields.merged(known, with: nil) == known)
        #expect(ItemFields.merged(known, with: ["brand": "B"]) == ["year": "1995", "brand": "B"])
        #expect(ItemFields.merged(known, with: ["brand": ""]) == ["year": "1995"])
        #expect(ItemFields.merged(known, with: ["brand": "", "year": ""]) == nil)
        #expect(ItemFields.merged(nil, with: ["brand": "", "year": "1995"]) == ["year": "1995"])
        #expect(ItemFields.merged(nil, with: ["brand": ""]) == nil)
        // More than may be kept together: the new ones alone.
        let many = Dictionary(uniqueKeysWithValues: (0..<ItemFields.most).map { ("f\($0)", "x") })
        #expect(ItemFields.merged(many, with: ["g": "y", "h": ""]) == ["g": "y"])
    }
}
