import Recommendation
import Testing

@Suite("How text is encoded")
struct EncodingTests {
    private let header = "user,item,rating,item_title\n"

    private func titles(_ bytes: [UInt8], _ encoding: TextEncoding?) throws -> [String] {
        let folder = try TemporaryFolder()
        let file = try folder.write("r.csv", bytes)
        return try ReadData(.csv, file, ReadingRules(encoding: encoding)).items.map(\.title)
    }

    @Test(
        "Windows-1252 is read where UTF-8 is not, and where it is declared", arguments: [nil, TextEncoding.windows1252])
    func windows(encoding: TextEncoding?) throws {
        let row = Array("a,i,4,".utf8) + [0x93, 0x43, 0x61, 0x66, 0xE9, 0x94, 0x20, 0x80, 0x0A]
        #expect(try titles(Array(header.utf8) + row, encoding) == ["\u{201C}Caf\u{E9}\u{201D} \u{20AC}"])
    }

    @Test("What is declared is meant, though it would be UTF-8")
    func declared() throws {
        let row = Array("a,i,4,".utf8) + [0xC3, 0xA9, 0x0A]
        #expect(try titles(Array(header.utf8) + row, nil) == ["\u{E9}"])
        #expect(try titles(Array(header.utf8) + row, .latin1) == ["\u{C3}\u{A9}"])
    }

    @Test("UTF-16 is read by its mark or as declared", arguments: [true, false], [true, false])
    func utf16(isBig: Bool, isMarked: Bool) throws {
        let text = (isMarked ? "\u{FEFF}" : "") + header + "a,i,4,\u{1F600}\n"
        let bytes = text.utf16.flatMap {
            isBig ? [UInt8($0 >> 8), UInt8($0 & 255)] : [UInt8($0 & 255), UInt8($0 >> 8)]
        }
        let encoding: TextEncoding? = isMarked ? nil : isBig ? .utf16BigEndian : .utf16LittleEndian
        #expect(try titles(bytes, encoding) == ["\u{1F600}"])
    }

    @Test("A byte order mark says more than a declaration")
    func mark() throws {
        #expect(try titles(Array("\u{FEFF}\(header)a,i,4,\u{E9}\n".utf8), .windows1252) == ["\u{E9}"])
    }

    @Test("Declared UTF-8 that is none stops the import, characters across chunks do not")
    func strict() throws {
        #expect {
            try titles(Array(header.utf8) + Array("a,i,4,".utf8) + [0xE9, 0x0A], .utf8)
        } throws: { "\($0)".contains("declared to be UTF-8 and is not") }
        let rows = (0..<40_000).map { "u\($0),i,4,\u{20AC}\u{1F600}\u{E9}\n" }.joined()
        #expect(try titles(Array((header + rows).utf8), .utf8) == ["\u{20AC}\u{1F600}\u{E9}"])
    }

    @Test("HTML's entities in titles are decoded once, and what is none stays")
    func entities() throws {
        let written = "Tom &amp; J&eacute;r&ocirc;me &#8211; &#x27;O&#39; &amp;lt; &nope; R&D; &#x110000; &#150; &"
        #expect(
            try titles(Array("\(header)a,i,4,\(written)\n".utf8), nil)
                == ["Tom & J\u{E9}r\u{F4}me \u{2013} 'O' &lt; &nope; R&D; &#x110000; \u{2013} &"])
    }
}
