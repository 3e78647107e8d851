import Foundation
import Recommendation
import Testing

@Suite("What names a user or an item")
struct IdentifierTests {
    @Test(
        "White space around is no part of an identifier, the normal form is C",
        arguments: [
            ("7 ", "7"), ("\t7\r", "7"), ("\u{A0}a b\u{3000}", "a b"), ("Andre\u{301}", "Andr\u{E9}"), ("007", "007"),
        ])
    func canonical(text: String, wanted: String) throws {
        let found = try Identifier.canonical(text)
        #expect(Array(found.utf8) == Array(wanted.utf8))
    }

    @Test(
        "Control characters, byte order marks inside, emptiness and excess are refused",
        arguments: ["7\u{0}", "\u{0}7\u{0}1", "a\u{1}b", "a\u{FEFF}b", "\u{FEFF}7", "a\u{2028}b", "a\nb", "", " \t"])
    func refused(text: String) {
        #expect(throws: Identifier.Refusal.self) { try Identifier.canonical(text) }
    }

    @Test("1,024 bytes are taken, one more is not")
    func longest() throws {
        #expect(try Identifier.canonical(String(repeating: "x", count: 1024)).utf8.count == 1024)
        #expect(throws: Identifier.Refusal.tooLong(bytes: 1025)) {
            try Identifier.canonical(String(repeating: "x", count: 1025))
        }
    }

    /// Every one is longer in normal form C, up to three times.
    private static let lengthened = (0x80...0x2FFFF).compactMap { Unicode.Scalar($0) }.map { String($0) }.filter {
        $0.precomposedStringWithCanonicalMapping.utf8.count > $0.utf8.count
    }

    @Test("An identifier is measured as it is kept: what is taken once is taken again, as it is")
    func measuredInNormalForm() throws {
        #expect(Self.lengthened.contains("\u{958}") && Self.lengthened.count > 50)
        for text in Self.lengthened {
            let kept = text.precomposedStringWithCanonicalMapping
            for count in [1, 1024 / kept.utf8.count, 1024 / kept.utf8.count + 1, 1024 / text.utf8.count] {
                let name = String(repeating: text, count: count)
                guard let once = try? Identifier.canonical(name) else {
                    #expect(kept.utf8.count * count > 1024)
                    continue
                }
                #expect(once.utf8.count <= 1024)
                #expect(Array(try Identifier.canonical(once).utf8) == Array(once.utf8))
            }
        }
        // Shorter in normal form, it is taken.
        let jamo = String(repeating: "\u{1112}\u{1161}\u{11AB}", count: 341)
        #expect(jamo.utf8.count == 3069)
        #expect(try Identifier.canonical(jamo).utf8.count == 1023)
    }

    @Test("A line whose identifier is too long as it would be kept is refused alone")
    func refusedAlone() throws {
        let folder = try TemporaryFolder()
        let long = String(repeating: "\u{958}", count: 341)
        let rows = ["ada", long, "ben"].map {
            "{\"user\":\"\($0)\",\"item\":\"i\",\"rating\":4.0,\"item_title\":\"T\"}\n"
        }
        let data = try ReadData(.jsonl, folder.write("r.jsonl", rows.joined()))
        #expect(data.interactions.map(\.user) == ["ada", "ben"] && data.report.refused == 1)
        #expect(data.report.samples.map(\.reason) == ["user id of 2046 bytes"])
    }

    @Test("Numbers in JSON lines keep their digits; those with a point or an exponent are no identifiers")
    func jsonNumbers() throws {
        let folder = try TemporaryFolder()
        let people = ["18446744073709551613", "18446744073709551614", "18446744073709551615"]
        let rows = (people + ["1.0", "1e3"]).map {
            "{\"user\":\($0),\"item\":9007199254740993,\"rating\":4.0,\"item_title\":\"T\"}\n"
        }
        let data = try ReadData(.jsonl, folder.write("r.jsonl", rows.joined()))
        #expect(data.interactions.map(\.user) == people)
        #expect(data.items.map(\.id) == ["9007199254740993"])
        #expect(
            data.report.samples.map(\.reason)
                == ["1.0", "1e3"].map { "id \($0) is no whole number; write it as text" })
    }

    @Test("A key that stands twice in a line makes it doubtful")
    func doubledKey() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write(
            "r.jsonl", "{\"user\":1,\"item\":1,\"rating\":4,\"item_title\":\"T\",\"us\\u0065r\":2}\n")
        #expect(try ReadData(.jsonl, file).report.refused == 1)
    }

    @Test("Blanks around identifiers do not make another person of somebody")
    func blanks() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("r.csv", "user,item,rating,item_title\n7,i,4,T\n7 ,i , 5,T\n")
        let data = try ReadData(.csv, file)
        #expect(data.users == ["7"])
        #expect(data.items.map(\.id) == ["i"])
    }
}
